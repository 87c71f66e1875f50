"""What a folder and a bucket have in common. Their methods block; they run in threads.

Names are paths with slashes, relative to the archive. All methods raise PlaceError.
"""

from pathlib import Path
from typing import Protocol


class PlaceError(Exception):
    """The place cannot be read or written. The message says which, and why."""


class Place(Protocol):
    """Where files of an archive are kept."""

    shown: str
    """As messages name it; never a password."""
    stale: float
    """Seconds for which a list of names may be used again: 0 where to list them costs nothing."""

    def names(self, folder: str) -> dict[str, str]:
        """The files directly in a folder, each with something that changes when it changes."""

    def read(self, name: str) -> bytes:
        """A whole small file; empty when there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Replace a small file, durably, all or nothing."""

    def put(self, name: str, made: Path) -> None:
        """Store a file that was made elsewhere, durably, all or nothing."""

    def local(self, name: str, sha256: str) -> Path:
        """Where this machine can read a file. From a bucket it is fetched, and compared with its
        checksum."""

    def remove(self, name: str) -> None:
        """Delete a file; one that is not there is no error."""

    def close(self) -> None:
        """Remove what was fetched."""
