"""Unpack a body as it was sent, up to a limit of bytes."""

from monitor.wire.answers import Reason
from monitor.wire.batch import ENCODINGS
from monitor.wire.refusal import Refused, malformed
from storage.values.compression import PackingError, gunzip
from storage.values.zstandard import zstd

_OPTIONS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}
"""Every decoder must support a window of 8 MiB (RFC 8878); that is the limit here."""


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
    except (PackingError, zstd.ZstdError):
        raise malformed(f"the body is no {encoding} that can be read") from None
    if len(unpacked) > most:
        raise Refused(Reason.OVERSIZE, f"more than {most} bytes when unpacked")
    if not whole:
        raise malformed(f"the body is not one whole stream of {encoding}")
    return unpacked


def _unzstd(body: bytes, most: int) -> tuple[bytes, bool]:
    packed = zstd.ZstdDecompressor(options=_OPTIONS)
    unpacked = packed.decompress(body, most + 1)
    return unpacked, packed.eof and not packed.unused_data
