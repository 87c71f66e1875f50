"""Why a follow-up made an observation: the values of `Observation.reason` in follow-ups.

A follow-up is a Measurement of purpose `follow_up` for the same endpoint in the same cycle. Each of
its observations carries one of these reasons.
"""

from enum import StrEnum


class Reason(StrEnum):
    """The question that an observation answers."""

    INNOCUOUS_SNI = "innocuous_sni"
    """An innocuous server name at the address that failed; the certificate is not judged. Any TLS
    answer, a certificate or an alert, shows that neither the address nor TLS to it is blocked."""
    NAME_AGAIN = "name_again"
    """The endpoint's server name at that address again, right after the innocuous name got an
    answer there. If it works now, the failure is over and the name did not cause it."""
    SNI_ELSEWHERE = "sni_elsewhere"
    """The endpoint's server name at an innocuous address; the certificate is not judged. If that
    fails too, the name is blocked, whatever address it is sent to."""
    OTHER_HELLO = "other_hello"
    """The endpoint's server name at the same address in another form of greeting; which one the
    observation says. A censor that does not put packets together, or looks only at those that it
    did, acts on one form alone."""
    OTHER_HELLO_INNOCUOUS = "other_hello_innocuous"
    """An innocuous name in that form at the same address, where the endpoint's failed. An answer
    shows that the server takes this form."""
    USUAL_HELLO = "usual_hello"
    """The endpoint's server name in the usual form again, right after the other form worked."""
    OPEN_RESOLVER = "open_resolver"
    """The name at an open resolver, over UDP."""
    OPEN_RESOLVER_TCP = "open_resolver_tcp"
    """The same over TCP, where injection is harder."""
    RESOLVER_TCP = "resolver_tcp"
    """An innocuous name at the vantage's own resolver over TCP, where asking for the endpoint's
    name over TCP was cut off. An answer shows that the resolver serves TCP."""
    DOH = "doh"
    """The name over DNS over HTTPS."""
    HONEST_ADDRESS = "honest_address"
    """A handshake, verified for the name, or a greeting in the app's own protocol, at an address
    that the vantage's own resolver did not give but a control, an open resolver or DoH did. Where
    handshakes fall silent and none works, one is made again in small segments."""
    SMALL_SEGMENTS = "small_segments"
    """The endpoint's server name again at the address that failed, in segments of at most 536
    bytes. If that works where an innocuous name fails as well, large packets get lost on the way,
    and neither name nor address is blocked."""
    PATIENCE = "patience"
    """The endpoint's server name at the address that fell silent, with several times as long for
    the handshake as usual. If it comes, nobody drops it: the way there is slow."""
    PRIVATE_ADDRESS = "private_address"
    """A handshake, verified for the name, at a private address that the vantage's own resolver
    gave: a provider may have a server of the platform there."""
    OWN_FILTER = "own_filter"
    """A name of advertisers at the vantage's own resolver, where that gave 0.0.0.0, :: or no
    address for the endpoint's. The same answer shows a filter against advertising, which has lists
    of its own."""
    ADVERTISERS = "advertisers"
    """The same name of advertisers at an open resolver over TCP and over DNS over HTTPS, where the
    vantage's own resolver gave no address: to deny a name that nobody resolves shows nothing."""
    VERIFIED_BEFORE = "verified_before"
    """No test: which of the addresses that the vantage's own resolver gave have shown a certificate
    that verifies for the name, earlier, from this vantage."""
    NEIGHBOUR = "neighbour"
    """A handshake with another host, verified for its own name, in the routed network of an address
    that made no connection. If it works, the route there is open, and the silence is about that
    address."""
    ADDRESS_AGAIN = "address_again"
    """The endpoint at that address again, right after the neighbour answered. If it works now, the
    silence is over, and may have been that of the whole line."""
    WAY = "way"
    """How far requests for a connection come on the way to an address that made none, and whether
    the ways to others part there. If they do not, no fault of a route to this address explains that
    they end."""
    SAME_ADDRESS = "same_address"
    """In a control's measurement: the endpoint at an address that failed at the field vantage. What
    answers there is neither dead nor given by a resolver that lies."""
    FLOW_NAME = "flow_name"
    """One of many handshakes with the endpoint's server name, at an address where one failed and
    another worked. How many of them fail is the share of connections that is cut off."""
    FLOW_INNOCUOUS = "flow_innocuous"
    """One of as many with an innocuous name, made in turn with these; the certificate is not
    judged."""
    HTTP3 = "http3"
    """The endpoint over QUIC."""
