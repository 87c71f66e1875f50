"""The store in an SQL database, written once for all of them.

- `store` and `fleet_store` implement the protocols: `SqlStore.save` writes a cycle. `transactions`
  owns connections, threads and transactions; `backend` lists what a kind of database does in its
  own way.
- `schema` has the tables, `migrate` brings a database to them.
- `listing…` read pages of rows; `cycle_rows`, `writing_…`, `statements` and
  `received_group_commit` write; `retention` deletes.

`sqlite`, `postgresql`, `archive`, `migrations`, `open_store` and `monitor.cli` import it. It
imports no database.
"""
