"""The archive: files in a fixed order with fixed times, a manifest, and its signature.

A plain ZIP file that any program opens. It can be checked to the last byte because there is only
one way to write it: nothing before, between or after the files, no comments, no extra fields. The
manifest is the last file but one, and has the SHA-256 of every file and of its packed bytes; the
last file is the manifest's signature. Only seals of others may follow it (`monitor.report.seals`).
"""

import hashlib
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.keys.keys import fingerprint, public_text, sign

MANIFEST, SIGNATURE = "MANIFEST.json", "MANIFEST.sig"
PURPOSE = b"shutwatch report manifest 1\n"
"""Signed in front of the manifest, so that the signature is valid for nothing else."""
FORMAT = "shutwatch-report-1"
LARGEST = 2**31 - 1
"""Bytes of a file, and of the archive: a larger ZIP file has another form."""
MOST_RATIO = 200
"""Most bytes that one packed byte may unpack to: far more than our data needs."""
FREE = 1_000_000
"""Bytes of a file up to which no ratio is checked."""
_CHUNK = 1 << 20
_LEVEL = 6
_DEFLATED = zipfile.ZIP_DEFLATED


class TooLargeError(Exception):
    """A file or the archive would be too large; the message names it."""


class FileEntry(msgspec.Struct, frozen=True):
    """One file in the manifest."""

    name: str
    size: int
    sha256: str
    """Of the unpacked file."""
    packed_size: int
    packed_sha256: str
    """Of its bytes in the archive."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the archive, and which key signed it."""

    format: str
    made_by: str
    """Program and version."""
    rules_versions: tuple[str, ...]
    generated_at: str
    country: str
    platform: str
    since: str
    until: str
    public_key: str
    """Ed25519, base64 of 32 bytes."""
    fingerprint: str
    """SHA-256 of the public key."""
    files: tuple[FileEntry, ...]


def entry(name: str, method: int = _DEFLATED) -> zipfile.ZipInfo:
    """The entry of a file of that name, the same at any time and on any machine."""
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type = method
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def write_archive(
    out: Path, folder: Path, names: Sequence[str], about: dict[str, Any], key: Ed25519PrivateKey
) -> Manifest:
    """Pack the files `names` of `folder` into `out`, in that order, and sign them.

    `about` are the manifest's fields but for the key's and the files'. Raises TooLargeError, and
    OSError.
    """
    public = public_text(key)
    try:
        with zipfile.ZipFile(out, "w") as archive:
            for name in names:
                _pack(archive, folder / name, name)
        with zipfile.ZipFile(out) as archive, out.open("rb") as raw:
            files = tuple(_entry_of(archive, raw, info) for info in archive.infolist())
        manifest = Manifest(
            format=FORMAT,
            public_key=public,
            fingerprint=fingerprint(public),
            files=files,
            **about,
        )
        text = manifest_text(manifest)
        with zipfile.ZipFile(out, "a") as archive:
            archive.writestr(entry(MANIFEST, zipfile.ZIP_STORED), text)
            signature = f"{sign(key, PURPOSE, text)}\n"
            archive.writestr(entry(SIGNATURE, zipfile.ZIP_STORED), signature)
    except zipfile.LargeZipFile as error:
        raise TooLargeError(f"the report would be too large: {error}") from error
    if out.stat().st_size > LARGEST:
        raise TooLargeError("the report would be larger than 2 GiB")
    return manifest


def manifest_text(manifest: Manifest) -> bytes:
    """The manifest as it is in the archive."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def _pack(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    size = path.stat().st_size
    if size > LARGEST:
        raise TooLargeError(f"{name} would be larger than 2 GiB")
    info = entry(name, zipfile.ZIP_STORED if _packs_like_a_trap(path, size) else _DEFLATED)
    info.file_size = size
    with path.open("rb") as source, archive.open(info, "w") as target:
        shutil.copyfileobj(source, target, _CHUNK)


def _packs_like_a_trap(path: Path, size: int) -> bool:
    """Whether a file packs so well that `verify` would take it for a trap. A server that we test
    can send the same letter half a million times; that must not prevent a report."""
    if size <= FREE:
        return False
    packer, packed = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS), 0
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK):
            packed += len(packer.compress(chunk))
    return is_trap(size, packed + len(packer.flush()))


def is_trap(size: int, packed: int) -> bool:
    """Whether the ratio of unpacked to packed bytes is that of a trap."""
    return size > FREE + MOST_RATIO * packed


def _entry_of(archive: zipfile.ZipFile, raw: BinaryIO, info: zipfile.ZipInfo) -> FileEntry:
    unpacked, packed = hashlib.sha256(), hashlib.sha256()
    with archive.open(info) as source:
        while chunk := source.read(_CHUNK):
            unpacked.update(chunk)
    for chunk in packed_bytes(raw, info):
        packed.update(chunk)
    return FileEntry(
        name=info.filename,
        size=info.file_size,
        sha256=unpacked.hexdigest(),
        packed_size=info.compress_size,
        packed_sha256=packed.hexdigest(),
    )


def packed_bytes(raw: BinaryIO, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The packed bytes of a file in the archive, whose header must have our form."""
    raw.seek(info.header_offset + len(local_header(info)))
    left = info.compress_size
    while left > 0:
        chunk = raw.read(min(left, _CHUNK))
        if not chunk:
            return
        left -= len(chunk)
        yield chunk


def local_header(info: zipfile.ZipInfo) -> bytes:
    """The header in front of a file's bytes, from its name, method, checksum and sizes alone.

    APPNOTE.TXT of PKWARE, 4.3.7.
    """
    name = info.filename.encode("ascii")
    return (
        struct.pack(
            "<4s5H3L2H",
            *(b"PK\x03\x04", 20, 0, info.compress_type, 0, _DATE),
            *(info.CRC, info.compress_size, info.file_size, len(name), 0),
        )
        + name
    )


_DATE = 0x21
"""The first of January 1980, as MS-DOS writes it."""


def directory(infos: Sequence[zipfile.ZipInfo]) -> list[tuple[str, bytes]]:
    """The table of contents at the end, from the same, with the name of the file of each entry.

    APPNOTE.TXT, 4.3.12 and 4.3.16. The last part, which ends the archive, has no name.
    """
    parts = []
    offset = 0
    for info in infos:
        name = info.filename.encode("ascii")
        head = struct.pack(
            "<4s6H3L5H2L",
            *(b"PK\x01\x02", 20 | 3 << 8, 20, 0, info.compress_type, 0, _DATE),
            *(info.CRC, info.compress_size, info.file_size, len(name), 0, 0, 0, 0),
            *(0o644 << 16, offset),
        )
        parts.append((info.filename, head + name))
        offset += len(local_header(info)) + info.compress_size
    size = sum(len(part) for _, part in parts)
    count = len(infos)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, size, offset, 0)
    return [*parts, ("", end)]
