"""Reads OONI files: one object in a file or one on each line, plain or gzip."""

import codecs
import gzip
import itertools
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import msgspec

from monitor.ooni.ooni_format import OoniError

_GZIP = b"\x1f\x8b"
_OTHERS = (
    (b"\x28\xb5\x2f\xfd", "zstd", "unzstd"),
    (b"\xfd7zXZ\x00", "xz", "unxz"),
    (b"BZh", "bzip2", "bunzip2"),
    (b"PK\x03\x04", "zip", "unzip"),
)
"""How files of another packing begin, its name and what unpacks it."""
_TAR_AT, _TAR = 257, b"ustar"
LONGEST = 64 * 1024 * 1024
"""Largest accepted measurement in bytes."""


def measurements_in(path: Path) -> Iterator[tuple[str, bytes]]:
    """Each measurement's text, with its position (`file`, or `file:line`).

    Raises OoniError for an invalid file and OSError for an unreadable one. Holds one measurement in
    memory.
    """
    with unpacked(path) as stream:
        lines = _lines(stream, path)
        head: list[tuple[int, bytes]] = []
        size = 0
        for number, line in lines:
            head.append((number, line))
            if _one_a_line(head[0][1], line, alone=len(head) == 1):
                break
            size += len(line)
            if size > LONGEST:
                raise OoniError(f"more than {LONGEST} bytes, and not one object a line")
        else:  # one object on several lines, or none
            yield str(path), b"".join(line for _, line in head)
            return
        head += itertools.islice(lines, 1)
        for number, line in itertools.chain(head, lines):
            yield (f"{path}:{number}" if len(head) > 1 else str(path)), line


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """A file's bytes, unpacked when it is gzip. Opens it once, since a pipe gives them once.

    Raises OSError, and OoniError for a damaged file or another packing, also while it is read.
    """
    with path.open("rb") as plain:
        begin = plain.peek(_TAR_AT)
        for sign, packing, tool in _OTHERS:
            if begin.startswith(sign):
                raise OoniError(f"packed with {packing}: unpack it first, `{tool} {path.name}`")
        try:
            stream = gzip.GzipFile(fileobj=plain) if begin.startswith(_GZIP) else plain
            if stream.peek(_TAR_AT + len(_TAR))[_TAR_AT:].startswith(_TAR):
                raise OoniError(f"a tar archive: unpack it first, `tar -xf {path.name}`")
            yield cast("IO[bytes]", stream)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise OoniError(f"a damaged gzip file: {error}") from error


def _lines(stream: IO[bytes], path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers."""
    for number in itertools.count(1):
        line = stream.readline(LONGEST)
        if not line:
            return
        if len(line) == LONGEST:
            raise OoniError(f"line {number} of {path.name} has more than {LONGEST} bytes")
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.strip():
            yield number, line


def _one_a_line(first: bytes, line: bytes, *, alone: bool) -> bool:
    """Whether a line shows that each is an object of its own: it is a whole one, and a measurement
    if others stand before it. A list of measurements is one document."""
    if not alone and (b"test_name" not in line or first.lstrip().startswith(b"[")):
        return False
    try:
        msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True
