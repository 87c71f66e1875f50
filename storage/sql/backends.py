"""Which backend a URL names."""

from storage.sql.backend import Backend
from storage.sqlite.backend import SqliteBackend, file_of


def backend_of(url: str, patience: float) -> Backend:
    """The backend for `url`, which waits up to `patience` seconds for other programs' locks.

    StorageError for a URL that is neither SQLite's nor PostgreSQL's; it never repeats the URL,
    which may hold a password.
    """
    if url.startswith(("postgresql:", "postgresql+")):
        # An agent, which never comes here, has no memory to spare for PostgreSQL's driver.
        from storage.postgresql.backend import PostgresqlBackend, postgresql_url

        return PostgresqlBackend(postgresql_url(url), patience)
    return SqliteBackend(file_of(url), patience)
