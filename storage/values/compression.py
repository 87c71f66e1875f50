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

from storage.values.zstandard import zstd

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
"""Most bytes that a frame may hold: 64 MiB, far more than is ever compressed here."""
_OPTIONS: dict[int, int] = {
    zstd.CompressionParameter.compression_level: 1,
    zstd.CompressionParameter.checksum_flag: 1,
}
# Made by tests/lab/dictionary.py. It must never change: without it, stored data is lost.
_DICTIONARY = zstd.ZstdDict(files("storage.values").joinpath("looks.dictionary").read_bytes())
_DICTIONARIES = {0: None, _DICTIONARY.dict_id: _DICTIONARY}
"""By the id in a frame, which is 0 in a frame without one."""


class PackingError(Exception):
    """The bytes are no whole stream of their kind."""


class _Packer(threading.local):
    """One for each thread, since making it costs more than using it."""

    def __init__(self) -> None:
        self.packer = zstd.ZstdCompressor(options=_OPTIONS, zstd_dict=_DICTIONARY)


_local = _Packer()


def pack(plain: bytes) -> bytes:
    """A Zstandard frame of `plain`, with its length and a checksum."""
    return _local.packer.compress(plain, zstd.ZstdCompressor.FLUSH_FRAME)


def unpack(packed: bytes) -> bytes:
    """The content of such a frame, or of a zlib stream. Raises PackingError."""
    try:
        if not packed.startswith(_ZSTANDARD):
            return zlib.decompress(packed)
        dictionary = zstd.get_frame_info(packed).dictionary_id
        if dictionary not in _DICTIONARIES:
            raise PackingError(f"this version has no dictionary {dictionary}")
        unpacker = zstd.ZstdDecompressor(_DICTIONARIES[dictionary])
        plain = unpacker.decompress(packed, _LARGEST)
    except (zlib.error, zstd.ZstdError) as error:
        raise PackingError(str(error)) from error
    if not unpacker.eof or unpacker.unused_data:
        raise PackingError("it is not one whole frame of at most 64 MiB")
    return plain


def gunzip(packed: bytes, most: int) -> tuple[bytes, bool]:
    """The first `most` bytes in a gzip stream, and whether it was one whole stream with nothing
    after it. Raises PackingError."""
    stream = _GUNZIP.decompressobj(_GZIP)
    try:
        plain: bytes = stream.decompress(packed, most)
    except _GUNZIP.error as error:
        raise PackingError(str(error)) from error
    return plain, stream.eof and not stream.unused_data
