"""A catalogue's text, and the file of its signatures, which lies beside the catalogue."""

from pathlib import Path

import msgspec

from monitor.keys.keys import fingerprint
from monitor.wire.catalog_proof import CatalogProof, fault_of


def proof_path(catalog: Path) -> Path:
    """Where the signatures of a catalogue file are."""
    return catalog.with_name(f"{catalog.name}.sig")


def catalog_text(catalog: Path) -> str:
    """The text of a catalogue file as it is signed and as agents get it, without a byte order mark.
    Raises OSError or ValueError."""
    return catalog.read_text(encoding="utf-8-sig")


def read_proof(catalog: Path) -> CatalogProof | None:
    """The signatures of a catalogue file; None where there are none.

    Raises ValueError, whose text completes "the file …", when they do not fit. Whether the signing
    key has ended is for agents to say.
    """
    file = proof_path(catalog)
    try:
        proof = msgspec.json.decode(file.read_bytes(), type=CatalogProof)
        trusted = {fingerprint(proof.signer.offline)}
        text = catalog_text(catalog)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"has signatures that cannot be read ({error.strerror})") from None
    except (msgspec.DecodeError, ValueError):
        raise ValueError(f"has signatures in {file.name} that cannot be read") from None
    fault = fault_of(proof, text, trusted=trusted, now=proof.made_at, newest=None)
    if fault:
        raise ValueError(f"has signatures in {file.name} that do not fit: {fault}")
    return proof
