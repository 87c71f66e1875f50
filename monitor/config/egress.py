"""Text → Egress: `direct`, `source:ADDRESS`, `interface:NAME`, `socks5://…`, `connect://…`,
`socks5+tls://…`, `connect+tls://…`.

`probes.sockets.network` connects that way, and `probes.measure.proxied_connections` beyond a proxy.
"""

import re
from ipaddress import ip_address
from urllib.parse import unquote

from monitor.config.toml_node import parsed
from probes.catalog.endpoint_text import split_host_port
from probes.vantage import Egress, EgressKind

DEFAULT_PROXY_PORTS = {EgressKind.SOCKS5: 1080, EgressKind.CONNECT: 3128}

_INTERFACE = re.compile(r"[^\s/:]{1,15}")
"""Names that the kernel accepts for a network device."""
_LONGEST_CREDENTIAL = 255
"""SOCKS5 sends the length of each in one byte (RFC 1929)."""
_TLS = "+tls"
_PIN = re.compile(r"[0-9a-f]{64}")
_OTHER_NAMES = {
    "socks": "socks5",
    "socks5h": "socks5",
    "sock5": "socks5",
    "http": "connect",
    "https": "connect+tls",
}


def parse_egress(text: str) -> Egress:
    """The egress that `text` names.

    Raises ValueError that says what would be right and never repeats a credential.
    """
    if text == "direct":
        return Egress()
    scheme, separator, rest = text.partition("://")
    if separator:
        return _proxy(scheme, rest)
    kind, _, rest = text.partition(":")
    if kind == EgressKind.SOURCE:
        return Egress(kind=EgressKind.SOURCE, source=_source(rest))
    if kind == EgressKind.INTERFACE:
        if not _INTERFACE.fullmatch(rest) or rest in (".", ".."):
            raise ValueError('the name of a network device, as in "interface:wwan0"')
        return Egress(kind=EgressKind.INTERFACE, interface=rest)
    raise ValueError(
        '"direct", "source:ADDRESS", "interface:NAME", "socks5://HOST:PORT" or '
        '"connect://HOST:PORT"'
    )


def _source(text: str) -> str:
    try:
        if "%" in text:
            raise ValueError(text)
        parts = [
            ip_address(part.strip().removeprefix("[").removesuffix("]")) for part in text.split(",")
        ]
        if len({part.version for part in parts}) != len(parts):
            raise ValueError(text)
    except ValueError:
        raise ValueError(
            "one of this machine's IP addresses, or one IPv4 and one IPv6 address, as in "
            '"source:198.51.100.7" or "source:198.51.100.7,2001:db8::7"'
        ) from None
    return ",".join(map(str, parts))


def _proxy(scheme: str, rest: str) -> Egress:
    """`socks5://` or `connect://`, then `[user[:password]@]host[:port]`, percent-decoded; with
    `+tls` in the scheme, `#` and the SHA-256 of the proxy's certificate may follow."""
    known = [kind.value for kind in DEFAULT_PROXY_PORTS]
    bare, tls = scheme.removesuffix(_TLS), scheme.endswith(_TLS)
    if bare not in known:
        meant = _OTHER_NAMES.get(scheme.lower())
        raise ValueError(
            f'did you mean "{meant}://"?' if meant else '"socks5://…" or "connect://…"'
        )
    kind = EgressKind(bare)
    pin = ""
    credentials, _, authority = rest.rpartition("@")
    if tls:
        authority, marked, pin = authority.partition("#")
        if marked and not _PIN.fullmatch(pin):
            raise ValueError("after # the SHA-256 of the proxy's certificate: 64 digits of 0-9a-f")
    user, _, password = credentials.partition(":")
    try:
        host, port = split_host_port(authority.removesuffix("/"), DEFAULT_PROXY_PORTS[kind])
    except ValueError as error:
        raise ValueError(
            f"{error}; as a whole {scheme}://user:password@host:port, where @ : / % in user and "
            "password are written %40 %3A %2F %25"
        ) from None
    return Egress(
        kind=kind,
        proxy_host=host,
        proxy_port=port,
        proxy_tls=tls,
        proxy_pin=pin,
        username=_credential(user),
        password=_credential(password),
    )


def _credential(text: str) -> str:
    value = unquote(text)
    if len(value.encode()) > _LONGEST_CREDENTIAL:
        raise ValueError(f"a user name and a password of at most {_LONGEST_CREDENTIAL} bytes each")
    return value


egress = parsed(parse_egress)
"""The same, as a value of the configuration."""
