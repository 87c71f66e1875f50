"""What a fingerprint is: words that only a block page, or a filtering product, uses."""

from enum import StrEnum

import msgspec


class Where(StrEnum):
    """Where the words stand."""

    BODY = "body"
    TITLE = "title"
    HEADER = "header"
    LOCATION = "location"
    """The URL a redirect leads to."""
    CERTIFICATE = "certificate"
    """Subject or issuer of a certificate, as in `CN=Example Root CA,O=Example,C=XX` (RFC 4514)."""


class Kind(StrEnum):
    """How the words are compared."""

    CONTAINS = "contains"
    """Upper and lower case are the same."""
    PREFIX = "prefix"
    FULL = "full"
    REGEX = "regex"
    """Python's, found anywhere."""
    HOST = "host"
    """A host name and those below it; of a location."""


class Scope(StrEnum):
    """Who uses it."""

    COUNTRY = "country"
    """A whole country's networks, by order."""
    ISP = "isp"
    """One network's own page."""
    VENDOR = "vendor"
    """A product that states, firms and schools buy alike."""


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    id: str
    """Its name, summary with the verdict: lower-case letters, digits, and `-_.`."""
    where: Where
    header: str = ""
    """Lower-case name of the header, when that is where."""
    kind: Kind = Kind.CONTAINS
    pattern: str
    scope: Scope
    countries: tuple[str, ...] = ()
    """ISO codes of the countries it is known from."""
    confident: bool = False
    """No page but a block page says so."""
