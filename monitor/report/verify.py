"""Check a report to the last byte, offline.

The file comes from a stranger. Nothing is unpacked to disk, memory holds little more than the
manifest, and nothing counts before the signature is checked: first the form, which accounts for
every byte, then the signature of the manifest, then every file against the manifest. Then the
append-only log is followed back to each head that was given away before, and where batches of
vantages are enclosed, the measurements are compared with what was signed, and the batches and keys
with the log. Last come the seals behind the signature: what others say about this report.
"""

import hashlib
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from monitor.keys.keys import fingerprint, signed_by
from monitor.report.archive import (
    FORMAT,
    LARGEST,
    MANIFEST,
    PURPOSE,
    SIGNATURE,
    FileEntry,
    Manifest,
    directory,
    is_trap,
    local_header,
    packed_bytes,
)
from monitor.report.batches import BATCHES, Signed
from monitor.report.bounded_unzip import NotAsMadeError, lines, unpacked
from monitor.report.log_file import LARGEST_LOG, LOG, CheckedLog, check_log
from monitor.report.seals import (
    LARGEST_SEAL,
    MOST_SEALS,
    Seals,
    Trusted,
    kind_of_seal,
    read_seals,
)
from monitor.report.verify_batches import check_batches

MOST_FILES = 1000
_LONGEST_NAME = 200
_LONGEST_ENTRY = 46 + _LONGEST_NAME
"""Bytes in the table of contents."""
_END = struct.Struct("<4s4H2LH")
"""APPNOTE.TXT of PKWARE, 4.3.16, without a comment."""
_MANIFEST_LIMIT = 1_000_000
"""Bytes."""
_SIGNATURE_LENGTH = 89
"""Of the last file: 64 bytes in base64, and a line end."""
_SAFE = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)
_SHOWN = 80
NOBODY = Trusted()
"""For a reader who knows nothing from elsewhere."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """A report that is as it was made."""

    manifest: Manifest
    text: bytes
    """The manifest itself, which the signature and all seals are about."""
    signed: Signed | None
    """What keys of vantages signed of it; None where no batch is enclosed."""
    log: CheckedLog | None
    """The maker's append-only log; None in reports from before there was one."""
    seals: Seals


def verify(path: Path, trusted: Trusted = NOBODY) -> Verified:
    """What the signed manifest of a report says, what keys of vantages signed of it, and what
    others say about it, when every byte is as it was made and every proof in it holds.

    `trusted` is what its reader knows from elsewhere. Raises NotAsMadeError; OSError when the file
    cannot be read.
    """
    with path.open("rb") as raw:
        infos, seals = _contents(raw)
        _check_form(raw, [*infos, *seals])
        text = _whole(raw, infos[-2])
        manifest = _manifest(text)
        signature = _whole(raw, infos[-1]).decode("ascii", "replace")
        if not signature.endswith("\n") or not signed_by(
            manifest.public_key, signature[:-1], PURPOSE, text
        ):
            raise NotAsMadeError(
                f"{MANIFEST} or {SIGNATURE} was changed: the signature does not fit"
            )
        _check_names(infos[:-2], manifest)
        for info, listed in zip(infos[:-2], manifest.files, strict=True):
            _check_file(raw, info, listed)
        named = {info.filename: info for info in infos[:-2]}

        def lines_of(name: str) -> Iterator[bytes]:
            if name not in named:
                raise NotAsMadeError(f"{name} is missing, which {BATCHES} needs")
            return lines(raw, named[name])

        log = check_log(list(_log_text(raw, named[LOG])), trusted) if LOG in named else None
        signed = check_batches(lines_of, manifest.platform, log) if BATCHES in named else None
        contents = [
            (info.filename, kind_of_seal(info.filename, number), _whole(raw, info))
            for number, info in enumerate(seals, 1)
        ]
    said = read_seals(contents, text, trusted)
    return Verified(manifest=manifest, text=text, signed=signed, log=log, seals=said)


def _log_text(raw: BinaryIO, info: zipfile.ZipInfo) -> Iterator[bytes]:
    if info.file_size > LARGEST_LOG:
        raise NotAsMadeError(f"{LOG} is larger than any log of ours")
    for _, data in unpacked(raw, info):
        yield data


def _contents(raw: BinaryIO) -> tuple[list[zipfile.ZipInfo], list[zipfile.ZipInfo]]:
    """The table of contents up to the signature, and the seals behind it, with names that are
    harmless and all different."""
    size = raw.seek(0, 2)
    if size > LARGEST:
        raise NotAsMadeError("larger than any report")
    # Before a library reads a table of contents of whatever length.
    raw.seek(max(0, size - _END.size))
    tail = raw.read()
    if len(tail) != _END.size or not tail.startswith(b"PK\x05\x06"):
        raise NotAsMadeError("its end is damaged or missing, or it is no report")
    *_, count, length, _, _ = _END.unpack(tail)
    if count > MOST_FILES or length > MOST_FILES * _LONGEST_ENTRY:
        raise NotAsMadeError(f"it holds {count} files, more than any report")
    try:
        with zipfile.ZipFile(raw) as archive:
            infos = archive.infolist()
    except (
        zipfile.BadZipFile,
        ValueError,
        NotImplementedError,
        struct.error,
        OverflowError,
        EOFError,
    ) as error:
        raise NotAsMadeError(
            f"its end, the table of contents, is damaged or it is no ZIP file ({error})"
        ) from error
    seen: set[str] = set()
    for info in infos:
        shown = repr(info.orig_filename[:_SHOWN])
        if len(info.filename) > _LONGEST_NAME or not _SAFE.fullmatch(info.orig_filename):
            raise NotAsMadeError(f"{shown} is no name that a report has")
        if info.filename in seen:
            raise NotAsMadeError(f"{shown} is there twice")
        seen.add(info.filename)
    missing = [name for name in (MANIFEST, SIGNATURE) if name not in seen]
    if missing:
        raise NotAsMadeError(f"{missing[0]} is missing")
    end = 1 + max(n for n, info in enumerate(infos) if info.filename == SIGNATURE)
    if [info.filename for info in infos[end - 2 : end]] != [MANIFEST, SIGNATURE]:
        raise NotAsMadeError(f"{infos[end - 2].filename} was added: {MANIFEST} comes before")
    for number, info in enumerate(infos[end:], 1):
        if not kind_of_seal(info.filename, number) or number > MOST_SEALS:
            raise NotAsMadeError(
                f"{info.filename} was added: only seals, numbered from 01, follow {SIGNATURE}"
            )
    return infos[:end], infos[end:]


def _check_form(raw: BinaryIO, infos: list[zipfile.ZipInfo]) -> None:
    """Whether the archive is written in the one way there is, so that no byte is left over."""
    offset = 0
    for info in infos:
        ours = info.filename in (MANIFEST, SIGNATURE) or info.filename.startswith("seals/")
        methods = (zipfile.ZIP_STORED,) if ours else (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        if info.compress_type not in methods:
            raise NotAsMadeError(f"{info.filename} was packed anew, by another method")
        if info.header_offset != offset:
            raise NotAsMadeError(f"{info.filename} is not where it was put: something is between")
        _expect(raw, offset, local_header(info), info.filename)
        offset += len(local_header(info)) + info.compress_size
    for name, part in directory(infos):
        _expect(raw, offset, part, name or "the end of the archive")
        offset += len(part)
    if raw.seek(0, 2) != offset:
        raise NotAsMadeError("something was added behind the end of the archive")


def _expect(raw: BinaryIO, offset: int, wanted: bytes, name: str) -> None:
    raw.seek(offset)
    if raw.read(len(wanted)) != wanted:
        raise NotAsMadeError(f"{name}: its entry in the archive was changed")


def _whole(raw: BinaryIO, info: zipfile.ZipInfo) -> bytes:
    """One of the small files that are stored as they are."""
    limit = {MANIFEST: _MANIFEST_LIMIT, SIGNATURE: _SIGNATURE_LENGTH}.get(
        info.filename, LARGEST_SEAL
    )
    if info.file_size > limit or info.file_size != info.compress_size:
        raise NotAsMadeError(f"{info.filename} was changed: it is too long")
    text = b"".join(packed_bytes(raw, info))
    if zlib.crc32(text) != info.CRC:
        raise NotAsMadeError(f"{info.filename} was changed")
    return text


def _manifest(text: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
        digits = fingerprint(manifest.public_key)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise NotAsMadeError(f"{MANIFEST} was changed: it cannot be read ({error})") from error
    if manifest.format != FORMAT:
        raise NotAsMadeError(f"{MANIFEST}: a format this version does not know")
    if manifest.fingerprint != digits:
        raise NotAsMadeError(f"{MANIFEST} was changed: the fingerprint is of another key")
    return manifest


def _check_names(infos: list[zipfile.ZipInfo], manifest: Manifest) -> None:
    there = [info.filename for info in infos]
    listed = [one.name for one in manifest.files]
    for name in listed:
        if name not in there:
            raise NotAsMadeError(f"{name!r} is missing")
    for name in there:
        if name not in listed:
            raise NotAsMadeError(f"{name} was added")
    if there != listed:
        raise NotAsMadeError("the files are in another order")


def _check_file(raw: BinaryIO, info: zipfile.ZipInfo, listed: FileEntry) -> None:
    """One file against what is signed of it, without ever unpacking more than is signed."""
    if (info.compress_size, info.file_size) != (listed.packed_size, listed.size):
        raise NotAsMadeError(f"{info.filename} was changed: it has another size")
    if is_trap(listed.size, listed.packed_size):
        raise NotAsMadeError(f"{info.filename} would unpack to {listed.size} bytes: a trap")
    packed, whole = hashlib.sha256(), hashlib.sha256()
    size = checksum = 0
    for chunk, data in unpacked(raw, info):
        packed.update(chunk)
        whole.update(data)
        checksum = zlib.crc32(data, checksum)
        size += len(data)
        if size > listed.size:
            raise NotAsMadeError(f"{info.filename} was changed: it is longer than it was")
    if packed.hexdigest() != listed.packed_sha256:
        raise NotAsMadeError(f"{info.filename} was changed")
    if whole.hexdigest() != listed.sha256:
        raise NotAsMadeError(f"{info.filename} was changed: it is not what is signed")
    if checksum != info.CRC:
        raise NotAsMadeError(f"{info.filename}: its checksum in the archive was changed")
