"""Unpack a body as it was sent, up to a limit of bytes."""

import zstandard

from monitor.wire.answers import Reason
from monitor.wire.batch import ENCODINGS
from monitor.wire.refusal import Refused, malformed
from storage.values.compression import PackingError, gunzip

_WINDOW = 8 * 2**20
"""Bytes of the window that every zstd decoder must support (RFC 8878); the limit here."""
_STEP = 1024
"""Bytes of zstd to unpack at a time: every 4 bytes may unpack to 128 KiB."""


def unpack(body: bytes, encoding: str, most: int) -> bytes:
    """The body unpacked.

    Raises Refused for another encoding, for more than `most` bytes, and for a stream that is cut or
    has bytes after its end.
    """
    if encoding not in ENCODINGS:
        raise malformed(f"Content-Encoding is none of {', '.join(ENCODINGS)}")
    try:
        if encoding == "identity":
            unpacked, whole = body, True
        elif encoding == "gzip":
            unpacked, whole = gunzip(body, most + 1)
        else:
            unpacked, whole = _unzstd(body, most)
    except (PackingError, zstandard.ZstdError):
        raise malformed(f"the body is no {encoding} that can be read") from None
    if len(unpacked) > most:
        raise Refused(Reason.OVERSIZE, f"more than {most} bytes when unpacked")
    if not whole:
        raise malformed(f"the body is not one whole stream of {encoding}")
    return unpacked


def _unzstd(body: bytes, most: int) -> tuple[bytes, bool]:
    packed = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
    unpacked = bytearray()
    for start in range(0, len(body), _STEP):
        if packed.eof:
            return bytes(unpacked), False
        unpacked += packed.decompress(body[start : start + _STEP])
        if len(unpacked) > most:
            break
    return bytes(unpacked), packed.eof and not packed.unused_data
