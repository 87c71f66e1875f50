"""What acted? Each rule names the layer and the kind of interference.

* *Blocked for other names as well* is tls.address, at the grade the measurements have by
  themselves.
* *MTProto* is spoken by Telegram's servers only, and *Noise* by WhatsApp's. A connection that does
  not speak it comes from a middlebox, or is cut off once the app's greeting is recognised: method
  tcp, sub-method middlebox. The failure of layer app says which: silence, a reset, another answer.
* *Calls* (method udp) are accused only where other UDP worked, and are never more than weak, unless
  another owner's server for calls answered on the same port.
* *451 over a verified connection* is the platform's own act under a law: blocked, method http,
  never more than weak. When the control gets 451 too, it is insufficient.
"""

from monitor.analysis.judge.facts import Facts
from monitor.analysis.judge.rules.rule import Rule, accuses
from monitor.analysis.verdict import Evidence, State
from probes.measurement import Layer


def _own_protocol(facts: Facts) -> bool:
    return facts.accused is not None and facts.accused[0] is Layer.APP


INTERFERENCE: tuple[Rule, ...] = (
    accuses(
        "dns.nxdomain",
        "The network's resolver says the name does not exist, though it does.",
        "The platform's own name servers deny it to this country, or the resolver keeps an old"
        " mistake of theirs in its cache.",
    ),
    accuses(
        "dns.refused",
        "The network's resolver refuses to answer for this name, but not for others.",
        "The resolver limits the vantage's rate of queries.",
    ),
    accuses(
        "dns.servfail",
        "The network's resolver reports a fault for this name, though it resolves elsewhere.",
        "The resolver cannot reach, or cannot validate, the platform's name servers.",
    ),
    accuses(
        "dns.no_answer",
        "The network's resolver says the name has no addresses, though it has.",
        "The platform's own name servers deny it to this country, or the resolver keeps an old"
        " mistake of theirs in its cache.",
    ),
    accuses(
        "dns.timeout",
        "DNS queries for this name get no answer, while others do.",
        "The platform's name servers are slow to answer this resolver.",
    ),
    accuses(
        "dns.reset",
        "The network's resolver is asked over TCP, as its reply over UDP is cut short, and the"
        " connection is reset.",
        "The resolver serves nobody over TCP, and no follow-up asked it for another name.",
    ),
    accuses(
        "dns.eof",
        "The network's resolver is asked over TCP, as its reply over UDP is cut short, and the"
        " connection is closed.",
        "The resolver serves nobody over TCP, and no follow-up asked it for another name.",
    ),
    accuses(
        "tcp.refused",
        "Connections to the platform's addresses are refused, though they work elsewhere.",
        "The resolver sent us to a server that is being taken out of service.",
    ),
    accuses(
        "tcp.reset",
        "Connections to the platform's addresses are reset while they are made.",
        "A firewall at the vantage's own site does it.",
    ),
    accuses(
        "tcp.unreachable",
        "Routers report the platform's addresses as unreachable, though they are not elsewhere.",
        "The network has a routing fault towards the platform.",
    ),
    accuses(
        "tcp.timeout",
        "Connections to the platform's addresses get no answer, more often than loss explains.",
        "The network has a routing fault towards the platform, or several of its servers died for"
        " this region alone.",
    ),
    accuses(
        "tls.reset",
        "The connection is cut when the platform's name is sent.",
        "A firewall at the vantage's own site does it.",
    ),
    accuses(
        "tls.eof",
        "The connection is closed when the platform's name is sent.",
        "The platform's nearest server is faulty.",
    ),
    accuses(
        "tls.alert",
        "The TLS handshake is refused when the platform's name is sent.",
        "The platform's nearest server is set up differently from the one the control met.",
    ),
    accuses(
        "tls.short_hello",
        "The connection is cut off when the platform's name is sent in a short greeting, as many"
        " apps send it, and not in a long one, as browsers do.",
        "The platform's nearest server fails on short greetings with its own name.",
    ),
    accuses(
        "tls.large_hello",
        "The connection is cut off when the platform's name is sent in a long greeting of several"
        " packets, as browsers send it, and not in a short one.",
        "The platform's nearest server fails on long greetings with its own name.",
    ),
    accuses(
        "tls.address",
        "TLS handshakes with the platform's address fail whatever name is sent, so the address"
        " is blocked and not the name.",
        "The platform's nearest server is faulty, or a censor that cut off the name blocks the"
        " address for a while.",
    ),
    accuses(
        "tls.handshake",
        "What answers in the platform's place does not speak the encrypted protocol.",
        "A faulty server or middlebox; never more than weak, unless another name gets an encrypted"
        " answer at the same address.",
    ),
    accuses(
        "tls.timeout",
        "After the platform's name is sent nothing comes back, more often than loss explains.",
        "Large packets do not get through to the platform (path MTU), and no follow-up was made.",
    ),
    accuses(
        "http.reset",
        "The connection is cut when the page is requested.",
        "The platform's nearest server is faulty.",
    ),
    accuses(
        "http.eof",
        "The connection is closed when the page is requested, before it arrives.",
        "The platform's nearest server is faulty.",
    ),
    accuses(
        "http.timeout",
        "The page is requested and does not arrive, more often than loss explains.",
        "The platform's nearest server is overloaded.",
    ),
    accuses(
        "http.status_451",
        "An answer without encryption says the law forbids the page; elsewhere it is shown.",
        "The site itself, not the network, withholds it.",
    ),
    accuses(
        "http.withheld",
        "The platform itself says, over a verified connection, that the law forbids showing it"
        " here; no network is accused.",
        "The platform withholds it from this kind of visitor only; never more than weak.",
    ),
    accuses(
        "http.blockpage",
        "The answer, which is not encrypted, is another page, or a redirect to a foreign site,"
        " instead of the page shown elsewhere.",
        "The site shows each country another page, or sends it to another domain of its own.",
    ),
    Rule(
        id="app.middlebox",
        meaning="A connection is made, but what answers there does not speak the platform's own"
        " protocol: something in between made the connection, or cuts it off.",
        state=State.BLOCKED,
        method=Layer.TCP.value,
        sub_method="middlebox",
        grade_ceiling=Evidence.STRONG,
        wrong_when="The platform's server is overloaded, or its protocol has changed. Or a firewall"
        " lets only TLS and HTTP through; therefore never more than weak where apps of several"
        " protocols are greeted and none is answered.",
        matches=lambda facts: _own_protocol(facts) and not facts.calls_fail,
    ),
    Rule(
        id="app.stun",
        meaning="The server that calls need does not answer over UDP, while others do.",
        state=State.BLOCKED,
        method="udp",
        sub_method="stun",
        grade_ceiling=Evidence.STRONG,
        wrong_when="A firewall lets through some UDP and not this port; therefore never more than"
        " weak, unless another owner's server for calls answers on the same port.",
        matches=lambda facts: _own_protocol(facts) and facts.calls_fail,
    ),
)
