"""The shapes of a configuration's values: times, sizes, addresses, egresses, files.

Each shape takes a Node and returns a value, or notes what would be right and raises Invalid.
"""

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from math import inf
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from monitor.analysis.judge.fingerprint import Fingerprint
from monitor.config.country_code import country_code
from monitor.config.egress import parse_egress
from monitor.config.fingerprints import load_fingerprints
from monitor.config.loopback import is_loopback
from monitor.config.toml_node import (
    Node,
    Shape,
    filled,
    named,
    number,
    optional,
    parsed,
    text,
    whole,
)
from monitor.config.toml_problem import ConfigError
from monitor.keys.passwords import read_tokens, read_users
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.endpoint_text import parse_endpoint, parse_host, split_host_port
from probes.catalog.public_pages import PublicPage, public_page
from probes.vantage import Resolver
from storage import url as database_url

T = TypeVar("T")

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_SIZES = {
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_SIZE = re.compile(r"(\d{1,15})(B|KB|MB|GB|KiB|MiB|GiB)", re.ASCII)
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LONGEST_ID = 63
_BUCKET = re.compile(
    r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9_=-][A-Za-z0-9_.=-]*)*", re.ASCII
)
DNS_PORT = 53
LARGEST_ASN = 2**32 - 1

_LARGEST_HINTED = 1_000_000


def duration(shortest: str, longest: str) -> Shape[float]:
    """A duration between two bounds, both included, in seconds: `"5m"`, `"1h30m"`."""
    least, most = seconds(shortest), seconds(longest)

    def read(node: Node) -> float:
        value = node.value
        if isinstance(value, int | float) and 0 <= value < _LARGEST_HINTED:
            raise node.fail(f'a unit is missing: "{value:g}s" are seconds, "5m" are minutes')
        if not isinstance(value, str) or not _DURATION.fullmatch(value.replace(" ", "")):
            raise node.fail('a number and a unit of ms, s, m, h or d, as in "30s" or "5m"')
        length = seconds(value.replace(" ", ""))
        if not least <= length <= most:
            raise node.fail(f'a time from "{shortest}" to "{longest}"')
        return length

    return read


def kept(shortest: str, longest: str) -> Shape[float]:
    """A duration in seconds; infinite for `"forever"`."""
    finite = duration(shortest, longest)
    return lambda node: inf if node.value == "forever" else finite(node)


def seconds(written: str) -> float:
    """`"1h30m"` → 5400.0; `written` must match."""
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(written))


def duration_text(length: float) -> str:
    """Seconds as a file writes them: `300.0` → `5m`."""
    for unit in ("h", "m"):
        if length >= _UNITS[unit] and length % _UNITS[unit] == 0:
            return f"{length / _UNITS[unit]:g}{unit}"
    return f"{length:g}s"


def size(least: str, most: str) -> Shape[int]:
    """A size between two bounds, both included, in bytes: `"300MB"`, `"128KiB"`."""
    low, high = byte_count(least), byte_count(most)

    def read(node: Node) -> int:
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool):
            raise node.fail('text with a unit, as in "300MB" or "128KiB"')
        if not isinstance(value, str) or not _SIZE.fullmatch(value.replace(" ", "")):
            raise node.fail('a number and a unit of B, KB, MB, GB, KiB, MiB or GiB, as in "300MB"')
        count = byte_count(value.replace(" ", ""))
        if not low <= count <= high:
            raise node.fail(f'a size from "{least}" to "{most}"')
        return count

    return read


def byte_count(written: str) -> int:
    """`"300MB"` → 300000000; `written` must match."""
    match = _SIZE.fullmatch(written)
    assert match is not None  # noqa: S101 # narrows for the type checker
    return int(match[1]) * _SIZES[match[2]]


def is_vantage_id(value: str) -> bool:
    """Whether it can be a vantage's id: lower-case letters, digits and single dashes."""
    return bool(_ID.fullmatch(value)) and len(value) <= _LONGEST_ID


def vantage_id(node: Node) -> str:
    """A vantage's id: lower-case letters, digits and single dashes."""
    value = text(node)
    if not is_vantage_id(value):
        usable = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[:_LONGEST_ID].strip("-")
        hint = f', such as "{usable}"' if usable and not node.given_by_environment else ""
        raise node.fail(f"lower-case letters, digits and single dashes{hint}")
    return value


def as_number(node: Node) -> int:
    """AS number; 0 when it is not known."""
    written = node.raw if isinstance(node.raw, str) else ""
    number = re.fullmatch(r"(?:ASN?)?\s*(\d{1,10})", written, re.IGNORECASE | re.ASCII)
    if number:
        raise node.fail(f"the number alone, without quotation marks: asn = {number[1]}")
    return whole(0, LARGEST_ASN)(node)


def _user_shares_of(country: str, node: Node) -> dict[int, float]:
    try:
        country_code(country)
    except ValueError as error:
        raise node.fail(f"shares.PK = {{ 17557 = 0.3 }}: {error.args[0]}") from None
    shares = named(_user_share)(node)
    if sum(shares.values()) > 1.0 + 1e-9:
        raise node.fail("shares of one country's users, whose sum is at most 1")
    return {int(asn): share for asn, share in shares.items()}


def _user_share(asn: str, node: Node) -> float:
    if not asn.isascii() or not asn.isdigit():
        raise node.fail("the AS number alone, as in { 17557 = 0.3 }", wrong="is not a network")
    return number(0, 1)(node)


user_shares = named(_user_shares_of)
"""Country → AS number → its share of the country's users."""


def header_value(node: Node) -> str:
    """Text for an HTTP header; may be empty."""
    value = text(node)
    if not value.isascii():
        raise node.fail("text without accents or other characters outside ASCII")
    return value


@contextmanager
def named_file(node: Node, remedy: str = "") -> Iterator[Path]:
    """The path of the file that `node` names, for a block that reads it.

    An error in the block becomes a problem of `node`. `remedy` is for a file with other content;
    without it the text of the parser's ValueError is the remedy.
    """
    folder = node.document.folder
    path = folder / filled(node)
    try:
        yield path
    except FileNotFoundError:
        raise node.fail(f"a file that exists; looked for in {folder.absolute()}") from None
    except OSError as error:
        raise node.fail(f"a file that can be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise node.fail("a file of text in UTF-8") from None
    except ValueError as error:
        raise node.fail(remedy or str(error)) from None


def pem_file(node: Node) -> str:
    """The path of a file with at least one certificate."""
    from cryptography import x509  # most files name none

    wanted = "a PEM file: it must hold -----BEGIN CERTIFICATE----- and what follows it"
    with named_file(node, wanted) as path:
        x509.load_pem_x509_certificates(path.read_bytes())
    return str(path)


def mmdb_file(node: Node) -> str:
    """The path of a file in MaxMind's format."""
    from maxminddb import InvalidDatabaseError, open_database  # as above

    with named_file(node, "a file in MaxMind's format (.mmdb), unpacked") as path:
        try:
            open_database(str(path)).close()
        except InvalidDatabaseError as error:
            raise ValueError from error
    return str(path)


def fingerprint_file(node: Node) -> tuple[Fingerprint, ...]:
    """The fingerprints in a file, TOML or CSV."""
    try:
        return load_fingerprints(node.document.folder / filled(node))
    except ConfigError as error:
        first, more = error.problems[0], len(error.problems) - 1
        others = f" (and {more} more)" if more else ""
        raise node.fail(f"correct this: {first}{others}") from None


def _people(parse: Callable[[str], tuple[T, ...]], maker: str) -> Shape[tuple[T, ...]]:
    def read(node: Node) -> tuple[T, ...]:
        with named_file(node) as path:
            found = parse(path.read_text(encoding="utf-8"))
        if not found:
            raise node.fail(f"a file with at least one line, such as {maker} writes")
        return found

    return optional(read, ())


users_file = _people(read_users, "`shutwatch password NAME`")
"""The users in a file; none for empty text."""
tokens_file = _people(read_tokens, "`openssl rand -hex 32`")
"""The digests of the tokens in a file; none for empty text."""


def existing_file(node: Node) -> Path:
    """The path of a file that exists."""
    with named_file(node) as path:
        if not path.is_file():
            raise FileNotFoundError
    return path


def optional_file(node: Node) -> str:
    """The path of a file that exists, or empty."""
    return str(existing_file(node)) if text(node) else ""


def folder(node: Node) -> str:
    """The path of a folder, which need not be there yet; relative to the file's own folder. Empty
    for none."""
    if not text(node):
        return ""
    path = node.document.folder / filled(node)
    try:
        file = path.exists() and not path.is_dir()
    except OSError as error:
        raise node.fail(f"a folder that can be read ({error.strerror})") from None
    if file:
        raise node.fail("a folder", wrong="is a file")
    return str(path)


def _bucket(written: str) -> str:
    if not _BUCKET.fullmatch(written):
        raise ValueError(
            'the name of a bucket, and a prefix after a slash if you want one, as in "evidence" or '
            '"evidence/shutwatch"'
        )
    return written


def _safe_origin(written: str) -> str:
    """An origin that is encrypted or on this machine; empty for other text."""
    found = split_url(written, ("https", "http"))
    more = found and (found.path.strip("/") or found.query or found.fragment)
    safe = found and (found.scheme == "https" or is_loopback(found.hostname or ""))
    if found is None or more or not safe or "@" in found.netloc or not written.isascii():
        return ""
    return f"{found.scheme}://{found.netloc.lower()}"


def _storage_url(written: str) -> str:
    if origin := _safe_origin(written):
        return origin
    raise ValueError(
        "https:// and the host of the service, without the bucket and without keys, as in "
        '"https://s3.example.org"; http:// on this machine alone'
    )


def _api_url(written: str) -> str:
    if origin := _safe_origin(written):
        return origin
    raise ValueError(
        'https:// and the host alone, as in "https://api.ooni.io"; http:// on this machine alone'
    )


def _page(written: str) -> PublicPage:
    found = public_page(written)
    if found is None:
        raise ValueError(
            'a post or account of X, or a video of YouTube: "https://x.com/name/status/123", '
            '"https://x.com/name" or "https://www.youtube.com/watch?v=…"'
        )
    return found


def _run_link(written: str) -> str:
    if not re.fullmatch(r"\d{1,20}", written, re.ASCII):
        raise ValueError('the number at the end of the link, as in "10042"')
    return written


def _resolver(written: str) -> Resolver:
    if written == "system":
        return Resolver()
    if "://" in written:
        return Resolver(url=_doh_url(written))
    try:
        return Resolver(address=_address(written), port=DNS_PORT)
    except ValueError:
        pass
    host, port = split_host_port(written, DNS_PORT)
    try:
        return Resolver(address=str(ip_address(host)), port=port)
    except ValueError:
        raise ValueError(
            '"system", the address of a resolver, not its name, as in "192.0.2.53", '
            '"192.0.2.53:5353" or "[2001:db8::53]:53", or "https://dns.example/dns-query"'
        ) from None


def _doh_url(written: str) -> str:
    found = _https_url(written)
    if "?" in found:
        raise ValueError("the URL of a DNS-over-HTTPS server without ? and what follows it")
    return found


def _listen(written: str) -> tuple[str, int]:
    port = written.removeprefix(":")
    if port.isdigit():
        raise ValueError("an address before the port", f'"127.0.0.1:{port}"')
    host, number = split_host_port(written, -1, lowest_port=0)
    if number < 0:
        raise ValueError("a port after the address", f'"{written}:10100"')
    return host, number


def split_url(written: str, schemes: Collection[str]) -> SplitResult | None:
    """The parts of a URL of one of these schemes that names a host; None for other text."""
    try:
        found = urlsplit(written)
        right = found.scheme in schemes and found.hostname and found.port != 0
    except ValueError:
        return None
    return found if right and written.isprintable() and " " not in written else None


def _public_url(written: str) -> str:
    found = split_url(written, ("http", "https"))
    if found is None or "@" in found.netloc or found.query or found.fragment:
        raise ValueError(
            'an http or https address without a password, as in "https://watch.example.org"'
        )
    return written.rstrip("/")


def _host_name(written: str) -> str:
    host = parse_host(written)
    if ":" in host or host.rpartition(".")[2].isdigit():
        raise ValueError("a name, not an address")
    return host


def _https_url(written: str) -> str:
    found = parse_endpoint(written)
    if found.kind is not EndpointKind.HTTPS:
        raise ValueError('an https:// address, as in "https://www.wikipedia.org/"')
    return found.id


def _address(written: str) -> str:
    """An IP address without a zone."""
    if "%" in written:
        raise ValueError("an IP address without %")
    try:
        return str(ip_address(written))
    except ValueError:
        raise ValueError('an IP address, as in "192.0.2.53" or "2001:db8::53"') from None


def _network(written: str) -> str:
    try:
        return str(ip_network(written))
    except ValueError:
        pass
    try:
        first = str(ip_network(written, strict=False))
    except ValueError:
        raise ValueError('a network in CIDR notation, as in "10.0.0.0/8"') from None
    raise ValueError("the first address of the network", f'"{first}"')


country = parsed(country_code)
egress = parsed(parse_egress)
resolver = parsed(_resolver)
"""`system`, an address with or without a port, or the URL of a DNS-over-HTTPS server."""
listen = parsed(_listen)
"""`host:port`; port 0 is any free port."""
optional_listen = optional(listen, ("", 0))
"""`host:port`; empty text is no address."""
public_url = optional(parsed(_public_url), "")
"""An http or https address without a final slash, or empty."""
server_url = parsed(_public_url)
"""An http or https address without a final slash."""
bucket = optional(parsed(_bucket), "")
"""A bucket of an S3-compatible service, with a prefix or without; or empty."""
storage_url = optional(parsed(_storage_url), "")
"""The origin of such a service: encrypted, unless it is on this machine; or empty."""
api_url = optional(parsed(_api_url), "")
"""The origin of another's API: encrypted, unless it is on this machine; or empty."""
run_link = optional(parsed(_run_link), "")
page = parsed(_page)
"""The number of an OONI Run link, or empty."""
database = parsed(database_url.checked)
"""The URL of a database that this version can use."""
address = parsed(_address)
"""An IP address in its canonical form."""
network = parsed(_network)
"""A network in CIDR notation."""
host_name = optional(parsed(_host_name), "")
"""A host name, or empty."""
https_url = parsed(_https_url)
"""The canonical form of an https address."""
