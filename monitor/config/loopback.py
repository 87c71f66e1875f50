"""Whether a host is this machine itself."""

import ipaddress

LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})
"""Names that mean this machine."""


def is_loopback(host: str) -> bool:
    """Whether a listener on this name or address is reachable from this machine only."""
    if host.lower().rstrip(".") in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
