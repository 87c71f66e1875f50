"""The sources there are, and the terms on which each lets others use what it knows."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class SourceKind(StrEnum):
    OONI = "ooni"
    """Tests that volunteers run on their phones and computers."""
    IODA = "ioda"
    """Outages of countries, seen from outside."""
    GLOBALPING = "globalping"
    """Probes on other people's lines, asked when a block is suspected."""
    ATLAS = "atlas"
    """The same of RIPE Atlas, with the key of an account."""


ASKED = (SourceKind.GLOBALPING, SourceKind.ATLAS)
"""Those that have strangers' lines test a name."""


OPINIONS, SIGNALS = "ooni opinions", "ioda signals"
"""What is asked beside the rows of a source, each with a state of its own: what fails of it delays
nothing else."""
ASIDE: Mapping[SourceKind, str] = {SourceKind.OONI: OPINIONS, SourceKind.IODA: SIGNALS}


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What must be said of a source, and what may be done with its data."""

    title: str
    """Its own name."""
    api: str
    """Origin of its public API."""
    credit: str
    """The attribution that it asks for, wherever its data is shown."""
    licence: str
    """Short name of the licence, stored with every row."""
    home: str
    """Where people can read its data."""
    caution: str = ""
    """What whoever switches it on must know; empty: it has nobody test anything."""


TERMS: Mapping[SourceKind, Terms] = {
    SourceKind.OONI: Terms(
        title="OONI",
        api="https://api.ooni.io",
        credit="Data: OONI (ooni.org), CC BY-NC-SA 4.0",
        licence="CC BY-NC-SA 4.0",
        home="https://explorer.ooni.org/",
    ),
    SourceKind.IODA: Terms(
        title="IODA",
        api="https://api.ioda.inetintel.cc.gatech.edu",
        credit="IODA, Georgia Tech Research Corporation (ioda.inetintel.cc.gatech.edu)",
        licence="all rights reserved",
        home="https://ioda.inetintel.cc.gatech.edu/",
    ),
    SourceKind.GLOBALPING: Terms(
        title="Globalping",
        api="https://api.globalping.io",
        credit="measured with Globalping (globalping.io)",
        licence="none stated",
        home="https://globalping.io/",
        caution=(
            "Globalping has lines of strangers in these countries test the names of platforms that "
            "are suspected to be blocked: read docs/risk.md first, and leave it off where such a "
            "test may harm whoever hosts a probe"
        ),
    ),
    SourceKind.ATLAS: Terms(
        title="RIPE Atlas",
        api="https://atlas.ripe.net",
        credit="measured with RIPE Atlas of the RIPE NCC (atlas.ripe.net)",
        licence="RIPE Atlas Service Terms",
        home="https://atlas.ripe.net/",
        caution=(
            "RIPE Atlas has lines of strangers in these countries test the names of platforms that "
            "are suspected to be blocked: read docs/risk.md first, and leave it off where such a "
            "test may harm whoever hosts a probe"
        ),
    ),
}
