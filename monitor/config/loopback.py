"""Whether a host is this machine itself."""

import ipaddress

LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})
"""What machines call themselves."""


def is_loopback(host: str) -> bool:
    """Whether what listens on this name or address is reached from its own machine only."""
    if host.lower().rstrip(".") in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
