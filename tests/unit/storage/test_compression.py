"""What is packed comes out again, whoever packed it; what is broken is told."""

import zlib
from hashlib import sha256
from importlib.resources import files

import pytest

from storage.values.compression import PackingError, gunzip, pack, unpack
from storage.values.zstandard import zstd
from tests.lab.dictionary import trained

PLAIN = b'[{"layer":"tcp","start":0.01,"duration":0.02,"address":"203.0.113.7","port":443}]' * 20


@pytest.mark.parametrize("plain", [b"", b"[]", PLAIN, PLAIN * 4000])
def test_what_is_packed_comes_out_again(plain: bytes) -> None:
    """Nothing, little, and much."""
    assert unpack(pack(plain)) == plain
    assert len(pack(plain)) <= len(plain) + 20


def test_what_earlier_versions_packed_is_read() -> None:
    """They wrote zlib streams, of every level."""
    for level in (0, 1, 9):
        assert unpack(zlib.compress(PLAIN, level)) == PLAIN


def test_what_was_packed_without_a_dictionary_is_read() -> None:
    """As one earlier version did."""
    assert (
        unpack(zstd.compress(PLAIN, options={zstd.CompressionParameter.checksum_flag: 1})) == PLAIN
    )


def test_the_dictionary_is_the_one_that_looks_were_packed_with() -> None:
    """Nothing that it packed can be read without it: a better one comes beside it."""
    dictionary = files("storage.values").joinpath("looks.dictionary").read_bytes()
    assert sha256(dictionary).hexdigest() == (
        "27bf4037573c6ae8bdfcfe4519ec6160426f8056519d42076f751c2c66b4cbc0"
    )
    looks = zstd.ZstdDict(dictionary)
    assert zstd.get_frame_info(pack(PLAIN)).dictionary_id == looks.dict_id == 1
    assert zstd.decompress(pack(PLAIN), looks) == PLAIN


def test_what_a_later_dictionary_packed_is_told() -> None:
    """By its number, so that one knows what is missing."""
    later = zstd.ZstdDict(trained([PLAIN[n:] for n in range(400)], 512, 7))
    packed = zstd.compress(PLAIN, zstd_dict=later)
    with pytest.raises(PackingError, match="no dictionary 7"):
        unpack(packed)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"nothing of the kind",
        pack(PLAIN)[:-1],
        pack(PLAIN)[:-9] + b"\0\0\0\0\0" + pack(PLAIN)[-4:],
        pack(PLAIN) + b"more",
        zlib.compress(PLAIN)[:-1],
        # A frame that says it stands for four gigabytes.
        b"\x28\xb5\x2f\xfd\xa0\xff\xff\xff\xff\x01\x00\x00",
    ],
)
def test_what_is_broken_is_told(broken: bytes) -> None:
    """Cut off, changed, with something behind it, or a bomb."""
    with pytest.raises(PackingError):
        unpack(broken)


def test_a_gzip_stream_is_read_as_far_as_asked() -> None:
    """And whether that was all of it is told."""
    packed = zlib.compressobj(wbits=31)
    stream = packed.compress(PLAIN) + packed.flush()
    assert gunzip(stream, len(PLAIN)) == (PLAIN, True)
    assert gunzip(stream, 10) == (PLAIN[:10], False)
    assert gunzip(stream + b"more", len(PLAIN)) == (PLAIN, False)
    with pytest.raises(PackingError):
        gunzip(b"nothing of the kind", 10)
