"""Phrases for what a measurement showed, layer by layer."""

from collections.abc import Iterator, Mapping

from monitor.wording.failures_and_methods import failure_in_words
from monitor.wording.languages import N_
from monitor.wording.words import Words
from probes.measure.follow_up_reasons import Reason
from probes.measurement import (
    AnyObservation,
    AppObservation,
    DnsObservation,
    EgressObservation,
    HttpObservation,
    Layer,
    QuicObservation,
    TcpObservation,
    TlsObservation,
    TransferObservation,
)

LAYERS: Mapping[str, str] = {
    Layer.EGRESS: N_("Our own proxy"),
    Layer.DNS: N_("Name (DNS)"),
    Layer.TCP: N_("Connection (TCP)"),
    Layer.TLS: N_("Encryption (TLS)"),
    Layer.HTTP: N_("Page (HTTP)"),
    Layer.APP: N_("App's own protocol"),
    Layer.QUIC: N_("HTTP/3 (QUIC)"),
    Layer.TRANSFER: N_("Speed"),
}

FOLLOW_UPS: Mapping[str, str] = {
    Reason.INNOCUOUS_SNI: N_("Same server, harmless name"),
    Reason.NAME_AGAIN: N_("Same server, the platform's name again right afterwards"),
    Reason.SNI_ELSEWHERE: N_("Unrelated server, the platform's name"),
    Reason.OTHER_HELLO: N_("Same server, the platform's name in another form of greeting"),
    Reason.OTHER_HELLO_INNOCUOUS: N_("Same server, harmless name in that form"),
    Reason.USUAL_HELLO: N_("Same server, the platform's name in the usual form again"),
    Reason.RESOLVER_TCP: N_("Harmless name, the network's resolver over TCP"),
    Reason.OPEN_RESOLVER: N_("Same name, another resolver"),
    Reason.OPEN_RESOLVER_TCP: N_("Same name, another resolver over TCP"),
    Reason.DOH: N_("Same name, encrypted DNS (DoH)"),
    Reason.HONEST_ADDRESS: N_("An address of the platform that others gave"),
    Reason.PATIENCE: N_("Same server, the platform's name, with more time to answer"),
    Reason.SMALL_SEGMENTS: N_("Same server, the platform's name in small packets"),
    Reason.NEIGHBOUR: N_("Another server on the same network, its own name"),
    Reason.ADDRESS_AGAIN: N_("The silent address again right afterwards"),
    Reason.WAY: N_("How far packets to the server come"),
    Reason.PRIVATE_ADDRESS: N_("The private address that the resolver gave"),
    Reason.OWN_FILTER: N_("A name of advertisers, the network's resolver"),
    Reason.ADVERTISERS: N_("The same name of advertisers, other resolvers"),
    Reason.VERIFIED_BEFORE: N_("Addresses that were the platform's earlier"),
    Reason.SAME_ADDRESS: N_("The address that failed, from a control"),
    Reason.FLOW_NAME: N_("Many connections to the same server, the platform's name"),
    Reason.FLOW_INNOCUOUS: N_("Many connections to the same server, harmless name"),
    Reason.HTTP3: N_("The same over HTTP/3 (QUIC)"),
}
"""Tests that tell causes apart."""

_ADDRESSES = 4
"""Addresses of one answer that are shown."""
_NOT_JUDGED = (
    Reason.INNOCUOUS_SNI,
    Reason.SNI_ELSEWHERE,
    Reason.OTHER_HELLO_INNOCUOUS,
    Reason.FLOW_INNOCUOUS,
)
"""Tests that accept any certificate."""


def layer_in_words(words: Words, layer: str) -> str:
    """A layer's name for people."""
    return words.gettext(LAYERS[layer])


def worked(one: AnyObservation) -> bool:
    """Whether an observation shows nothing wrong."""
    return one.failure is None and not (isinstance(one, HttpObservation) and not one.expected)


def observed(words: Words, one: AnyObservation) -> Iterator[str]:
    """What one observation showed, in a few phrases."""
    if one.failure is not None:
        yield failure_in_words(words, one.failure)
    match one:
        case DnsObservation():
            yield from _resolved(words, one)
        case TcpObservation() | QuicObservation():
            if one.failure is None:
                yield words.gettext("connected")
            if one.address:
                yield words.ltr(one.address)
        case TlsObservation():
            if one.failure is None and one.reason in _NOT_JUDGED:
                yield words.gettext("an encrypted answer came")
            elif one.failure is None:
                yield words.gettext("the certificate proves that it is the platform")
            if one.server_name:
                yield words.name(one.server_name, 80)
            if one.verify_error:
                yield words.name(one.verify_error, 120)
        case HttpObservation():
            if not one.expected:
                yield words.gettext("not the expected page")
            if one.status:
                yield words.gettext("HTTP status %(status)s", status=str(one.status))
            if one.title:
                yield words.gettext("title: %(title)s", title=words.name(one.title, 120))
            if one.location:
                yield words.gettext("redirect to %(url)s", url=words.name(one.location, 120))
        case AppObservation():
            if one.failure is None:
                yield words.gettext("answered in its own protocol")
            yield words.name(one.protocol, 20)
        case TransferObservation():
            yield words.gettext(
                "%(read)s of %(wanted)s bytes in %(seconds)s s",
                read=words.number(one.bytes_read),
                wanted=words.number(one.bytes_wanted),
                seconds=words.number(round(one.duration, 1)),
            )
            if one.server_name:
                yield words.name(one.server_name, 80)
        case EgressObservation():
            if one.failure is None:
                yield words.gettext("works")


def _resolved(words: Words, one: DnsObservation) -> Iterator[str]:
    if one.addresses:
        shown = [words.ltr(address) for address in one.addresses[:_ADDRESSES]]
        rest = len(one.addresses) - _ADDRESSES
        if rest > 0:
            shown.append(words.gettext("%(n)s more", n=words.number(rest)))
        yield words.listed(shown)
    elif one.failure is None:
        yield words.gettext("an answer without addresses")
    if len({(a.rcode, a.addresses) for a in one.answers if a.query == 1}) > 1:
        yield words.gettext("two answers that contradict each other")
    yield words.name(f"{one.name} {one.rtype}".lstrip(), 100)
