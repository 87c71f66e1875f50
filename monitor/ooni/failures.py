"""OONI's failure strings over the years → the vocabulary of `probes.failure_strings`.

Today's strings are the vocabulary itself. Older ones are mapped to the failure that claims no more
than they did; unclear ones stay unknown and accuse nobody.
"""

from probes.failure_strings import UNKNOWN_PREFIX, Failure, unknown_failure
from probes.layers.scrub import Scrubber
from probes.measurement import Layer

_KNOWN = {str(failure): str(failure) for failure in Failure}
_OLD = {
    "connection_refused_error": Failure.CONNECTION_REFUSED,
    "tcp_timed_out_error": Failure.TIMED_OUT,
    "deferred_timeout_error": Failure.GENERIC_TIMEOUT,
    "task_timed_out": Failure.GENERIC_TIMEOUT,
    # The connection ended before any answer came.
    "response_never_received": Failure.EOF,
    # These say that a name did not resolve, not why. Android uses them offline as well.
    "dns_lookup_error": Failure.DNS_NON_RECOVERABLE,
    "android_dns_cache_no_data": Failure.DNS_NON_RECOVERABLE,
    # getaddrinfo's EAI_NONAME.
    "host_or_service_not_provided_or_not_known": Failure.DNS_NXDOMAIN,
    "no_answer": Failure.DNS_NO_ANSWER,
}
_LONGEST = 200
"""Characters kept of an unknown failure."""
_CONNECTING = frozenset(
    {
        Failure.CONNECTION_REFUSED,
        Failure.HOST_UNREACHABLE,
        Failure.NETWORK_UNREACHABLE,
        Failure.ADDRESS_FAMILY_NOT_SUPPORTED,
    }
)


def failure_of(text: str | bool | None, scrubber: Scrubber) -> str | None:
    """The failure in this vocabulary; None for none, which old engines wrote as false."""
    if text is None or text is False or text == "":
        return None
    if text is True:
        return unknown_failure("no words given")
    known = _KNOWN.get(text) or _OLD.get(text)
    if known is not None:
        return str(known)
    return unknown_failure(scrubber.text(text.removeprefix(UNKNOWN_PREFIX))[:_LONGEST])


def implied_layer(failure: str) -> Layer:
    """The layer on which a request failed that reports only its failure."""
    if failure.startswith("dns_"):
        return Layer.DNS
    if failure.startswith("ssl_"):
        return Layer.TLS
    return Layer.TCP if failure in _CONNECTING else Layer.HTTP
