"""How large a database is, and how much it may grow."""

import msgspec


class DatabaseSize(msgspec.Struct, frozen=True, kw_only=True):
    """Both in bytes."""

    used: int
    """What holds something, as far as the database tells; an archive is not in it."""
    free: int | None
    """What may still be written: room of deleted rows, and of the disk. None where nobody here
    knows, as of a server on another machine."""
