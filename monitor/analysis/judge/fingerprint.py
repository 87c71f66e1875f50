"""A fingerprint: words that only a block page or a filtering product uses."""

from enum import StrEnum

import msgspec


class Where(StrEnum):
    BODY = "body"
    TITLE = "title"
    HEADER = "header"
    LOCATION = "location"
    """The URL a redirect leads to."""
    CERTIFICATE = "certificate"
    """Subject or issuer of a certificate, as in `CN=Example Root CA,O=Example,C=XX` (RFC 4514)."""


class Kind(StrEnum):
    CONTAINS = "contains"
    """Ignores case."""
    PREFIX = "prefix"
    FULL = "full"
    REGEX = "regex"
    """Python syntax, matched anywhere."""
    HOST = "host"
    """A host name or a name below it, in a location."""


class Scope(StrEnum):
    COUNTRY = "country"
    """The networks of a whole country, by order."""
    ISP = "isp"
    """One network."""
    VENDOR = "vendor"
    """A product that states, companies and schools buy."""
    DEVICE = "device"
    """Software on people's own machines."""


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    """Shown with the verdict: lower-case letters, digits, and `-_.`."""
    where: Where
    header: str = ""
    """Lower-case name of the header, when `where` is header."""
    kind: Kind = Kind.CONTAINS
    pattern: str
    scope: Scope
    countries: tuple[str, ...] = ()
    """ISO codes of the countries that use it."""
    confident: bool = False
    """Only block pages contain it."""
