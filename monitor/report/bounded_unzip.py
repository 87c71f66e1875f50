"""The contents of one file of a report, a piece at a time and within bounds."""

import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from monitor.report.archive import packed_bytes

LONGEST_LINE = 64 * 2**20
"""Bytes; a measurement of ours holds a page or two."""
_PIECE = 1 << 20
"""Bytes that are unpacked at a time."""


class NotAsMadeError(Exception):
    """The report is not as it was made; the message names the file that differs, and how."""


def unpacked(raw: BinaryIO, info: zipfile.ZipInfo) -> Iterator[tuple[bytes, bytes]]:
    """Packed bytes, each once, and what they unpack to, a piece at a time. NotAsMadeError."""
    if info.compress_type == zipfile.ZIP_STORED:
        yield from ((chunk, chunk) for chunk in packed_bytes(raw, info))
        return
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for chunk in packed_bytes(raw, info):
            yield chunk, unpacker.decompress(chunk, _PIECE)
            while unpacker.unconsumed_tail and not unpacker.eof:
                yield b"", unpacker.decompress(unpacker.unconsumed_tail, _PIECE)
        yield b"", unpacker.flush()
    except zlib.error as error:
        raise NotAsMadeError(f"{info.filename} was changed: it cannot be unpacked") from error


def lines(raw: BinaryIO, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The lines of a file, without their ends. NotAsMadeError, also for one that is too long."""
    kept: list[bytes] = []
    size = 0
    for _, data in unpacked(raw, info):
        *whole, rest = data.split(b"\n")
        for line in whole:
            yield b"".join((*kept, line))
            kept, size = [], 0
        kept.append(rest)
        size += len(rest)
        if size > LONGEST_LINE:
            raise NotAsMadeError(f"{info.filename} has a line longer than any of ours")
    if size:
        yield b"".join(kept)
