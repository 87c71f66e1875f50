"""What Prometheus reads, from one snapshot that the publisher replaces.

- `snapshot`: everything known now, as one immutable value; the page reads it, too.
- `publisher`: the only writer of the snapshot.
- `platform_families` and its likes, `all_families`: the families and their values.
- `family`: how such a module declares one.
- `scrapes`: writes them, what did not change from memory.
- `ingest_counts`: counts of batches from agents.

`server`, `recording`, `notify` programs and `app` may import this package.
"""
