"""Phrases for what went wrong: failures of single tests, and methods of blocking.

The page and the report word each test they show by its *failure* ("the connection was reset").
Messages, alerts, event pages and summaries word what a network does by its *method*: each phrase
completes the sentence "NETWORK: …" ("connections are reset when the platform's name appears"). The
terse `method.sub_method` is always shown next to the phrase, for experts.
"""

import re
from collections.abc import Mapping

from monitor.wording.languages import N_
from monitor.wording.words import Words, words_in
from probes.failure_strings import Failure

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


METHODS: Mapping[str, str] = {
    "dns": N_("the name does not resolve correctly"),
    "dns.bogon": N_("DNS gives an address that no public service can have"),
    "dns.hijack": N_("DNS gives a wrong address"),
    "dns.injection": N_("a forged DNS answer arrives before the real one"),
    "dns.no_answer": N_("DNS says the name has no address"),
    "dns.nxdomain": N_("DNS says the name does not exist"),
    "dns.refused": N_("DNS queries for the name are refused"),
    "dns.servfail": N_("DNS queries for the name are answered with an error"),
    "dns.timeout": N_("DNS queries for the name get no answer"),
    "tcp": N_("connections cannot be made"),
    "tcp.middlebox": N_("something on the path intercepts the connections or cuts them"),
    "tcp.refused": N_("connections are refused"),
    "tcp.reset": N_("connections are reset while they are made"),
    "tcp.timeout": N_("connections get no answer"),
    "tcp.unreachable": N_("the platform's addresses are reported as unreachable"),
    "tls": N_("encrypted connections fail"),
    "tls.address": N_("encrypted connections to the platform's address fail with any name"),
    "tls.alert": N_("connections are refused when the platform's name appears"),
    "tls.certificate": N_("somebody else answers with a false certificate"),
    "tls.eof": N_("connections are closed when the platform's name appears"),
    "tls.handshake": N_("something else answers that does not speak TLS"),
    "tls.large_hello": N_("encrypted connections fail when the name comes in a long greeting"),
    "tls.reset": N_("connections are reset when the platform's name appears"),
    "tls.short_hello": N_("encrypted connections fail when the name comes in a short greeting"),
    "tls.timeout": N_("connections go silent when the platform's name appears"),
    "http": N_("pages do not load"),
    "http.blockpage": N_("another page appears instead of the platform's"),
    "http.eof": N_("connections are closed when the page is requested"),
    "http.reset": N_("connections are reset when the page is requested"),
    "http.status_451": N_("the answer says that the law forbids the page"),
    "http.timeout": N_("requests for pages get no answer"),
    "quic": N_("it does not answer over HTTP/3, which apps and browsers prefer"),
    "udp.stun": N_("calls cannot be set up"),
    "throttling.rate": N_("transfers are slow"),
    "throttling.stall": N_("transfers stop halfway"),
}
"""By `method.sub_method`, or by `method` alone for any other sub-method."""
METHODS_PAST: Mapping[str, str] = {
    "dns": N_("the name did not resolve correctly"),
    "dns.bogon": N_("DNS gave an address that no public service can have"),
    "dns.hijack": N_("DNS gave a wrong address"),
    "dns.injection": N_("a forged DNS answer arrived before the real one"),
    "dns.no_answer": N_("DNS said the name had no address"),
    "dns.nxdomain": N_("DNS said the name did not exist"),
    "dns.refused": N_("DNS queries for the name were refused"),
    "dns.servfail": N_("DNS queries for the name were answered with an error"),
    "dns.timeout": N_("DNS queries for the name got no answer"),
    "tcp": N_("connections could not be made"),
    "tcp.middlebox": N_("something on the path intercepted the connections or cut them"),
    "tcp.refused": N_("connections were refused"),
    "tcp.reset": N_("connections were reset while they were made"),
    "tcp.timeout": N_("connections got no answer"),
    "tcp.unreachable": N_("the platform's addresses were reported as unreachable"),
    "tls": N_("encrypted connections failed"),
    "tls.address": N_("encrypted connections to the platform's address failed with any name"),
    "tls.alert": N_("connections were refused when the platform's name appeared"),
    "tls.certificate": N_("somebody else answered with a false certificate"),
    "tls.eof": N_("connections were closed when the platform's name appeared"),
    "tls.handshake": N_("something else answered that does not speak TLS"),
    "tls.large_hello": N_("encrypted connections failed when the name came in a long greeting"),
    "tls.reset": N_("connections were reset when the platform's name appeared"),
    "tls.short_hello": N_("encrypted connections failed when the name came in a short greeting"),
    "tls.timeout": N_("connections went silent when the platform's name appeared"),
    "http": N_("pages did not load"),
    "http.blockpage": N_("another page appeared instead of the platform's"),
    "http.eof": N_("connections were closed when the page was requested"),
    "http.reset": N_("connections were reset when the page was requested"),
    "http.status_451": N_("the answer said that the law forbids the page"),
    "http.timeout": N_("requests for pages got no answer"),
    "quic": N_("it did not answer over HTTP/3, which apps and browsers prefer"),
    "udp.stun": N_("calls could not be set up"),
    "throttling.rate": N_("transfers were slow"),
    "throttling.stall": N_("transfers stopped halfway"),
}
"""The same of what is over."""
_NAME = re.compile(r"[a-z]{1,20}(?:\.[a-z0-9_]{0,30})?")
"""A name as the rules make it, which holds no markup."""


_STALL = re.compile(r"throttling\.stall_(?P<size>\d{1,6})k")
STALLS, STALLED = (
    N_("connections carry about %(size)s KB, and then nothing more"),
    N_("connections carried about %(size)s KB, and then nothing more"),
)


def method_name(method: str, sub_method: str) -> str:
    """`tls.reset`, `quic`, or empty when nothing is accused."""
    return ".".join(filter(None, (method, sub_method)))


def method_in_words(words: Words, name: str, *, past: bool = False) -> str:
    """`tls.reset` as a phrase, in the past tense for what is over; the name itself when it has
    none."""
    stall = _STALL.fullmatch(name)
    if stall is not None:
        return words.gettext(STALLED if past else STALLS, size=words.number(int(stall["size"])))
    phrases = METHODS_PAST if past else METHODS
    message = phrases.get(name) or phrases.get(name.partition(".")[0])
    return words.gettext(message) if message else words.name(name, 60)


def method_and_name(words: Words, name: str, *, past: bool = False) -> str:
    """The phrase with the terse name after it: `transfers are slow (throttling.rate)`."""
    phrase, shown = method_in_words(words, name, past=past), words.name(name, 60)
    if phrase == shown:
        return shown
    return f"{phrase} ({words.ltr(name) if _NAME.fullmatch(name) else shown})"


def method_label(method: str, sub_method: str = "", *, past: bool = False) -> str:
    """The English phrase for a metric's label."""
    return method_in_words(words_in(), method_name(method, sub_method), past=past)
