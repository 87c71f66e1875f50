"""Where the archive of raw data is."""

import msgspec


class ArchivePlace(msgspec.Struct, frozen=True, kw_only=True):
    """The `[archive]` table: a folder or a bucket. All fields empty: there is no archive."""

    folder: str = ""
    """Path of a folder."""
    bucket: str = ""
    """Name of a bucket of an S3-compatible service, with a prefix after a slash."""
    endpoint: str = ""
    """URL of the service, `https://` and a host."""
    region: str = ""
    """As the service names it; empty: `us-east-1`, which services without regions accept."""

    database_limit: int = 0
    """Bytes above which the oldest days move before their time; 0: none."""

    @property
    def shown(self) -> str:
        """As messages name it."""
        return self.folder or (f"{self.bucket} at {self.endpoint}" if self.bucket else "")


NO_ARCHIVE = ArchivePlace()
"""Old rows are deleted."""
