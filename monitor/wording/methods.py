"""What a network does to a platform, in words for people who run no network.

Each completes the sentence "PTCL: …". The terse `method.sub_method` stays beside them wherever they
are shown, since that is what a second expert asks for.
"""

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    "dns": "the name does not resolve as it should",
    "dns.bogon": "the name is answered with an address that cannot be real",
    "dns.hijack": "the name is answered with a wrong address",
    "dns.injection": "a forged answer about the name comes before the true one",
    "dns.no_answer": "the name is said to have no address",
    "dns.nxdomain": "the name is said not to exist",
    "dns.refused": "questions about the name are refused",
    "dns.servfail": "questions about the name are answered with an error",
    "dns.timeout": "questions about the name get no answer",
    "tcp": "no connection can be made",
    "tcp.middlebox": "something in between takes the connections, or cuts them off",
    "tcp.refused": "connections are refused",
    "tcp.reset": "connections are cut while they are made",
    "tcp.timeout": "connections get no answer",
    "tcp.unreachable": "the platform's addresses are reported as unreachable",
    "tls": "encrypted connections fail",
    "tls.address": "encrypted connections to the platform's address fail, whatever the name",
    "tls.alert": "connections are refused once the platform's name is seen",
    "tls.certificate": "somebody else answers with a false certificate",
    "tls.eof": "connections are closed once the platform's name is seen",
    "tls.handshake": "something else answers that does not speak encryption",
    "tls.reset": "connections are cut once the platform's name is seen",
    "tls.timeout": "connections go silent once the platform's name is seen",
    "http": "pages do not come",
    "http.blockpage": "another page comes in place of the platform's",
    "http.eof": "connections are closed once the page is asked for",
    "http.reset": "connections are cut once the page is asked for",
    "http.status_451": "an answer says that the law forbids the page",
    "http.timeout": "pages are asked for and do not come",
    "quic": "it does not answer over HTTP/3, which apps and browsers prefer",
    "udp.stun": "calls cannot be set up",
    "throttling.rate": "it is slowed down",
    "throttling.stall": "transfers stop half-way",
}
"""By `method.sub_method`, or by `method` alone for whatever else it may be."""


def method_in_words(method: str, sub_method: str = "") -> str:
    """What is done, in a few words; the terse form where there are no words for it."""
    terse = f"{method}.{sub_method}" if sub_method else method
    return WORDS.get(terse) or WORDS.get(method) or terse
