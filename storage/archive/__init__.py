"""Years of raw rows as Parquet files, in a folder or a bucket, read back as if still stored.

- `archived_tables`: which tables, with which columns; `place`: what a folder and a bucket have in
  common; `folder_place` and `bucket_place`: each of them; `manifest`: which files count.
- `engine`: DuckDB, and how rows get into it, also for exports.
- `duckdb_session`: runs the store's own queries on files; `moving`: makes one file of a day's rows
  and checks it; `merged`: two listings as one.
- `archive_check` finds files that were changed.
- `archived_store`: a store whose old rows are in an archive.

A row leaves the database only after its file is durable, named in the manifest, and was read back
and compared. Files that no manifest names do not count: they are left by a program that died.
"""
