"""What differs between the databases a store can lie in; `storage.sql.store` does all the rest
once."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from storage.values.prunable import Prunable


class Backend(ABC):
    """One database. Nothing is touched before an engine is asked for a connection."""

    name: str
    """How errors call it; never holds a password."""
    rows_at_once = 2
    """How many rows are read for a file at once, for each value there is in a batch of a listing:
    they are that much lighter."""

    reads_ahead = 0
    """How many stretches of rows for a file are read while the one before is written. None where
    reading is this process's own work, which gets slower when threads do it side by side."""

    @abstractmethod
    def prepare(self, *, create: bool) -> None:
        """Look whether it can be there. StorageError when not, or when it is missing and may not
        be created."""

    @abstractmethod
    def read_engine(self, size: int) -> Engine:
        """Up to `size` connections that cannot write."""

    @abstractmethod
    def write_engine(self) -> Engine:
        """One connection."""

    @abstractmethod
    def errors(self) -> AbstractContextManager[None]:
        """Raises StorageError, with what to do, for every error of the database."""

    @abstractmethod
    def passes(self, error: DBAPIError) -> bool:
        """Whether the same transaction may well succeed if it is tried once more at once."""

    def place(self, after: tuple[str, ...]) -> tuple[str, ...]:
        """A place to list behind, in text that can be asked about."""
        return after

    @abstractmethod
    def lead(self, connection: Connection) -> bool:
        """Take the lead if nobody else has it; the caller holds a transaction of the writer's
        connection. Whether it is ours now."""

    @abstractmethod
    def leads(self, connection: Connection) -> bool:
        """Whether the lead that was taken is still held, by this very connection."""

    @abstractmethod
    def let_go(self) -> None:
        """Let go of what is held beside the connections, after these were closed."""

    @abstractmethod
    def make_room(self, write: Engine) -> None:
        """Make ready for the months to come."""

    @abstractmethod
    def old_partition(self, read: Engine, what: Prunable, before: str) -> tuple[str, int] | None:
        """A partition in which every row is older than `before`, and how many rows it has; None
        when there is none."""

    @abstractmethod
    def drop_partition(self, write: Engine, what: Prunable, partition: str) -> bool:
        """Drop it; False when somebody was in the way, and trying again later is in order."""
