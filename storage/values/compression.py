"""Compression of stored observations, and decompression of what agents send.

Each measurement is compressed by itself, which was a third of the cost of receiving it. Zstandard
takes a quarter of the time of Python's zlib, and with a dictionary of what most measurements hold a
sixth, for little more than half the size. Each frame names its dictionary, so frames with another
or none are read as well. Old databases hold zlib streams, which begin with another byte. ISA-L
reads gzip bodies where it is installed.
"""

import threading
import zlib
from importlib.resources import files
from typing import Any

import zstandard

_GUNZIP: Any
try:
    from isal import isal_zlib
except ImportError:  # no wheel for this kind of machine
    _GUNZIP = zlib
else:
    _GUNZIP = isal_zlib
_GZIP = 16 + zlib.MAX_WBITS
_ZSTANDARD = b"\x28\xb5\x2f\xfd"
"""The first bytes of a frame (RFC 8878); a zlib stream never begins with them."""
_LARGEST = 64 * 2**20
"""Most bytes that a frame may hold: far more than is ever compressed here."""
_LEVEL = 1
_DICTIONARY = zstandard.ZstdCompressionDict(
    # Made by tests/lab/dictionary.py. It must never change: without it, stored data is lost.
    files("storage.values").joinpath("looks.dictionary").read_bytes(),
    dict_type=zstandard.DICT_TYPE_FULLDICT,
)
_DICTIONARY.precompute_compress(level=_LEVEL)
_NONE = 0
"""Stands for the id of a dictionary in a frame without one."""


class PackingError(Exception):
    """The bytes are no whole stream of their kind."""


class _Tools(threading.local):
    """One set for each thread, since making them costs more than using them."""

    def __init__(self) -> None:
        self.packer = zstandard.ZstdCompressor(
            level=_LEVEL, dict_data=_DICTIONARY, write_checksum=True
        )
        self.unpackers = {
            _NONE: zstandard.ZstdDecompressor(),
            _DICTIONARY.dict_id(): zstandard.ZstdDecompressor(dict_data=_DICTIONARY),
        }


_tools = _Tools()


def pack(plain: bytes) -> bytes:
    """A Zstandard frame of `plain`, with its length and a checksum."""
    return _tools.packer.compress(plain)


def unpack(packed: bytes) -> bytes:
    """The content of such a frame, or of a zlib stream. Raises PackingError."""
    try:
        if not packed.startswith(_ZSTANDARD):
            return zlib.decompress(packed)
        frame = zstandard.get_frame_parameters(packed)
        if frame.content_size > _LARGEST:
            raise PackingError("it holds more than was ever compressed here")
        unpacker = _tools.unpackers.get(frame.dict_id)
        if unpacker is None:
            raise PackingError(f"this version has no dictionary {frame.dict_id}")
        return unpacker.decompress(packed, allow_extra_data=False)
    except (zlib.error, zstandard.ZstdError) as error:
        raise PackingError(str(error)) from error


def gunzip(packed: bytes, most: int) -> tuple[bytes, bool]:
    """The first `most` bytes in a gzip stream, and whether it was one whole stream with nothing
    after it. Raises PackingError."""
    stream = _GUNZIP.decompressobj(_GZIP)
    try:
        plain: bytes = stream.decompress(packed, most)
    except _GUNZIP.error as error:
        raise PackingError(str(error)) from error
    return plain, stream.eof and not stream.unused_data
