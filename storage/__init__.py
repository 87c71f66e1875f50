"""Stores measurements, verdicts and events, in SQLite, PostgreSQL or memory.

- `store`: the protocols of a store; `open_store`: from a URL to a store; `url`: reads the URL.
- `values`: what callers pass to a store and get from it, and how each is encoded.
- `sql`: the store in an SQL database, the same for all; `sqlite` and `postgresql`: what differs,
  and tools for one of them; `migrations`: every change of the tables ever released.
- `agent`: the spool of an agent.

Imports run from `open_store` over the databases, `sql` and `store` down to `values`. Everything in
`monitor` above `analysis` may import `store`, `values`, `open_store` and `url`; only command-line
tools and tests import one kind of database. Storage itself imports `probes` and `monitor.analysis`.
"""
