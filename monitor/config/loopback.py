"""Whether a host is this machine itself, or none that can be connected to."""

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


def is_unspecified(host: str) -> bool:
    """Whether it only means "every address of this machine", where a listener is named."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return not host.strip("0.")  # the resolver reads "0" as 0.0.0.0
