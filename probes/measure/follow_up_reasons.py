"""Why an extra observation was made: the words in `Observation.reason` of follow-ups.

A follow-up is a Measurement of look `follow_up` for the same endpoint in the same cycle; each of
its observations carries one of these.
"""

from enum import StrEnum


class Reason(StrEnum):
    """What a follow-up asks."""

    INNOCUOUS_SNI = "innocuous_sni"
    """An innocuous server name on the address that failed, certificate not judged: any TLS answer,
    a certificate or an alert, shows that the address and TLS to it are not what is blocked."""
    NAME_AGAIN = "name_again"
    """The endpoint's server name on that address once more, right after the innocuous one got an
    answer there: if it works now, whatever was wrong is over, and the name was not it."""
    SNI_ELSEWHERE = "sni_elsewhere"
    """The endpoint's server name on an innocuous address, certificate not judged: if that fails
    as well, the name is what is blocked, wherever it is said."""
    OPEN_RESOLVER = "open_resolver"
    """The name at an open resolver, over UDP."""
    OPEN_RESOLVER_TCP = "open_resolver_tcp"
    """The same over TCP, where injection is harder."""
    DOH = "doh"
    """The name over DNS over HTTPS."""
    HONEST_ADDRESS = "honest_address"
    """An address of the name that the vantage's own resolver did not give, but control, an open
    resolver or DoH did: a handshake there, verified for the name."""
    HTTP3 = "http3"
    """The endpoint over QUIC."""
