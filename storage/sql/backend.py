"""What differs between databases. The rest of `storage.sql` is the same for all of them."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from sqlalchemy import Connection, Dialect, Engine, Table
from sqlalchemy.exc import DBAPIError

from storage.values.database_size import DatabaseSize
from storage.values.prunable import Prunable


class Staging(Protocol):
    """A temporary table that takes many rows at once, faster than INSERT does."""

    name: str

    def fill(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Replace its rows by these until the transaction ends."""


class Backend(ABC):
    """One database. It is not touched before an engine is asked for a connection."""

    name: str
    """As errors show it; never holds a password."""
    dialect: Dialect
    """What statements are compiled for."""

    @abstractmethod
    def prepare(self, *, create: bool) -> None:
        """Check that the database can exist. StorageError when it cannot, or when it is missing and
        may not be created."""

    @abstractmethod
    def read_engine(self, size: int) -> Engine:
        """Up to `size` connections that cannot write."""

    @abstractmethod
    def write_engine(self) -> Engine:
        """One connection."""

    @abstractmethod
    def errors(self) -> AbstractContextManager[None]:
        """Raises StorageError, with advice, for every error of the database."""

    @abstractmethod
    def may_pass(self, error: DBAPIError) -> bool:
        """Whether the same transaction may succeed when it is repeated at once."""

    @abstractmethod
    def insert(self, into: Table) -> Any:
        """An INSERT with ON CONFLICT. Dialects spell it alike, but share no type for it."""

    def staging(self, into: Table, columns: Sequence[str]) -> Staging | None:
        """A staging table for rows with cells in this order; None where INSERT is fast enough."""
        del into, columns
        return None

    def ensure_partitions(self, connection: Connection, table: str, times: Collection[str]) -> None:
        """Make the partitions that rows with these times need, in the caller's transaction."""
        del connection, table, times

    def partition_column(self, table: str) -> str | None:
        """The time by which a table is partitioned; None when it is not."""
        del table
        return None

    def place(self, after: tuple[str, ...]) -> tuple[str, ...]:
        """A place in a listing, in text that the database can compare."""
        return after

    @abstractmethod
    def lead(self, connection: Connection) -> bool:
        """Take the lead if no other process has it; returns whether this one leads now. The caller
        holds a transaction of the connection that writes."""

    @abstractmethod
    def leads(self, connection: Connection) -> bool:
        """Whether this very connection still holds the lead."""

    def release(self) -> None:
        """Release what is held apart from connections, after these were closed."""
        return

    def make_partitions_ahead(self, write: Engine) -> None:
        """Make the partitions of the coming months."""
        del write

    def old_partition(self, read: Engine, what: Prunable, before: str) -> tuple[str, int] | None:
        """A partition in which every row is older than `before`, and its number of rows; None when
        there is none."""
        del read, what, before
        return None

    def drop_partition(self, write: Engine, what: Prunable, partition: str) -> bool:
        """Drop a partition; False when another program uses it, so that it must be tried later."""
        raise AssertionError(f"no partition {partition} of {what} in {write.url.database}")

    def drop_empty_partitions(self, write: Engine, what: Prunable, before: str) -> None:
        """Drop the partitions whose time is over before `before` and that have no rows left, but
        for those that another program uses."""
        del write, what, before

    @abstractmethod
    def size(self, connection: Connection) -> DatabaseSize:
        """How large the database is, as far as it tells."""

    def archiving(self) -> AbstractContextManager[bool]:
        """For as long as the context lasts, no other process moves rows of this database to an
        archive; gives False when one does so now."""
        return nullcontext(True)
