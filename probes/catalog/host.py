"""Hosts: names and addresses."""

import ipaddress

_LONGEST_NAME, _LONGEST_LABEL = 253, 63


def is_literal(host: str) -> bool:
    """Whether a host is an address and not a name."""
    if ":" not in host and not host[-1:].isdigit():
        return False  # no valid name ends in a digit
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_host(host: str) -> bool:
    """Whether a host can be resolved, dialled and sent as a TLS server name."""
    if is_literal(host):
        return "%" not in host  # a scope is valid only on the machine that wrote it
    labels = host.removesuffix(".").split(".")
    return (
        host.isascii()
        and host.isprintable()
        and " " not in host
        and len(host) <= _LONGEST_NAME
        and all(0 < len(label) <= _LONGEST_LABEL for label in labels)
    )
