"""Signatures of a catalogue that agents may use without asking their host.

Two steps, so that the key that hosts trust stays offline, as for Tor's directory authorities: the
offline key signs, for some weeks, a signing key; the signing key signs catalogues. A new signing
key needs nothing of the hosts. An agent takes no older signing key, and no older catalogue, than
the newest it saw, so a stolen signing key is worthless once its successor is in use.
"""

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec

from monitor.keys.keys import fingerprint, public_text, sign, signed_by
from storage.values.times import time_text

if TYPE_CHECKING:  # the settings hold such signatures, and most commands check none
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

LONGEST = timedelta(days=100)
"""A signing key for longer is not believed."""
_SIGNER, _CATALOG = b"shutwatch catalogue signer 1\n", b"shutwatch catalogue 1\n"

_Utc = Annotated[datetime, msgspec.Meta(tz=True)]


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """A signing key, and its offline key's signature."""

    offline: str
    """Public key, base64 of 32 bytes."""
    key: str
    """Public key, base64 of 32 bytes."""
    begins: _Utc
    ends: _Utc
    signature: str
    """Base64, by the offline key."""

    def text(self) -> bytes:
        """The signed text."""
        return f"{self.key}\n{time_text(self.begins)}\n{time_text(self.ends)}\n".encode()


class CatalogProof(msgspec.Struct, frozen=True, kw_only=True):
    """The signatures of one catalogue."""

    signer: Signer
    made_at: _Utc
    signature: str
    """Base64, by the signing key."""


class Newest(msgspec.Struct, frozen=True, kw_only=True):
    """The newest that an agent saw of one offline key."""

    begins: _Utc
    made_at: _Utc


def make_signer(
    offline: "Ed25519PrivateKey", key: "Ed25519PrivateKey", begins: datetime, ends: datetime
) -> Signer:
    """The statement that `key` may sign catalogues from `begins` to `ends`, UTC."""
    bare = Signer(
        offline=public_text(offline), key=public_text(key), begins=begins, ends=ends, signature=""
    )
    return msgspec.structs.replace(bare, signature=sign(offline, _SIGNER, bare.text()))


def prove(
    catalog: str, signer: Signer, key: "Ed25519PrivateKey", made_at: datetime
) -> CatalogProof:
    """The signatures of a catalogue's text, made at `made_at`, UTC."""
    signature = sign(key, _CATALOG, _catalog_text(catalog, made_at))
    return CatalogProof(signer=signer, made_at=made_at, signature=signature)


def _catalog_text(catalog: str, made_at: datetime) -> bytes:
    digest = hashlib.sha256(catalog.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{time_text(made_at)}\n{digest}\n".encode()


def fault_of(
    proof: CatalogProof,
    catalog: str,
    *,
    trusted: Collection[str],
    now: datetime,
    newest: Newest | None,
) -> str:
    """Why the signatures do not prove the catalogue, as a clause; empty when they do.

    `trusted` are fingerprints of offline keys, `newest` is what was seen of the proof's before.
    """
    signer = proof.signer
    try:
        offline = fingerprint(signer.offline)
    except ValueError:
        return "its offline key is none"
    if offline not in trusted:
        return "the agent's file does not name its offline key"
    if not signed_by(signer.offline, signer.signature, _SIGNER, signer.text()):
        return "its offline key did not sign the signing key"
    if not signed_by(signer.key, proof.signature, _CATALOG, _catalog_text(catalog, proof.made_at)):
        return "its signing key did not sign this catalogue"
    if not timedelta(0) < signer.ends - signer.begins <= LONGEST:
        return f"its signing key is for more than {LONGEST.days} days"
    if not signer.begins <= now <= signer.ends:
        return "its signing key is not valid now"
    if not signer.begins <= proof.made_at <= signer.ends:
        return "it was not signed while its signing key was valid"
    if newest is not None and signer.begins < newest.begins:
        return "a newer signing key is in use"
    if newest is not None and proof.made_at < newest.made_at:
        return "a newer catalogue was signed"
    return ""


def newest_of(proof: CatalogProof, before: Newest | None) -> Newest:
    """The newest of the proof's offline key, after a proof without a fault."""
    begins, made_at = proof.signer.begins, proof.made_at
    if before is None:
        return Newest(begins=begins, made_at=made_at)
    return Newest(begins=max(begins, before.begins), made_at=max(made_at, before.made_at))
