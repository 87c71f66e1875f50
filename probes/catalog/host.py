"""What a host is: a name, an address, or nothing that leads anywhere."""

import ipaddress

_LONGEST_NAME, _LONGEST_LABEL = 253, 63


def is_literal(host: str) -> bool:
    """Whether a host is an address and not a name."""
    if ":" not in host and not host[-1:].isdigit():
        return False  # no name ends in a digit, unless it leads nowhere
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_host(host: str) -> bool:
    """Whether a host can be resolved, dialled and put into a TLS server name."""
    if is_literal(host):
        return "%" not in host  # a scope means something only on the machine that wrote it
    labels = host.removesuffix(".").split(".")
    return (
        host.isascii()
        and len(host) <= _LONGEST_NAME
        and all(0 < len(label) <= _LONGEST_LABEL for label in labels)
    )
