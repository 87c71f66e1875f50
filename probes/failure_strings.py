"""The failure vocabulary: OONI's strings (specification df-007).

A network failure is data. Only `probes.sockets.failure_mapping` turns exceptions into strings.
"""

from enum import StrEnum


class Failure(StrEnum):
    """What failed, in OONI's strings. An observation without failure has `None`."""

    ADDRESS_FAMILY_NOT_SUPPORTED = "address_family_not_supported"
    ADDRESS_IN_USE = "address_in_use"
    ADDRESS_NOT_AVAILABLE = "address_not_available"
    CONNECTION_ABORTED = "connection_aborted"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_RESET = "connection_reset"
    DNS_BOGON = "dns_bogon_error"
    DNS_NO_ANSWER = "dns_no_answer"
    DNS_NON_RECOVERABLE = "dns_non_recoverable_failure"
    DNS_NXDOMAIN = "dns_nxdomain_error"
    DNS_REFUSED = "dns_refused_error"
    DNS_WRONG_QUERY_ID = "dns_reply_with_wrong_query_id"
    DNS_SERVER_MISBEHAVING = "dns_server_misbehaving"
    DNS_SERVFAIL = "dns_servfail_error"
    DNS_TEMPORARY = "dns_temporary_failure"
    EOF = "eof_error"
    GENERIC_TIMEOUT = "generic_timeout_error"
    """Our own deadline passed."""
    HOST_UNREACHABLE = "host_unreachable"
    HTTP_INVALID_REDIRECT = "http_invalid_redirect_location_host"
    INTERRUPTED = "interrupted"
    NETWORK_DOWN = "network_down"
    NETWORK_RESET = "network_reset"
    NETWORK_UNREACHABLE = "network_unreachable"
    NOT_CONNECTED = "not_connected"
    PERMISSION_DENIED = "permission_denied"
    QUIC_INCOMPATIBLE_VERSION = "quic_incompatible_version"
    SSL_FAILED_HANDSHAKE = "ssl_failed_handshake"
    SSL_INVALID_CERTIFICATE = "ssl_invalid_certificate"
    SSL_INVALID_HOSTNAME = "ssl_invalid_hostname"
    SSL_UNKNOWN_AUTHORITY = "ssl_unknown_authority"
    TIMED_OUT = "timed_out"
    """The kernel gave up (ETIMEDOUT), as opposed to our own deadline."""


UNKNOWN_PREFIX = "unknown_failure: "
"""Any other failure is this prefix and the scrubbed text of the error."""

TIMEOUTS = frozenset({Failure.GENERIC_TIMEOUT, Failure.TIMED_OUT})
"""Failures that packet loss alone can cause, so they are evidence only when loss is known."""

UNREACHABLE = frozenset(
    {Failure.HOST_UNREACHABLE, Failure.NETWORK_UNREACHABLE, Failure.PERMISSION_DENIED}
)
"""Failures from ICMP errors. ICMPv6 "administratively prohibited" becomes permission denied."""

UNANSWERED = TIMEOUTS | UNREACHABLE
"""Failures of a connection to which the address itself answered nothing."""

CERTIFICATE_FAILURES = frozenset(
    {Failure.SSL_INVALID_CERTIFICATE, Failure.SSL_INVALID_HOSTNAME, Failure.SSL_UNKNOWN_AUTHORITY}
)


FORGED = frozenset({Failure.SSL_INVALID_HOSTNAME, Failure.SSL_UNKNOWN_AUTHORITY})
"""An expired certificate is a common mistake of genuine sites; these two are not."""


def unknown_failure(scrubbed_text: str) -> str:
    """The string for a failure outside the vocabulary; the text must not contain an address."""
    return f"{UNKNOWN_PREFIX}{scrubbed_text}"


TURNED_AWAY = unknown_failure("MTProto transport flood")
"""One of Telegram's data centres takes no more connections from this address, which many people may
share. Nothing in between says so."""


def failure_class(failure: str) -> str:
    """`failure` as a value of a bounded set, for a metric label."""
    return "unknown_failure" if failure.startswith(UNKNOWN_PREFIX) else failure
