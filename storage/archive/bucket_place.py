"""An archive in a bucket of an S3-compatible service.

Keys to it come from the environment, by the names that all such tools use. Files are fetched whole,
compared with their checksums, and kept for a while beside: what is read twice is fetched once.
"""

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from storage.archive.duckdb_session import library
from storage.archive.place import PlaceError
from storage.store import StorageError
from storage.values.archive_place import ArchivePlace

KEY, SECRET, SESSION = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
"""Names in the environment."""
_KEPT = 4 * 2**30
"""Bytes of fetched files that stay on this machine until the store is closed."""
_TIMEOUT = 30.0
"""Seconds without an answer."""
_CHUNK = 2**20


def bucket_place(archive: ArchivePlace, environ: Mapping[str, str] = os.environ) -> "BucketPlace":
    """The place in the bucket that settings name. StorageError without keys to it."""
    missing = [name for name in (KEY, SECRET) if not environ.get(name)]
    if missing:
        raise StorageError(
            f"archive {archive.shown}: its keys are missing: set {' and '.join(missing)} in the "
            "environment"
        )
    found = urlsplit(archive.endpoint)
    bucket = library("pyarrow.fs").S3FileSystem(
        access_key=environ[KEY],
        secret_key=environ[SECRET],
        session_token=environ.get(SESSION) or None,
        region=archive.region or "us-east-1",
        endpoint_override=found.netloc,
        scheme=found.scheme,
        connect_timeout=_TIMEOUT,
        request_timeout=_TIMEOUT,
        allow_bucket_creation=False,
        background_writes=False,
    )
    return BucketPlace(archive, bucket)


class BucketPlace:
    """Implements `storage.archive.place.Place`."""

    stale = 2.0

    def __init__(self, archive: ArchivePlace, bucket: Any) -> None:
        """`bucket` is a file system of pyarrow's."""
        self.shown = archive.shown
        self._root = archive.bucket
        self._bucket = bucket
        self._selector = library("pyarrow.fs").FileSelector
        self._fetched = tempfile.TemporaryDirectory(prefix="shutwatch-fetched-")
        self._lock = threading.Lock()

    def names(self, folder: str) -> dict[str, str]:
        with self._errors("cannot be listed"):
            wanted = self._selector(self._path(folder), allow_not_found=True)
            found = self._bucket.get_file_info(wanted)
            return {
                f"{folder}/{one.base_name}": f"{one.mtime_ns} {one.size}"
                for one in sorted(found, key=lambda one: str(one.base_name))
                if one.is_file
            }

    def read(self, name: str) -> bytes:
        with self._errors(f"{name} cannot be read"):
            try:
                with self._bucket.open_input_stream(self._path(name)) as stream:
                    content: bytes = stream.read()
            except FileNotFoundError:
                return b""
            return content

    def write(self, name: str, content: bytes) -> None:
        with (
            self._errors(f"{name} cannot be written"),
            self._bucket.open_output_stream(self._path(name)) as stream,
        ):
            stream.write(content)

    def put(self, name: str, made: Path) -> None:
        with (
            self._errors(f"{name} cannot be written"),
            made.open("rb") as source,
            self._bucket.open_output_stream(self._path(name)) as stream,
        ):
            shutil.copyfileobj(source, stream, _CHUNK)

    def local(self, name: str, sha256: str) -> Path:
        target = Path(self._fetched.name) / name
        with self._lock, self._errors(f"{name} cannot be read"):
            if target.exists():
                target.touch()
                return target
            self._make_room()
            target.parent.mkdir(parents=True, exist_ok=True)
            aside = target.with_suffix(".unfinished")
            digest = hashlib.sha256()
            with (
                self._bucket.open_input_stream(self._path(name)) as stream,
                aside.open("wb") as out,
            ):
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
                    out.write(chunk)
            if digest.hexdigest() != sha256:
                aside.unlink()
                raise PlaceError(
                    f"archive {self.shown}: {name} is not what was written: its checksum differs"
                )
            aside.replace(target)
            return target

    def remove(self, name: str) -> None:
        with self._errors(f"{name} cannot be deleted"):
            try:
                self._bucket.delete_file(self._path(name))
            except FileNotFoundError:
                return

    def close(self) -> None:
        self._fetched.cleanup()

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _make_room(self) -> None:
        """Remove what was used longest ago. A query that reads it still has it open."""
        files = [(one.stat(), one) for one in Path(self._fetched.name).rglob("*.parquet")]
        left = sum(state.st_size for state, _ in files)
        for state, one in sorted(files, key=lambda pair: pair[0].st_mtime):
            if left <= _KEPT:
                return
            one.unlink()
            left -= state.st_size

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = str(error).splitlines()[0]
            raise PlaceError(f"archive {self.shown}: {what}: {reason}") from error
