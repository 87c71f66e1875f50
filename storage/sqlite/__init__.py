"""SQLite: its connections and errors, backups and checks of a file, and the copy to PostgreSQL.

`open_store` and `monitor.cli` import it.
"""
