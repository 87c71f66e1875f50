"""What follow-ups change: comparing two tests tells more than either alone.

A failure that two attempts share may have an innocent cause: a faulty server near by, a broken
route, a resolver with an old answer. Each follow-up varies one thing and keeps the rest:

* *Another name at the same address.* When it gets an answer in TLS, and our name, tried once more
  after it, is cut off again, the server is there and the name is blocked. Where ours got through
  after silence, packets may have been lost, and silence is weak. When the other name fails as
  well, the address is blocked or broken: the rule becomes tls.address at the same grade.
* *The same name at an unrelated address.* When it fails in the same way, the name is blocked. Only
  resets and timeouts count: some servers answer a foreign name with an alert or hang up.
* *The same name in another form of greeting.* When that works and the usual one fails again, where
  an innocuous name in the usual form gets an answer, one form alone is cut off.
* *The same name in small segments.* Where any name falls silent at the address and this works, only
  large packets get lost (path MTU). Silence for any name is never more than weak without it.
* *Another host beside a silent address, and how far packets to it come.* They tell silent addresses
  from a dead route to them, as `monitor.analysis.judge.silent_addresses` explains.
* *Many connections with both names.* Where a share of all connections to the platform is cut off,
  an endpoint accuses only with what that share does not explain
  (`monitor.analysis.judge.cut_by_chance`).
* *The same address from a control.* Where the platform's own address shows a control the same
  failure, its server is at fault, and nobody is accused.
* *The same name, given time.* Where a handshake works at last, or worked in an attempt before, but
  takes long for the distance, nobody drops it: the way there is slow, which
  `monitor.analysis.throttling` judges.
* *Another source for the name's addresses.* An address is right when the handshake there verifies
  for the name. Large platforms give each network other addresses, so **no rule compares addresses
  to accuse**. A matching address only clears: a false certificate there was inserted on the path,
  and silence there is not the resolver's fault. So does an address where the name's certificate
  verified here before, or verifies at the private address that looked like a lie. Where only the
  resolver's addresses are silent, a provider's cache may have died: nobody is accused, unless
  another owner's names lead there, too (`monitor.analysis.judge.common_addresses`). Nobody on the
  path can make a DoH server deny the name: where it does, the platform's own name servers may.

Trusted sources are the control, and resolvers asked over TCP or DoH. A reply over UDP may be
forged. Follow-ups make strong evidence conclusive, never weak evidence strong, but where it was
weak for packets that may be lost and many connections show that they are not. One that was not
made counts neither for nor against anybody: it makes nothing conclusive, and finds no ordinary
fault.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.controls import DENIALS, proven_elsewhere, reached_at
from monitor.analysis.judge.cut_by_chance import ANY_NAME, cut_by_chance
from monitor.analysis.judge.genuine_chains import verified_elsewhere
from monitor.analysis.judge.grade_by_sign import Sign, capped, signs
from monitor.analysis.judge.interception import opened
from monitor.analysis.judge.lossy_paths import lost
from monitor.analysis.measurement_summary import TIMEOUT, Summary, contradicting, sub_method_of
from monitor.analysis.verdict import Evidence, VantageState
from probes.failure_strings import FORGED
from probes.layers.bogon import NOWHERE
from probes.measure.follow_up_reasons import Reason
from probes.measurement import (
    ONE_PACKET,
    AnyObservation,
    AppObservation,
    DnsObservation,
    Layer,
    TcpObservation,
    TlsObservation,
    family_of,
    layer_of,
)

HIJACK: Sign = (Layer.DNS, "hijack")
DEAD_ADDRESS: Sign = (Layer.DNS, "dead_address")
"""Our resolver's addresses are silent, or died, while the platform answers at others from here."""
PRIVATE_ADDRESS: Sign = (Layer.DNS, "private_address")
"""The platform answers at the private address that our resolver gives."""
DECRYPTED: Sign = (Layer.DNS, "decrypted")
"""A device at the vantage's own site decrypts what would show whether our resolver's addresses are
the platform's."""
OWN_FILTER: Sign = (Layer.DNS, "own_filter")
"""Our resolver answers for advertisers as it does for the platform."""
SAME_CHAIN: Sign = (Layer.TLS, "same_chain")
"""What is refused here is the chain that a control verified."""
SHORT_HELLO: Sign = (Layer.TLS, "short_hello")
"""Greetings with our name that come in one packet are cut off, others are not."""
LARGE_HELLO: Sign = (Layer.TLS, "large_hello")
"""Those that come in several packets are, and shorter ones are not."""
LARGE_PACKETS: Sign = (Layer.TLS, "large_packets")
"""Only large packets get lost on the way to the address."""
LATE: Sign = (Layer.TLS, "late")
"""The handshake comes, but takes longer than a test waits."""
LATE_RULE = "tls.late"
SLOW = "throttling.rate"
"""The rule by which another endpoint of the function was found slow in this cycle. Where tests
share a line that is held to a rate, some of them wait longer than they can."""
LATE_HANDSHAKE, LATE_FOR_DISTANCE = 1.0, 8.0
"""A handshake is late that takes so many seconds, and so many times as long as connecting did."""
EXPLAINS = {
    "dns.private_address": frozenset(signs("dns.bogon")),
    "dns.own_filter": frozenset(signs("dns.bogon dns.nxdomain dns.refused dns.no_answer")),
    "dns.dead_address": frozenset(
        signs("dns.bogon tcp.timeout tcp.refused tcp.unreachable tls.timeout")
    ),
    "dns.decrypted": frozenset(signs("dns.bogon tcp.timeout tls.timeout")),
    "tls.large_packets": frozenset(signs("tls.timeout http.timeout")),
    LATE_RULE: frozenset(signs("tls.timeout http.timeout")),
}
"""Rule of an ordinary fault that follow-ups found → the signs that it explains."""
HIJACK_RULE = "dns.hijack"
"""The rule by which follow-ups found the resolver to lead another endpoint astray."""
EXPLAINED, ALIKE = "explained", "alike"
ADDRESS: Sign = (Layer.TLS, "address")
_BOTH = ("ipv4", "ipv6")

CONCLUSIVE: frozenset[Sign] = frozenset(
    signs(
        "dns.hijack dns.injection dns.bogon dns.nxdomain dns.refused dns.servfail dns.no_answer"
        " dns.timeout dns.reset dns.eof tcp.timeout tcp.unreachable tls.short_hello tls.large_hello"
        " tls.address tls.certificate tls.handshake tls.reset tls.eof tls.alert tls.timeout"
    )
)
"""Signs that follow-ups can make conclusive."""

AGREEING = 2
"""Attempts that must agree before anything is conclusive."""

_AT_DEAD_ADDRESS = frozenset(signs("tcp.timeout tls.timeout"))
_HELLO = ("reset", "eof", "alert", "handshake", TIMEOUT)
_CUT_OFF = ("reset", TIMEOUT)
_UNANSWERED = (TIMEOUT, "unreachable")
_RESOLVERS_FAULT = ("servfail", TIMEOUT)
"""Failures of a resolver that cannot reach the platform's name servers."""
_NO_TCP = ("reset", "eof")
"""Failures of a resolver that serves nobody over TCP, where its answers are too long for UDP."""
_HONEST = (Reason.OPEN_RESOLVER_TCP, Reason.DOH)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Sign and grade once the follow-ups are taken into account."""

    sign: Sign
    evidence: Evidence


class _Clues(msgspec.Struct, frozen=True, kw_only=True):
    """The follow-ups made after the failure, about the host that failed."""

    host: str
    summaries: tuple[Summary, ...]
    """The attempts that agree on the sign, in the order made."""
    dns: tuple[DnsObservation, ...]
    for_advertisers: tuple[DnsObservation, ...]
    """Answers for a name of theirs, of the vantage's own resolver and of others."""
    tls: tuple[TlsObservation, ...]
    apps: tuple[AppObservation, ...]
    """Greetings in an app's own protocol."""
    only_these: bool
    """Nothing but being these addresses explains the silence of those that failed."""
    resolver_serves_tcp: bool
    """The vantage's own resolver answered for another name over TCP."""


def reread(
    case: Case,
    sign: Sign,
    evidence: Evidence,
    agreeing: Sequence[Summary],
    working: Sequence[Summary],
) -> Reading:
    """The sign and grade of attempts that agree, given the case's follow-ups.

    `evidence` is the grade of the attempts alone, `agreeing` the attempts that show the sign and
    `working` the control measurements that worked. Without follow-ups nothing changes.
    """
    reading = _reread(case, sign, evidence, agreeing, working)
    if case.perhaps_loses_packets and lost(sign):
        return msgspec.structs.replace(reading, evidence=capped(reading.evidence, Evidence.WEAK))
    return reading


def _reread(
    case: Case,
    sign: Sign,
    evidence: Evidence,
    agreeing: Sequence[Summary],
    working: Sequence[Summary],
) -> Reading:
    if evidence is Evidence.NONE or not agreeing:
        return Reading(sign=sign, evidence=evidence)
    if sign == (Layer.TLS, "certificate") and verified_elsewhere(agreeing, working):
        return Reading(sign=SAME_CHAIN, evidence=Evidence.NONE)
    over = {o.family for one in agreeing for o in one.last_hop.tls if o.failure}
    if cut_by_chance(case, sign, over):
        return Reading(sign=ANY_NAME, evidence=Evidence.NONE)
    if sign in EXPLAINS[LATE_RULE] and (
        SLOW in case.explained or comes_late(case, agreeing[0].last_hop.host)
    ):
        return Reading(sign=LATE, evidence=Evidence.NONE)
    if case.follow_ups and sign in EXPLAINS[LATE_RULE] and LATE_RULE in case.explained:
        # It may share a slow line with an endpoint whose handshake came.
        return Reading(sign=sign, evidence=capped(evidence, Evidence.WEAK))
    clues = _clues(case, agreeing)
    named = _honest_addresses(clues).union(*(_answered_addresses(one) for one in working))
    alike = _failing_alike(sign, clues.summaries, working)
    if alike and alike <= named:
        return Reading(sign=(sign[0], ALIKE), evidence=Evidence.NONE)
    # Else a resolver that lies may have led here.
    unsure = capped(evidence, Evidence.WEAK) if alike else evidence
    if not case.follow_ups:
        if HIJACK_RULE in case.explained and _at_common_addresses(case, sign, clues):
            return Reading(sign=HIJACK, evidence=capped(evidence, Evidence.WEAK))
        if HIJACK_RULE in case.explained and sign[0] is Layer.APP and not _is_known(clues, named):
            return Reading(sign=HIJACK, evidence=evidence)
        if any(sign in EXPLAINS.get(rule, ()) for rule in case.explained):
            return Reading(sign=(sign[0], EXPLAINED), evidence=Evidence.NONE)
        if not case.cut_off:
            return Reading(sign=sign, evidence=unsure)
    layer, word = sign
    if word == "bogon" and _answers_in_private(clues):
        return Reading(sign=PRIVATE_ADDRESS, evidence=Evidence.NONE)
    if word == "bogon" and _silent_in_private(case, clues):
        return Reading(sign=(layer, EXPLAINED), evidence=Evidence.NONE)
    if _hidden_by_device(case, clues, word, named):
        return Reading(sign=DECRYPTED, evidence=Evidence.NONE)
    if layer is Layer.DNS and _filters_advertising(clues, word):
        return Reading(sign=OWN_FILTER, evidence=Evidence.NONE)
    if word == "bogon" and _verified_before(clues, word):
        return Reading(sign=DEAD_ADDRESS, evidence=Evidence.NONE)
    honest = named.union(
        address for one in working for address, well in reached_at(one).items() if well
    )
    if layer is Layer.DNS and _only_the_name_lies(clues, word):
        return _conclusive(sign, evidence, agreeing)
    if layer is Layer.TLS and word == "certificate" and _forged(clues):
        forged = [
            {o.address for o in s.last_hop.tls if o.failure in FORGED} for s in clues.summaries
        ]
        if _led_astray(clues, honest, {family_of(one) for these in forged for one in these}):
            if _verified_before(clues, word):
                return Reading(sign=HIJACK, evidence=capped(evidence, Evidence.WEAK))
            return _conclusive(HIJACK, evidence, agreeing)
        at_home = all(addresses & honest for addresses in forged)
        if at_home and case.health.state is VantageState.OK:
            return _conclusive(sign, evidence, agreeing)
    if layer is Layer.TLS and _only_this_name(clues, word):
        form = _form_cut_off(clues, word)
        return _conclusive((layer, form) if form else sign, evidence, agreeing)
    silent = word == TIMEOUT
    if layer is Layer.APP and _led_astray(clues, named):
        # Controls connect to our addresses, too, and say nothing there.
        return Reading(sign=HIJACK, evidence=evidence)
    if layer in (Layer.TCP, Layer.TLS) and _led_astray(clues, named if silent else honest):
        if _at_common_addresses(case, sign, clues) and not _verified_before(clues, word):
            return Reading(sign=HIJACK, evidence=capped(evidence, Evidence.WEAK))
        if silent or _verified_before(clues, word):
            return Reading(sign=DEAD_ADDRESS, evidence=Evidence.NONE)
        # The platform may have a server of its own there that is down: not conclusive.
        return Reading(sign=HIJACK, evidence=evidence)
    if layer is Layer.TCP and word in _UNANSWERED and clues.only_these:
        return _conclusive(sign, evidence, agreeing)
    if layer is Layer.TLS and word in _HELLO and _other_name_fails_too(clues, word):
        return _of_address(clues, word, unsure, agreeing)
    if layer is Layer.TLS and silent and _got_through(clues):
        return Reading(sign=sign, evidence=capped(evidence, Evidence.WEAK))
    return Reading(sign=sign, evidence=unsure)


def _failing_alike(
    sign: Sign, summaries: Iterable[Summary], working: Sequence[Summary]
) -> frozenset[str]:
    """The addresses that show this sign, where all of them show it to every control that tried
    them; else none."""
    layer, word = sign
    failing = {
        o.address
        for summary in summaries
        for o in (*summary.last_hop.tcp, *summary.last_hop.tls)
        if layer_of(o) is layer and sub_method_of(o) == word
    }
    shown: dict[str, set[str]] = {}
    for control in working:
        for o in control.measurement.observations:
            if (
                isinstance(o, TcpObservation | TlsObservation)
                and layer_of(o) is layer
                and o.reason in ("", Reason.SAME_ADDRESS)
            ):
                shown.setdefault(o.address, set()).add(sub_method_of(o))
    alike = all(shown.get(address) == {word} for address in failing)
    return frozenset(failing) if alike else frozenset()


def _of_address(
    clues: _Clues, word: str, evidence: Evidence, agreeing: Sequence[Summary]
) -> Reading:
    """What it means that every name fails at an address."""
    if word != TIMEOUT:
        return Reading(sign=ADDRESS, evidence=evidence)
    smaller = (Reason.SMALL_SEGMENTS, Reason.OTHER_HELLO)
    small = [o for o in clues.tls if o.reason in smaller]
    if any(o.failure is None for o in small):
        return Reading(sign=LARGE_PACKETS, evidence=Evidence.NONE)
    if not small:
        # Without this question a path that loses large packets looks the same.
        return Reading(sign=ADDRESS, evidence=capped(evidence, Evidence.WEAK))
    if clues.only_these:
        return _conclusive(ADDRESS, evidence, agreeing)
    return Reading(sign=ADDRESS, evidence=evidence)


def _conclusive(sign: Sign, evidence: Evidence, agreeing: Sequence[Summary]) -> Reading:
    """Conclusive when the evidence is strong and at least two attempts agree."""
    enough = evidence is Evidence.STRONG and len(agreeing) >= AGREEING
    return Reading(sign=sign, evidence=Evidence.CONCLUSIVE if enough else evidence)


def _only_the_name_lies(clues: _Clues, word: str) -> bool:
    """The platform works from here at an address that another source gives."""
    answered_well = any(o.addresses and not o.failure for o in clues.dns if o.reason in _HONEST)
    over_udp = [o for o in clues.dns if o.reason == Reason.OPEN_RESOLVER]
    spoiled = [o for o in over_udp if o.failure or contradicting(o.answers)]
    on_the_way = answered_well and bool(over_udp) and len(spoiled) == len(over_udp)
    if word == "injection":
        return bool(_verified(clues)) or answered_well
    if _denied_over_https(clues, word):
        return False
    if word in _NO_TCP:
        return bool(_verified(clues)) and clues.resolver_serves_tcp
    return bool(_verified(clues)) and (word not in _RESOLVERS_FAULT or on_the_way)


def _denied_over_https(clues: _Clues, word: str) -> bool:
    """Whether DoH servers gave the same false answer as our resolver, and none another one."""
    ours = [o for s in clues.summaries for o in s.last_hop.dns if sub_method_of(o) == word]
    false = {address for o in ours for address in o.addresses}
    asked = [o for o in clues.dns if o.reason == Reason.DOH]
    given = {address for o in asked for address in o.addresses}
    return (bool(given) or any(sub_method_of(o) == word for o in asked)) and given <= false


def _led_astray(clues: _Clues, honest: set[str], families: Collection[str] = _BOTH) -> bool:
    """A trusted address verifies, and no address of our resolver over these families is known to be
    the platform's.

    False when our addresses came from a third party's DoH server.
    """
    if any(summary.last_hop.resolved_elsewhere for summary in clues.summaries):
        return False
    return bool(_verified(clues)) and not _is_known(clues, honest, families)


def _is_known(clues: _Clues, honest: set[str], families: Collection[str] = _BOTH) -> bool:
    """Whether our resolver gave an address over these families that is known to be the
    platform's."""
    return any(
        family_of(address) in families
        for summary in clues.summaries
        for address in _answered_addresses(summary) & honest
    )


def _at_common_addresses(case: Case, sign: Sign, clues: _Clues) -> bool:
    """Whether all that fell silent are addresses to which other owners' names lead as well."""
    tried = {o.address for summary in clues.summaries for o in summary.last_hop.tcp}
    return sign in _AT_DEAD_ADDRESS and bool(tried) and tried <= case.common_addresses


def honest_over(case: Case, host: str, family: str) -> bool:
    """Whether a follow-up reached the host over the family, at an address from another source."""
    made = [o for asked in case.follow_ups for o in asked.observations]
    return any(family_of(address) == family for address in proven_elsewhere(made, host))


def _verified(clues: _Clues) -> set[str]:
    """Addresses from another source where the endpoint proved itself."""
    return proven_elsewhere((*clues.tls, *clues.apps), clues.host)


def comes_late(case: Case, host: str) -> bool:
    """Whether the host's handshake came in this cycle, and late for the distance: where it was
    given time, or in an attempt before."""
    own = ("", Reason.PATIENCE)
    made = (*case.attempts, *case.follow_ups)
    seen = [o for m in made for o in m.observations if o.reason in own]
    connects = [o.duration for o in seen if isinstance(o, TcpObservation) and not o.failure]
    late = max(LATE_HANDSHAKE, LATE_FOR_DISTANCE * min(connects, default=0.0))
    return any(
        isinstance(o, TlsObservation)
        and o.failure is None
        and o.server_name == host
        and o.duration >= late
        for o in seen
    )


def _verified_before(clues: _Clues, word: str) -> set[str]:
    """Addresses of our resolver that were the platform's earlier, of those where this shows: true
    ones of the other family excuse no lie."""
    known = {a for o in clues.dns if o.reason == Reason.VERIFIED_BEFORE for a in o.addresses}
    hops = [summary.last_hop for summary in clues.summaries]
    named = {a for hop in hops for o in hop.dns if sub_method_of(o) == word for a in o.addresses}
    tried = {o.address for hop in hops for o in (*hop.tcp, *hop.tls) if sub_method_of(o) == word}
    return known & (named | tried)


def _answers_in_private(clues: _Clues) -> bool:
    """Whether the platform proved itself at a private address that our resolver gave."""
    return any(
        o.reason == Reason.PRIVATE_ADDRESS and o.failure is None and o.server_name == clues.host
        for o in clues.tls
    )


def _silent_in_private(case: Case, clues: _Clues) -> bool:
    """Whether our resolver gave a private address at which another of the platform's names proved
    itself, and nothing but silence came there under this one."""
    made = [o for o in clues.tls if o.reason == Reason.PRIVATE_ADDRESS]
    given = {address for summary in clues.summaries for address in _answered_addresses(summary)}
    return bool(given & case.private_addresses) and all(sub_method_of(o) == TIMEOUT for o in made)


def _hidden_by_device(case: Case, clues: _Clues, word: str, named: set[str]) -> bool:
    """Whether a device at the vantage's own site decrypts what would prove a private address, or
    others where ours are silent and nobody else names them."""
    if word == "bogon":
        reason = Reason.PRIVATE_ADDRESS
    elif word == TIMEOUT and not _is_known(clues, named):
        reason = Reason.HONEST_ADDRESS
    else:
        return False
    made = (o for o in clues.tls if o.reason == reason and o.server_name == clues.host)
    return any(opened(case, o) for o in made)


def _filters_advertising(clues: _Clues, word: str) -> bool:
    """Whether our resolver answers for the platform and for advertisers alike: by 0.0.0.0 or ::,
    and nothing else, or by a denial of a name that others resolve."""
    theirs = [o for o in clues.for_advertisers if o.reason == Reason.OWN_FILTER]
    given = {address for o in theirs for address in o.addresses}
    if word == "bogon":
        ours = {address for summary in clues.summaries for address in _answered_addresses(summary)}
        return bool(ours) and bool(given) and ours | given <= NOWHERE
    exists = any(o.addresses for o in clues.for_advertisers if o.reason == Reason.ADVERTISERS)
    alike = any(sub_method_of(o) == word for o in theirs)
    return word in DENIALS and exists and alike and not given


def _forged(clues: _Clues) -> bool:
    """Every attempt got a certificate that no mistake of a genuine site explains."""
    return all(
        any(o.failure in FORGED for o in summary.last_hop.tls) for summary in clues.summaries
    )


def _only_this_name(clues: _Clues, word: str) -> bool:
    if word in _HELLO and _other_name_answers(clues, word) & _fails_again(clues):
        return True
    return word in _CUT_OFF and _name_fails_too(clues, word)


def _other_name_answers(clues: _Clues, word: str) -> set[str]:
    """Addresses where our name was cut off and an innocuous name got an answer in TLS."""
    return {
        o.address
        for o in _innocuous(clues, word, Reason.INNOCUOUS_SNI)
        if o.failure is None or (o.alert and word != "alert")
    }


def _fails_again(clues: _Clues) -> set[str]:
    """Addresses where our name was cut off again after the innocuous one."""
    again = {o.address for o in _said_again(clues) if sub_method_of(o) in _HELLO}
    return again - _works_again(clues)


def _got_through(clues: _Clues) -> bool:
    """Whether our name got through where it had fallen silent, which lost packets explain. That a
    share of connections is dropped, those that are counted show (partial.flows)."""
    tried = [o for summary in clues.summaries for o in summary.last_hop.tls]
    silent = {o.address for o in tried if sub_method_of(o) == TIMEOUT}
    return bool(_works_again(clues) & silent)


def _works_again(clues: _Clues) -> set[str]:
    return {o.address for o in _said_again(clues) if o.failure is None}


def _said_again(clues: _Clues) -> list[TlsObservation]:
    return [o for o in clues.tls if o.reason in (Reason.NAME_AGAIN, Reason.FLOW_NAME)]


def _form_cut_off(clues: _Clues, word: str) -> str:
    """The form of greeting that is cut off with our name, where another form of it works; empty
    where none does. At the same address an innocuous name works in the form that is cut off."""
    answered = _other_name_answers(clues, word)
    again = [o for o in clues.tls if o.reason == Reason.USUAL_HELLO and o.address in answered]
    others = {o.address for o in clues.tls if o.reason == Reason.OTHER_HELLO and o.failure is None}
    if not again or not all(sub_method_of(o) == word and o.address in others for o in again):
        return ""
    return LARGE_HELLO[1] if max(o.hello_bytes for o in again) > ONE_PACKET else SHORT_HELLO[1]


def _other_name_fails_too(clues: _Clues, word: str) -> bool:
    """Whether an innocuous name fails in this way where ours does, and is answered nowhere: over
    the other family the line may have a fault of its own."""
    tried = _innocuous(clues, word, Reason.INNOCUOUS_SNI, Reason.FLOW_INNOCUOUS)
    alike = [o for o in tried if sub_method_of(o) == word]
    return bool(alike) and all(o in alike or (o.failure and not o.alert) for o in tried)


def _innocuous(clues: _Clues, word: str, *reasons: Reason) -> list[TlsObservation]:
    """Handshakes with an innocuous name, made for these reasons, where ours failed in this way."""
    tried = [o for summary in clues.summaries for o in summary.last_hop.tls]
    failed = {o.address for o in tried if sub_method_of(o) == word}
    return [o for o in clues.tls if o.reason in reasons and o.address in failed]


def _name_fails_too(clues: _Clues, word: str) -> bool:
    """Our name never gets through to an unrelated address, and fails in the same way there."""
    came_to = [
        sub_method_of(o)
        for o in clues.tls
        if o.reason == Reason.SNI_ELSEWHERE and o.server_name == clues.host
    ]
    return word in came_to and all(one in _CUT_OFF for one in came_to)


def _clues(case: Case, agreeing: Sequence[Summary]) -> _Clues:
    host = agreeing[0].last_hop.host
    since = agreeing[0].measurement.ended_at
    seen: list[AnyObservation] = [
        o
        for m in case.follow_ups
        if m.endpoint == case.endpoint and m.started_at.timestamp() >= since
        for o in m.observations
        if o.reason
    ]
    summaries = tuple(summary for summary in agreeing if summary.last_hop.host == host)
    tried = {o.address for s in summaries for o in s.last_hop.tcp}
    return _Clues(
        host=host,
        summaries=summaries,
        dns=tuple(
            o for o in seen if isinstance(o, DnsObservation) and o.name.lower().rstrip(".") == host
        ),
        for_advertisers=tuple(
            o
            for o in seen
            if isinstance(o, DnsObservation) and o.reason in (Reason.OWN_FILTER, Reason.ADVERTISERS)
        ),
        tls=tuple(o for o in seen if isinstance(o, TlsObservation)),
        apps=tuple(o for o in seen if isinstance(o, AppObservation)),
        only_these=bool(tried & case.cut_off),
        resolver_serves_tcp=any(
            o.reason == Reason.RESOLVER_TCP and o.failure is None for o in seen
        ),
    )


def _honest_addresses(clues: _Clues) -> set[str]:
    given = {a for o in clues.dns if o.reason in _HONEST and not o.failure for a in o.addresses}
    return given | _verified(clues)


def _answered_addresses(summary: Summary) -> set[str]:
    """The addresses that the vantage's resolver, or a forger in its place, gave."""
    given = {a for o in summary.last_hop.dns for answer in o.answers for a in answer.addresses}
    return (
        given
        | {o.address for o in summary.last_hop.tcp}
        | {o.address for o in summary.last_hop.tls}
    )
