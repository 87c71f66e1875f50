"""Text → host or Endpoint, as operators write them: `https://x.com/`, `tcp://host:443`."""

import re
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

import idna

from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import DATAGRAM_KINDS, DEFAULT_PORTS, EndpointKind
from probes.catalog.host import is_literal

_ASCII_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_AUTHORITY = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<host>[^:]*))(?::(?P<port>[^:]*))?")
_SAFE_IN_PATH = "/%:=&?~+!$,;'@()*[]"
_HIGHEST_PORT = 65535
_LONGEST_NAME = 253


def parse_endpoint(text: str) -> Endpoint:
    """The endpoint that `text` names, without a stated answer.

    `https://host[:port]/path`, `http://…`, `tls://host[:443]`, `tcp://host:port`,
    `stun:host[:3478]`, `ntp:host[:123]` or `dns:name`.
    Raises ValueError whose text says what would be right.
    """
    if text.startswith("dns:"):
        name = parse_host(text.removeprefix("dns:").removeprefix("//"))
        if is_literal(name):
            raise ValueError("a name to look up: dns:www.example.org")
        return Endpoint(kind=EndpointKind.DNS, host=name, port=0)
    for kind in DATAGRAM_KINDS:
        if text.startswith(f"{kind}:"):
            # RFC 7064 has no slashes; they are accepted all the same.
            return _reached_by(kind, text.removeprefix(f"{kind}:").removeprefix("//"))
    scheme, separator, rest = text.partition("://")
    try:
        named = EndpointKind(scheme) if separator else None
    except ValueError:
        named = None
    if named is None:
        raise ValueError(
            "say how to reach it: https://host/path, http://host/path, tls://host, "
            "tcp://host:port, stun:host, ntp:host or dns:name"
        )
    return _reached_by(named, rest)


def _reached_by(kind: EndpointKind, rest: str) -> Endpoint:
    """The endpoint in the text after `kind://`."""
    if any(character.isspace() for character in rest):
        raise ValueError("one address without spaces")
    try:
        url = urlsplit(f"//{rest}")
    except ValueError:
        raise ValueError("a host name, an IPv4 address, or an IPv6 address in brackets") from None
    if "@" in url.netloc:
        raise ValueError("an address without a user name or a password")
    if url.fragment:
        raise ValueError("an address without #")
    path = url.path + (f"?{url.query}" if url.query else "")
    web = kind in (EndpointKind.HTTPS, EndpointKind.HTTP)
    if not web and path not in ("", "/"):
        slashes = "" if kind in DATAGRAM_KINDS else "//"
        raise ValueError(f"only a host and a port: {kind}:{slashes}host:port")
    host, port = split_host_port(url.netloc, DEFAULT_PORTS.get(kind, 0))
    if not port:
        raise ValueError("add a port", f"{kind}://{url.netloc}:443")
    shown = quote(path, safe=_SAFE_IN_PATH) if web else ""
    return Endpoint(
        kind=kind, host=host, port=port, path=shown if shown.startswith("/") else f"/{shown}"
    )


def split_host_port(text: str, default_port: int, *, lowest_port: int = 1) -> tuple[str, int]:
    """`host[:port]` → host and port; IPv6 addresses in brackets, as in `[2001:db8::1]:53`.

    Raises ValueError whose text says what would be right.
    """
    if text.count(":") > 1 and is_literal(text):
        raise ValueError("an IPv6 address in brackets, as in [2001:db8::1]:443")
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise ValueError("host:port, with an IPv6 address in brackets: [2001:db8::1]:443")
    if match["six"] is not None and not (":" in match["six"] and is_literal(match["six"])):
        raise ValueError("only an IPv6 address in the brackets")
    host = parse_host(match["host"] if match["six"] is None else match["six"])
    return host, default_port if match["port"] is None else _port(match["port"], lowest_port)


def _port(text: str, lowest: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise ValueError(f"a port number from {lowest} to {_HIGHEST_PORT} after the colon")
    if not lowest <= int(text) <= _HIGHEST_PORT:
        raise ValueError(f"a port from {lowest} to {_HIGHEST_PORT}")
    return int(text)


def parse_host(text: str) -> str:
    """A host name as A-labels in lower case, or an IP address in its canonical form.

    Raises ValueError whose text says what would be right.
    """
    if "%" in text:
        raise ValueError("an address without %: name the way out by the vantage's egress")
    if is_literal(text):
        return str(ip_address(text))
    name = text.rstrip(".") if text.count("..") == 0 else text
    if not name:
        raise ValueError("a host name or an IP address is missing")
    if not name.isascii():
        name = _a_labels(name)
    name = name.lower()
    labels = name.split(".")
    if len(name) > _LONGEST_NAME or not all(_ASCII_LABEL.fullmatch(label) for label in labels):
        raise ValueError("a host name of letters, digits, dashes and dots, or an IP address")
    if labels[-1].isdigit():
        raise ValueError("an IPv4 address has four numbers from 0 to 255, as in 192.0.2.7")
    return name


def _a_labels(name: str) -> str:
    """A name in any script as the A-labels that go over the wire."""
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise ValueError("a host name that DNS allows") from None
