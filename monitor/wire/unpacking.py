"""A body as it was sent → the bytes it stands for, never more of them than asked for."""

import zstandard

from monitor.wire.answers import Reason
from monitor.wire.batch import ENCODINGS
from monitor.wire.refusal import Refused, malformed
from storage.values.compression import PackingError, gunzip

_WINDOW = 8 * 2**20
"""Bytes that a decoder of zstd must be able to look back (RFC 8878); more is not granted."""
_BITE = 1024
"""Bytes of zstd at a time: they may stand for 128 KiB for each four of them."""


def unpack(body: bytes, encoding: str, most: int) -> bytes:
    """The body unpacked. Refused for another encoding, for what is more than `most` bytes, for
    what ends in mid-stream, and for anything behind its end."""
    if encoding not in ENCODINGS:
        raise malformed(f"Content-Encoding is none of {', '.join(ENCODINGS)}")
    if encoding == "identity":
        unpacked, whole = body, True
    elif encoding == "gzip":
        unpacked, whole = _gunzip(body, most)
    else:
        unpacked, whole = _unzstd(body, most)
    if len(unpacked) > most:
        raise Refused(Reason.OVERSIZE, f"more than {most} bytes when unpacked")
    if not whole:
        raise malformed(f"the body is not one whole stream of {encoding}")
    return unpacked


def _gunzip(body: bytes, most: int) -> tuple[bytes, bool]:
    try:
        return gunzip(body, most + 1)
    except PackingError:
        raise malformed("the body is no gzip") from None


def _unzstd(body: bytes, most: int) -> tuple[bytes, bool]:
    packed = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
    unpacked = bytearray()
    try:
        for start in range(0, len(body), _BITE):
            if packed.eof:
                return bytes(unpacked), False
            unpacked += packed.decompress(body[start : start + _BITE])
            if len(unpacked) > most:
                break
    except zstandard.ZstdError:
        raise malformed("the body is no zstd that can be read") from None
    return bytes(unpacked), packed.eof and not packed.unused_data
