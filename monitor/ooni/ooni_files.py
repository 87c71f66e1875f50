"""Reads OONI files: one object in a file or one on each line, plain or gzip."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import msgspec

from monitor.ooni.ooni_format import OoniError

_GZIP = b"\x1f\x8b"
LONGEST = 64 * 1024 * 1024
"""Largest accepted measurement in bytes."""


def measurements_in(path: Path) -> Iterator[tuple[str, bytes]]:
    """Each measurement's text, with its position (`file`, or `file:line`).

    Raises OoniError for an invalid file and OSError for an unreadable one. Holds one measurement in
    memory.
    """
    with open_unpacked(path) as stream:
        try:
            first = _line(stream, path, 1).removeprefix(codecs.BOM_UTF8)
            if _whole(first):
                yield from _lines(stream, path, first)
            else:
                rest = stream.read(LONGEST)
                if stream.read(1):
                    raise OoniError(f"more than {LONGEST} bytes, and not one object a line")
                yield str(path), first + rest
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise OoniError(f"a damaged gzip file: {error}") from error


def open_unpacked(path: Path) -> IO[bytes]:
    """A file's bytes, unpacked when it is gzip. Raises OSError."""
    with path.open("rb") as plain:
        packed = plain.read(len(_GZIP)) == _GZIP
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


def _lines(stream: IO[bytes], path: Path, first: bytes) -> Iterator[tuple[str, bytes]]:
    line, number, alone = first, 1, True
    while line:
        following, next_number = _next_line(stream, path, number)
        alone = alone and not following
        yield (str(path) if alone else f"{path}:{number}"), line
        line, number = following, next_number


def _next_line(stream: IO[bytes], path: Path, number: int) -> tuple[bytes, int]:
    """The next line that is not blank, and its number; empty at the end."""
    line = b"\n"
    while line and not line.strip():
        number += 1
        line = _line(stream, path, number)
    return line, number


def _line(stream: IO[bytes], path: Path, number: int) -> bytes:
    line = stream.readline(LONGEST)
    if len(line) == LONGEST:
        raise OoniError(f"line {number} of {path.name} has more than {LONGEST} bytes")
    return line


def _whole(line: bytes) -> bool:
    """Whether a first line is a whole object, so that each further line is another."""
    try:
        msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
