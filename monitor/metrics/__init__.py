"""What Prometheus reads, from one snapshot that the publisher replaces.

- `snapshot`: everything known now, as one immutable value; the page reads it, too.
- `publisher`: the only writer of the snapshot.
- `platform_families`, `event_families` and the other `…_families`: families and their values;
  `all_families` lists them.
- `family`: how such a module declares one.
- `scrapes`: writes them, what did not change from memory.
- `ingest_counts`: counts of batches from agents.

`app`, `collector`, `following`, `recording` and `server` import it.
"""
