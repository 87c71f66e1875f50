"""Phrases for failures: what one layer showed in one test.

The page and the report use them where they show single tests. `monitor.wording.methods` words how a
network blocks a platform.
"""

from collections.abc import Mapping

from monitor.wording.languages import N_
from monitor.wording.words import Words
from probes.failure import Failure

FAILURES: Mapping[str, str] = {
    Failure.ADDRESS_FAMILY_NOT_SUPPORTED: N_("this kind of address does not work here"),
    Failure.ADDRESS_IN_USE: N_("our own machine had no free port"),
    Failure.ADDRESS_NOT_AVAILABLE: N_("our own machine did not have that address"),
    Failure.CONNECTION_ABORTED: N_("the connection was aborted"),
    Failure.CONNECTION_REFUSED: N_("the connection was refused"),
    Failure.CONNECTION_RESET: N_("the connection was reset"),
    Failure.DNS_BOGON: N_("DNS gives an address that no public service can have"),
    Failure.DNS_NO_ANSWER: N_("DNS says the name has no address"),
    Failure.DNS_NON_RECOVERABLE: N_("the name could not be resolved"),
    Failure.DNS_NXDOMAIN: N_("DNS says the name does not exist"),
    Failure.DNS_REFUSED: N_("the resolver refused the query"),
    Failure.DNS_WRONG_QUERY_ID: N_("the resolver answered another query"),
    Failure.DNS_SERVER_MISBEHAVING: N_("the resolver sent a malformed answer"),
    Failure.DNS_SERVFAIL: N_("the resolver reported an error"),
    Failure.DNS_TEMPORARY: N_("the name could not be resolved at that moment"),
    Failure.EOF: N_("the connection was closed early"),
    Failure.GENERIC_TIMEOUT: N_("no answer in time"),
    Failure.HOST_UNREACHABLE: N_("the address was reported as unreachable"),
    Failure.HTTP_INVALID_REDIRECT: N_("the redirect leads nowhere"),
    Failure.INTERRUPTED: N_("the test was interrupted"),
    Failure.NETWORK_DOWN: N_("our own link was down"),
    Failure.NETWORK_RESET: N_("our own link was lost"),
    Failure.NETWORK_UNREACHABLE: N_("the network was reported as unreachable"),
    Failure.NOT_CONNECTED: N_("the connection was lost"),
    Failure.PERMISSION_DENIED: N_("our own machine did not allow it"),
    Failure.QUIC_INCOMPATIBLE_VERSION: N_("no QUIC version in common"),
    Failure.SSL_FAILED_HANDSHAKE: N_("the TLS handshake failed"),
    Failure.SSL_INVALID_CERTIFICATE: N_("the certificate is not valid"),
    Failure.SSL_INVALID_HOSTNAME: N_("the certificate is for another name"),
    Failure.SSL_UNKNOWN_AUTHORITY: N_("no known authority signed the certificate"),
    Failure.TIMED_OUT: N_("no answer at all"),
}
"""By OONI's string."""

BLOCK_PAGE = N_("a page that is known to appear instead of blocked ones")


def failure_in_words(words: Words, failure: str) -> str:
    """A failure as a phrase; one outside the vocabulary as it was recorded."""
    if failure.startswith("blockpage:"):
        return words.gettext(BLOCK_PAGE)
    return words.phrase(FAILURES, failure, 120)
