"""One authority, one intermediate and a certificate for every name of the benchmark."""

from pathlib import Path

import msgspec
import trustme

ONE_FAMILY, BOTH_FAMILIES = "one.bench.example", "both.bench.example"
"""Names below the first have IPv4 addresses only, those below the second have both."""


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """Where what was made is kept."""

    anchor: str
    server: str
    """Key and chain."""


def make(folder: Path) -> Files:
    """Make them, in the shape that public sites have: leaf and intermediate are sent."""
    root = trustme.CA()
    leaf = root.create_child_ca().issue_cert(f"*.{ONE_FAMILY}", f"*.{BOTH_FAMILIES}")
    files = Files(anchor=str(folder / "anchor.pem"), server=str(folder / "server.pem"))
    Path(files.anchor).write_bytes(root.cert_pem.bytes())
    Path(files.server).write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
    return files
