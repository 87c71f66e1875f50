"""Files in which others say something about a report: who else vouches for it, and since when.

They follow the signature of the manifest, since they are about the manifest, and so about every
file. Each is in the form that its own kind has, so that other programs can check it too:

- `seals/01.json`, a countersignature of an organisation;
- `seals/02.tsr`, the reply of a time authority (RFC 3161);
- `seals/03.ots`, a proof of OpenTimestamps.

Anybody may add one, and anybody may remove one. None says more than that whoever made it had this
manifest.
"""

import hashlib
import re
import shutil
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.export.output_file import filled_file
from monitor.keys.keys import fingerprint, public_text, sign, signed_by
from monitor.report.archive import entry
from monitor.report.bounded_unzip import NotAsMadeError
from monitor.stamps.opentimestamps import Block, block_of, read_proof
from monitor.stamps.time_authority import StampError, read_reply
from storage.values.times import text_time, time_text

COUNTERSIGNATURE, RFC3161, OPENTIMESTAMPS = "json", "tsr", "ots"
"""Kinds, as the files end."""
MOST_SEALS = 99
LARGEST_SEAL = 65_536
"""Bytes."""
LONGEST_TEXT = 200
"""Characters of a name and of a note."""
_NAME = re.compile(r"seals/(\d\d)\.(json|tsr|ots)", re.ASCII)
_PURPOSE = b"shutwatch report countersignature 1\n"


class Countersignature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a second organisation signs: that it had this manifest, and how it is called."""

    manifest_sha256: str
    name: str
    """As the signer calls itself; only its fingerprint shows who it is."""
    note: str = ""
    signed_at: str
    """UTC, by the signer's own clock."""
    public_key: str
    """Ed25519, base64 of 32 bytes."""
    fingerprint: str
    """SHA-256 of the public key."""
    signature: str = ""
    """Base64."""

    @property
    def text(self) -> bytes:
        """What is signed."""
        return msgspec.json.encode(msgspec.structs.replace(self, signature=""))


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """By when some data existed."""

    trusted: datetime | None = None
    """The earliest time that an authority under the reader's roots, or a block, says; UTC."""
    claimed: datetime | None = None
    """The earliest that an authority says which the reader has not said to trust."""
    block: Block | None = None
    """The block, where it says the earliest."""
    heights: tuple[int, ...] = ()
    """Blocks that proofs lead to and whose headers the reader did not give."""
    pending: int = 0
    """Proofs without a block yet."""


class Seals(msgspec.Struct, frozen=True, kw_only=True):
    """What others say about a report, each of it checked."""

    countersignatures: tuple[Countersignature, ...] = ()
    times: Times = Times()
    proofs: tuple[bytes, ...] = ()
    """Those of OpenTimestamps, as they are."""


class Trusted(msgspec.Struct, frozen=True, kw_only=True):
    """What the reader knows from elsewhere."""

    roots: tuple[x509.Certificate, ...] = ()
    """Of time authorities."""
    headers: Mapping[int, bytes] = {}
    """Headers of blocks of Bitcoin by height."""


def kind_of_seal(name: str, number: int) -> str:
    """The kind of the seal of that number; empty for any other name."""
    found = _NAME.fullmatch(name)
    return found[2] if found and int(found[1]) == number else ""


def countersignature(
    key: Ed25519PrivateKey, manifest: bytes, *, name: str, note: str, at: datetime
) -> bytes:
    """A countersignature of a report, as its file holds it."""
    public = public_text(key)
    unsigned = Countersignature(
        manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        name=name,
        note=note,
        signed_at=time_text(at),
        public_key=public,
        fingerprint=fingerprint(public),
    )
    signature = sign(key, _PURPOSE, unsigned.text)
    return _encoded(msgspec.structs.replace(unsigned, signature=signature))


def _encoded(one: Countersignature) -> bytes:
    return msgspec.json.encode(one) + b"\n"


def read_seals(seals: Iterable[tuple[str, str, bytes]], manifest: bytes, trusted: Trusted) -> Seals:
    """What seals say, given by name, kind and content. Raises NotAsMadeError, which names the
    one that does not hold."""
    signed: dict[str, Countersignature] = {}
    stamps: list[tuple[str, str, bytes]] = []
    for name, kind, data in seals:
        if kind == COUNTERSIGNATURE:
            one = _countersignature(name, data, manifest)
            signed.setdefault(one.fingerprint, one)
        else:
            stamps.append((name, kind, data))
    times = times_of(stamps, manifest, trusted)
    proofs = tuple(data for _, kind, data in stamps if kind == OPENTIMESTAMPS)
    return Seals(countersignatures=tuple(signed.values()), times=times, proofs=proofs)


def _countersignature(name: str, data: bytes, manifest: bytes) -> Countersignature:
    try:
        one = msgspec.json.decode(data, type=Countersignature)
        digits = fingerprint(one.public_key)
        text_time(one.signed_at)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise NotAsMadeError(f"{name} was changed: it cannot be read ({error})") from error
    if _encoded(one) != data or digits != one.fingerprint:
        raise NotAsMadeError(f"{name} was changed: it is not as a countersignature is written")
    if max(len(one.name), len(one.note)) > LONGEST_TEXT:
        raise NotAsMadeError(f"{name} holds more text than a countersignature may")
    if one.manifest_sha256 != hashlib.sha256(manifest).hexdigest():
        raise NotAsMadeError(f"{name} countersigns another report")
    if not signed_by(one.public_key, one.signature, _PURPOSE, one.text):
        raise NotAsMadeError(f"{name} was changed: its signature does not fit")
    return one


def times_of(stamps: Iterable[tuple[str, str, bytes]], data: bytes, trusted: Trusted) -> Times:
    """What stamps of some data show, given by name, kind and content. Raises NotAsMadeError."""
    found: list[datetime] = []
    claimed: list[datetime] = []
    blocks: list[Block] = []
    heights: set[int] = set()
    pending = 0
    for name, kind, proof in stamps:
        try:
            if kind == RFC3161:
                stamp = read_reply(proof, data, trusted.roots)
                (found if stamp.trusted else claimed).append(stamp.at)
                continue
            read = read_proof(proof, data)
            block = block_of(read, trusted.headers)
        except StampError as error:
            raise NotAsMadeError(f"{name} does not hold: {error}") from error
        if block is not None:
            blocks.append(block)
        heights |= {height for height, _ in read.blocks} - trusted.headers.keys()
        pending += not read.blocks
    found += [block.at for block in blocks]
    earliest = min(found, default=None)
    return Times(
        trusted=earliest,
        claimed=min(claimed, default=None),
        block=next((block for block in blocks if block.at == earliest), None),
        heights=tuple(sorted(heights)),
        pending=pending,
    )


def with_seals(report: Path, out: Path, seals: Sequence[tuple[str, bytes]]) -> None:
    """Write the report with more seals, given by kind and content; `out` may be the report itself.
    The report must have been verified. Raises OSError, and ValueError where it has too many."""
    with zipfile.ZipFile(report) as archive:
        number = sum(bool(_NAME.fullmatch(name)) for name in archive.namelist())
    if number + len(seals) > MOST_SEALS:
        raise ValueError(f"a report has at most {MOST_SEALS} seals")
    with filled_file(out) as whole:
        shutil.copyfile(report, whole)
        with zipfile.ZipFile(whole, "a") as archive:
            for position, (kind, data) in enumerate(seals, number + 1):
                name = f"seals/{position:02}.{kind}"
                archive.writestr(entry(name, zipfile.ZIP_STORED), data)
