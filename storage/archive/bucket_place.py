"""An archive in a bucket of an S3-compatible service.

Keys to it come from the environment, by the names that all such tools use. Files are fetched whole,
compared with their checksums, and kept for a while beside: what is read twice is fetched once.
"""

import contextlib
import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

from storage.archive.engine import library
from storage.archive.place import PlaceError
from storage.store import StorageError
from storage.values.archive_place import ArchivePlace

KEY, SECRET, SESSION = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
"""Names in the environment."""
_KEPT = 4 * 2**30
"""Bytes of fetched files that stay on this machine until the store is closed."""
_CONNECT, _ANSWER = timedelta(seconds=30), timedelta(seconds=120)
"""The longest time for a connection, and for a request with its answer."""
_SAID = re.compile(r"<Message>([^<\n]+)")
"""In an error, what the service says itself."""
_PART = 5 * 2**20
"""Bytes in one request, so that a slow line has enough time for it."""


def bucket_place(archive: ArchivePlace, environ: Mapping[str, str] = os.environ) -> "BucketPlace":
    """The place in the bucket that settings name. StorageError without keys to it."""
    missing = [name for name in (KEY, SECRET) if not environ.get(name)]
    if missing:
        raise StorageError(
            f"archive {archive.shown}: its keys are missing: set {' and '.join(missing)} in the "
            "environment"
        )
    bucket, _, prefix = archive.bucket.partition("/")
    store = library("obstore.store").S3Store(
        bucket,
        prefix=prefix or None,
        access_key_id=environ[KEY],
        secret_access_key=environ[SECRET],
        **({"session_token": environ[SESSION]} if environ.get(SESSION) else {}),
        region=archive.region or "us-east-1",
        endpoint=archive.endpoint,
        # Else variables of the environment would name another service, or leave the keys out.
        aws_endpoint_url_s3=archive.endpoint,
        skip_signature=False,
        virtual_hosted_style_request=False,
        # Not every service knows the request that deletes many files.
        disable_bulk_delete=True,
        client_options={
            "allow_http": archive.endpoint.startswith("http://"),
            "connect_timeout": _CONNECT,
            "timeout": _ANSWER,
        },
        retry_config={"max_retries": 2, "retry_timeout": _CONNECT},
    )
    return BucketPlace(archive, store)


class BucketPlace:
    """Implements `storage.archive.place.Place`."""

    stale = 2.0

    def __init__(self, archive: ArchivePlace, store: Any) -> None:
        """`store` is one of obstore's."""
        self.shown = archive.shown
        self._store = store
        self._obstore = library("obstore")
        self._failures = (OSError, library("obstore.exceptions").BaseError)
        self._fetched = tempfile.TemporaryDirectory(prefix="shutwatch-fetched-")
        self._lock = threading.Lock()

    def names(self, folder: str) -> dict[str, str]:
        with self._errors("cannot be listed"):
            found = self._obstore.list_with_delimiter(self._store, folder)["objects"]
            return {
                one["path"]: f"{one['e_tag']} {one['last_modified']} {one['size']}"
                for one in sorted(found, key=itemgetter("path"))
                # Some tools mark a folder by an empty file of its name.
                if one["path"] != folder
            }

    def read(self, name: str) -> bytes:
        with self._errors(f"{name} cannot be read"):
            try:
                return bytes(self._obstore.get(self._store, name).bytes())
            except FileNotFoundError:
                return b""

    def write(self, name: str, content: bytes) -> None:
        self._put(name, content)

    def put(self, name: str, made: Path) -> None:
        self._put(name, made)

    def _put(self, name: str, what: bytes | Path) -> None:
        with self._errors(f"{name} cannot be written"):
            self._obstore.put(self._store, name, what, chunk_size=_PART, max_concurrency=1)

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
            # Some of it with each request: a whole one may take longer than a request may.
            stream = self._obstore.open_reader(self._store, name, buffer_size=_PART)
            with aside.open("wb") as out:
                while chunk := stream.read(_PART):
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
        with (
            self._errors(f"{name} cannot be deleted"),
            contextlib.suppress(FileNotFoundError),
        ):
            self._obstore.delete(self._store, name)

    def close(self) -> None:
        self._fetched.cleanup()

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
        except self._failures as error:
            said = _SAID.search(str(error))
            reason = said[1] if said else str(error).splitlines()[0].rpartition(" - ")[2]
            raise PlaceError(f"archive {self.shown}: {what}: {reason}") from error
