"""The resolvers this machine uses, and whether they can be asked directly.

A stub on loopback (systemd-resolved's 127.0.0.53, a container engine's 127.0.0.11) answers once and
so hides an injected second answer. Its upstream resolvers are preferred where they can be found.
"""

import ipaddress
from pathlib import Path

import msgspec

from probes.catalog.host import is_literal

RESOLV_CONF = Path("/etc/resolv.conf")
UPSTREAM_CONF = Path("/run/systemd/resolve/resolv.conf")
"""The file in which systemd-resolved lists the servers behind its stub."""


class ResolverAddress(msgspec.Struct, frozen=True, kw_only=True):
    address: str
    port: int = 53
    stub: bool = False

    @property
    def label(self) -> str:
        """`address:port`, with brackets around IPv6."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


def system_resolvers(
    resolv_conf: Path = RESOLV_CONF, upstream_conf: Path = UPSTREAM_CONF
) -> tuple[ResolverAddress, ...]:
    """The system's resolvers in order; those behind a stub instead of it, where they are listed.

    Empty when the files name none or cannot be read.
    """
    configured = _nameservers(resolv_conf)
    if configured and all(is_loopback(address) for address in configured):
        upstream = [a for a in _nameservers(upstream_conf) if not is_loopback(a)]
        if upstream:
            configured = upstream
    return tuple(
        ResolverAddress(address=address, stub=is_loopback(address)) for address in configured
    )


def _nameservers(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        words = line.split()
        # A link-local resolver keeps its scope (fe80::1%eth0).
        if len(words) >= 2 and words[0] == "nameserver" and is_literal(words[1]):
            found.append(words[1])
    return found


def is_loopback(address: str) -> bool:
    """Whether an address, with or without a scope, is on loopback: that of a stub."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
