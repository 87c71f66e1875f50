"""The rules that give each endpoint its verdict: one ordered table, the first matching rule wins.

The order goes from what settles the question to what needs the most support:

1. **No measurement?** Nothing is known. No data is never ok.
2. **Measured from the wrong place?** A VPN left on or a roaming phone says nothing about this
   network.
3. **Did it answer?** Then it is ok, unless a part of it fails: one address family that works here,
   some of its addresses, or a share of many connections made to count them. Then it is partial.
   IPv6 that is merely silent beside a good IPv4 is told, and is ok: it keeps nobody from the
   platform.
4. **Could we have seen it?** Our own proxy, the vantage's health or a missing address family
   explains the failure: nobody is accused.
5. **Does it fail at the control too?** Then it is down.
6. **Does the sign need no control?** A forged DNS reply, a certificate from nowhere.
7. **Is there a control?** No other failure accuses unless a control worked after it.
8. **Can packet loss explain it?** Timeouts must exceed the loss at this vantage, and count nothing
   where packets get lost on the path to this platform (`monitor.analysis.judge.lossy_paths`), or
   where spared hosts answer as slowly (`monitor.analysis.judge.slow_line`).
9. **What acted?** The remaining rules name the layer and the kind of interference.
10. Anything else is insufficient: a failure without a name is not evidence.

Decisions worth knowing:

* A *known block page* is blocked with weak evidence even without a control; strong when its
  fingerprint is known from this country. A page that the control got too, or a site's robot check,
  is no block page.
* A *control that got any answer* counts, even a redirect to nowhere: that site is down.
* A *site that turned the control away* gives nothing to compare with: insufficient.
* *Blocked for other names as well* is tls.address, at the grade the measurements have by
  themselves.
* *Behind a captive portal* a handshake or a resolved name is no answer of the platform; a verified
  certificate or the platform's own protocol is.
* *Opened at the vantage's own site.* An authority that nobody trusts and that signs for a reference
  or for platforms of different owners accuses nobody (`monitor.analysis.judge.interception`).
* *MTProto* is spoken by Telegram's servers only, and *Noise* by WhatsApp's. A connection that does
  not speak it comes from a middlebox, or is cut off once the app's greeting is recognised: method
  tcp, sub-method middlebox. The failure of layer app says which: silence, a reset, another answer.
* *UDP* is closed on many networks. QUIC is accused only where another's QUIC worked in the same
  cycle, and calls where other UDP did; calls (method udp) are never more than weak, unless another
  owner's server for calls answered on the same port. `monitor.analysis.judge.platform` says what a
  block of QUIC alone means for the platform.
* *Without a control, with controls that disagree, or on a proxy's report alone*, evidence is never
  more than weak. Where agents are controls, they vote (`monitor.analysis.judge.controls`).
* *A server's error over a verified connection*, from the platform itself, is no block: down where
  the control gets one too, else insufficient (`monitor.analysis.judge.server_errors`).
* *A wrong clock* explains certificates and nothing else.
* *A control that is censored itself* says nothing (`monitor.analysis.judge.controls`).
* *451 over a verified connection* is the platform's own act under a law: blocked, method http,
  never more than weak. When the control gets 451 too, it is insufficient.
* *An unexpected answer over a verified connection* is insufficient: sites answer robots and regions
  differently.
* *Follow-ups* make strong evidence conclusive, never weak evidence strong
  (`monitor.analysis.judge.follow_up_evidence`).
* Control vantages get no verdicts; they only serve the field vantages.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from monitor.analysis.judge.attempt_signs import (
    BOGON,
    CERTIFICATE,
    INJECTION,
    INTERCEPTED,
    REFUSED_HERE,
    Finding,
)
from monitor.analysis.judge.case import Case, EndpointCase
from monitor.analysis.judge.cut_by_chance import ANY_NAME
from monitor.analysis.judge.evidence_grades import WEIGHTS, Sign, ceiling, llr, signs
from monitor.analysis.judge.facts import FAMILY_MISSING, Facts, examine
from monitor.analysis.judge.follow_up_evidence import (
    CONCLUSIVE,
    DEAD_ADDRESS,
    EXPLAINED,
    LARGE_PACKETS,
    LATE,
    PRIVATE_ADDRESS,
)
from monitor.analysis.judge.lossy_paths import lost
from monitor.analysis.judge.server_errors import server_error
from monitor.analysis.outcome import TIMEOUT, failures, kind_of
from monitor.analysis.vantage.health import wrong_clock
from monitor.analysis.verdict import Evidence, State, TableRule, VantageState, Verdict
from probes.catalog.endpoint_kinds import EndpointKind
from probes.measurement import Layer, Measurement

RULES_VERSION = "12"
"""Stored with every verdict. It changes whenever the same case could get another verdict."""
QUIC_BLOCKED = "quic.blocked"
IPV6_DEAD = "family.ipv6_dead"
SOME_FLOWS, SOME_ADDRESSES = "partial.flows", "partial.addresses"
CONTROL_UNSETTLED, FAMILY_UNSETTLED = "control.unsettled", "family.unsettled"
CONTROL_ABSENT = "control.absent"
UNSETTLED = (CONTROL_UNSETTLED, FAMILY_UNSETTLED, CONTROL_ABSENT)
"""Ids of the rules for what may be blocked or down, for the controls do not settle it. They make a
suspicion, and never a certainty."""


class Rule(TableRule, frozen=True, kw_only=True):
    state: State = State.INSUFFICIENT
    method: str = ""
    """The method of the block; empty when nobody is accused."""
    matches: Callable[[Facts], bool]


def judge(case: Case) -> Verdict:
    """The verdict on a case. Every case gets one, and the same case always gets the same one."""
    facts = examine(case)
    rule = next(rule for rule in RULES if rule.matches(facts))
    return _verdict(facts, rule)


def verdict_on(
    case: EndpointCase,
    rule_id: str,
    state: State,
    evidence: Evidence,
    *,
    measurement: str,
    controls: tuple[str, ...],
    failures: dict[str, str],
    decided_by: Sequence[Measurement],
    method: str = "",
    sub_method: str = "",
    family: str = "",
    share: float | None = None,
) -> Verdict:
    """The verdict; `decided_by` are the measurements that show its state."""
    ends = (one.started_at + timedelta(seconds=one.duration) for one in decided_by)
    return Verdict(
        measurement=measurement,
        controls=controls,
        cycle=case.cycle,
        vantage=case.vantage,
        country=case.country,
        asn=case.asn,
        network=case.network,
        vantage_role="field",
        platform=case.platform,
        function=case.function,
        endpoint=case.endpoint,
        state=state,
        method=method,
        sub_method=sub_method,
        family=family,
        share=share,
        rule_id=rule_id,
        evidence=evidence,
        llr=llr(State.BLOCKED if state is State.PARTIAL else state, evidence),
        failures=failures,
        judged_at=case.judged_at,
        rules_version=RULES_VERSION,
        measured_at=min((one.started_at for one in decided_by), default=None),
        measured_until=max(ends, default=None),
    )


def _verdict(facts: Facts, rule: Rule) -> Verdict:
    finding = _finding(facts, rule)
    summary = finding.summary if finding is not None else facts.last
    accused = finding if rule.state in (State.BLOCKED, State.PARTIAL) else None
    layer, sub_method = accused.sign if accused is not None and accused.sign else ("", "")
    return verdict_on(
        facts.case,
        rule.id,
        rule.state,
        accused.evidence if accused is not None else Evidence.NONE,
        measurement=summary.measurement.id if summary is not None else "",
        controls=facts.controls.ids,
        failures=_failures(facts, finding, rule),
        decided_by=_decided_by(facts, rule),
        method=(rule.method or str(layer)) if accused is not None else "",
        sub_method=(rule.sub_method or sub_method) if accused is not None else "",
        family=accused.family if accused is not None else "",
        share=accused.share if accused is not None else None,
    )


def _finding(facts: Facts, rule: Rule) -> Finding | None:
    if rule in _FAMILY_RULES or rule.id == IPV6_DEAD:
        return facts.family_finding
    if rule.id in (SOME_FLOWS, SOME_ADDRESSES):
        return facts.some_finding
    return facts.quic_finding if rule.id == QUIC_BLOCKED else facts.finding


def _decided_by(facts: Facts, rule: Rule) -> tuple[Measurement, ...]:
    """The attempts that show the state: the last one where it worked, else those that failed since
    the last that worked. A part of them alone is not enough to accuse, so which of them failed
    for another reason, before the block or after it, is not known."""
    if rule in _FAMILY_RULES or rule.id == SOME_ADDRESSES:
        return facts.case.attempts
    if rule.id in (QUIC_BLOCKED, SOME_FLOWS):
        return (*facts.case.attempts, *facts.case.follow_ups)
    return tuple(one.measurement for one in facts.decisive)


def _failures(facts: Facts, finding: Finding | None, rule: Rule) -> dict[str, str]:
    if finding is not None:
        found = failures(finding.summary, finding.outcome)
        if rule.id == "http.known_blockpage":
            found[Layer.HTTP.value] = f"blockpage:{finding.fingerprint}"
        return found
    if facts.last is None or rule.state is State.OK:
        return {}
    return failures(facts.last, None)


def _family(layer: Layer, meaning: str) -> Rule:
    return Rule(
        id=f"family.{layer}",
        meaning=f"The platform answers, but over one of IPv4 and IPv6 {meaning} in every test,"
        " though that family works here and the platform works over it elsewhere.",
        state=State.PARTIAL,
        method=layer.value,
        grade_ceiling=Evidence.STRONG if layer is Layer.TCP else Evidence.CONCLUSIVE,
        wrong_when="The network and the platform's network do not exchange routes of that family;"
        " timeouts and unreachable addresses are therefore never more than weak over IPv4, unless a"
        " control is answered at the very address.",
        matches=lambda facts: (
            facts.family_finding is not None
            and facts.family_finding.sign is not None
            and facts.family_finding.sign[0] is layer
        ),
    )


def _family_unsettled(facts: Facts) -> bool:
    return facts.family_finding is not None and facts.controls.unsettled


def _without_control(facts: Facts) -> bool:
    """Whether what accuses is weak for want of a control, though a fault of the platform's own may
    look the same. None shows the certificate of a product or of a state."""
    found = facts.finding
    weak = found is not None and found.evidence is Evidence.WEAK and not found.fingerprint
    return weak and bool(facts.controls.gap) and facts.accused in (BOGON, CERTIFICATE)


def _vantage(
    name: str,
    meaning: str,
    wrong_when: str,
    state: VantageState = VantageState.UNKNOWN,
    *,
    any_rule: bool = False,
) -> Rule:
    """The failure is the vantage's own: its health has this state, for this reason or any."""
    rule_id = f"vantage.{name}"
    return Rule(
        id=rule_id,
        meaning=meaning,
        wrong_when=wrong_when,
        matches=lambda facts: (
            facts.case.health.state is state and (any_rule or facts.case.health.rule_id == rule_id)
        ),
    )


def _accuses(rule_id: str, meaning: str, wrong_when: str) -> Rule:
    """A sign, which is the rule's id, accuses at the grade of its finding."""
    (sign,) = signs(rule_id)
    layer, sub_method = sign
    return Rule(
        id=rule_id,
        meaning=meaning,
        state=State.BLOCKED,
        method=layer.value,
        sub_method=_SHOWN_AS.get(sub_method, sub_method),
        grade_ceiling=Evidence.CONCLUSIVE if sign in CONCLUSIVE else ceiling(WEIGHTS[sign]),
        wrong_when=wrong_when,
        matches=lambda facts: facts.accused == sign,
    )


_SHOWN_AS = {"withheld": "status_451", "known_blockpage": "blockpage"}


def _timed_out(facts: Facts) -> bool:
    return facts.sign is not None and facts.sign[1] == TIMEOUT


def _own_protocol(sign: Sign | None) -> bool:
    return sign is not None and sign[0] is Layer.APP


def _is_stun(facts: Facts) -> bool:
    return _own_protocol(facts.sign) and kind_of(facts.case.endpoint) is EndpointKind.STUN


_FAMILY_RULES = (
    Rule(
        id=FAMILY_UNSETTLED,
        meaning="The platform answers, but never over one of IPv4 and IPv6, though that family"
        " works here. Whether it works over it elsewhere is not settled: the controls disagree, or"
        " too few of them are known well enough to be believed.",
        state=State.PARTIAL,
        grade_ceiling=Evidence.WEAK,
        wrong_when="The platform does not work over that family anywhere.",
        matches=_family_unsettled,
    ),
    _family(Layer.DNS, "its name does not resolve correctly"),
    _family(Layer.TCP, "no connection can be made"),
    _family(Layer.TLS, "the TLS handshake fails"),
)

RULES: tuple[Rule, ...] = (
    Rule(
        id="look.none",
        meaning="Nothing was tested, so nothing is known.",
        wrong_when="Never: it claims nothing.",
        matches=lambda facts: not facts.measured,
    ),
    # Measured from the wrong place?
    _vantage(
        "elsewhere",
        "The vantage's traffic leaves from another country, so this test says nothing about"
        " this one.",
        "The file that locates addresses is wrong.",
    ),
    _vantage(
        "other_network",
        "The vantage's traffic leaves from another network, so this test says nothing about"
        " this one.",
        "Both networks belong to one operator and are not listed as siblings.",
    ),
    # Does it answer some connections, and cut off others?
    Rule(
        id=SOME_FLOWS,
        meaning="Of many connections that send the platform's name, a share is cut off. Of as many"
        " with an innocuous name to the same address, made in between, none is, or far fewer.",
        state=State.PARTIAL,
        method=Layer.TLS.value,
        grade_ceiling=Evidence.CONCLUSIVE,
        wrong_when="The platform's own server limits how many connections one visitor makes under"
        " its name; without many connections from a control this is never more than strong.",
        matches=lambda facts: facts.flows,
    ),
    # Did it answer?
    Rule(
        id=IPV6_DEAD,
        meaning="It answers over IPv4. Over IPv6, which works here otherwise, it is silent, though"
        " it answers elsewhere: that keeps nobody from it.",
        state=State.OK,
        wrong_when="Some people have IPv6 alone, and a censor drops its IPv6 addresses.",
        matches=lambda facts: (
            facts.family_finding is not None and facts.family_finding.evidence is Evidence.NONE
        ),
    ),
    *_FAMILY_RULES,
    Rule(
        id=SOME_ADDRESSES,
        meaning="It answers at some of its addresses. Others of the same family fail in every test,"
        " while a control is answered at these very addresses.",
        state=State.PARTIAL,
        grade_ceiling=Evidence.CONCLUSIVE,
        wrong_when="A server of the platform near by, or the route to it, is broken; what fails"
        " before the name is sent is therefore never more than weak.",
        matches=lambda facts: facts.some_finding is not None,
    ),
    Rule(
        id=QUIC_BLOCKED,
        meaning="The platform answers over TCP, but not over QUIC, though it does elsewhere and"
        " other platforms do here.",
        state=State.BLOCKED,
        method=Layer.QUIC.value,
        grade_ceiling=Evidence.STRONG,
        wrong_when="The platform's nearest server does not speak QUIC, or the network limits the"
        " rate of UDP.",
        matches=lambda facts: facts.quic_finding is not None,
    ),
    Rule(
        id="quic.everywhere",
        meaning="It answers over TCP, and not over QUIC, as nobody does here, though other UDP"
        " works: the network blocks the protocol, and no platform.",
        state=State.OK,
        wrong_when="QUIC is blocked for these platforms, and the others that were asked do not"
        " speak it.",
        matches=lambda facts: facts.quic_fails_everywhere,
    ),
    Rule(
        id="endpoint.reached",
        meaning="It answered as expected in the first test.",
        state=State.OK,
        wrong_when="Only some of its addresses, or only some visitors, are blocked.",
        matches=lambda facts: facts.answered and not facts.failed_before,
    ),
    Rule(
        id="endpoint.reached_on_retry",
        meaning="It answered as expected, after failing earlier in the same cycle.",
        state=State.OK,
        wrong_when="A block works only part of the time; it then shows over several cycles.",
        matches=lambda facts: facts.answered,
    ),
    Rule(
        id="http.same_as_control",
        meaning="It answers without encryption, with the same page as elsewhere.",
        state=State.OK,
        wrong_when="The control gets the same block page.",
        matches=lambda facts: facts.like_control,
    ),
    Rule(
        id="dns.private_address",
        meaning="The network's resolver leads to a private address, and the platform answers there"
        " with a certificate that verifies.",
        state=State.OK,
        wrong_when="Only some of its addresses, or only some visitors, are blocked.",
        matches=lambda facts: facts.sign == PRIVATE_ADDRESS,
    ),
    # Could we have seen it?
    Rule(
        id="egress.failed",
        meaning="The vantage's own proxy could not be used, so the platform was not tested at all.",
        wrong_when="Never: no test got past the proxy.",
        matches=lambda facts: (
            facts.egress_failed or facts.case.health.rule_id == "vantage.egress_failed"
        ),
    ),
    Rule(
        id="vantage.clock_skew",
        meaning="The vantage's clock is more than a day off, which makes valid certificates look"
        " invalid.",
        wrong_when="Somebody breaks the references' certificates and forges dates in cleartext.",
        matches=lambda facts: (
            wrong_clock(facts.case.health) and facts.sign in (None, CERTIFICATE, INTERCEPTED)
        ),
    ),
    _vantage(
        "resolver_down",
        "No name resolves at this vantage, so the failure of this one says nothing.",
        "The country makes every name fail.",
        VantageState.OFFLINE,
    ),
    _vantage(
        "offline",
        "The vantage is offline, so this failure is its own.",
        "Every reference is blocked along with the platform.",
        VantageState.OFFLINE,
        any_rule=True,
    ),
    _vantage(
        "captive_portal",
        "A login page or filter intercepts everything at the vantage.",
        "All TLS in the country is blocked while cleartext is rewritten.",
        VantageState.CAPTIVE_PORTAL,
        any_rule=True,
    ),
    _vantage(
        "international_cut",
        "Nothing abroad can be reached from here, so this platform is not singled out.",
        "The foreign references are each down or blocked by themselves.",
        VantageState.INTERNATIONAL_CUT,
        any_rule=True,
    ),
    _vantage(
        "allowlist",
        "Only a list of sites passes here, so this platform is not singled out.",
        "The platform is blocked for itself as well.",
        VantageState.ALLOWLIST,
        any_rule=True,
    ),
    _vantage(
        "resolver_cut_off",
        "The resolver resolves no foreign name, so the failure of this one says nothing.",
        "The country makes all foreign names fail on purpose.",
    ),
    _vantage(
        "no_tls",
        "No encrypted site can be reached from here: a device decrypts all traffic, or a filter"
        " blocks all of it.",
        "The few TLS references are down or blocked by themselves.",
    ),
    Rule(
        id="vantage.no_references",
        meaning="No reference was tested, so this failure could be the vantage's own.",
        wrong_when="The configuration names no reference that this vantage may test.",
        matches=lambda facts: (
            facts.case.health.state is VantageState.UNKNOWN
            and facts.case.health.rule_id != "vantage.clock_skew"
        ),
    ),
    Rule(
        id=FAMILY_MISSING,
        meaning="It has only IPv4 or only IPv6 addresses, and that family does not work here.",
        wrong_when="Its addresses of the other family are hidden by a forged DNS reply.",
        matches=lambda facts: facts.family_missing,
    ),
    Rule(
        id="partial.any_name",
        meaning="Of many connections to it, or to another endpoint of the platform, a share is cut"
        " off, whatever name they send: a server, or the line to it, is faulty. It answered before"
        " in this cycle, or that share explains what fails here.",
        wrong_when="A censor cuts off a share of all connections to the platform's addresses.",
        matches=lambda facts: facts.any_name or facts.sign == ANY_NAME,
    ),
    Rule(
        id="tls.local_authority",
        meaning="A device at the vantage's own site decrypts this connection: the same authority,"
        " which nobody trusts, signs for a reference or for platforms of different owners.",
        wrong_when="The country itself decrypts connections to several platforms, with an authority"
        " that is not known yet.",
        matches=lambda facts: facts.sign == INTERCEPTED,
    ),
    # Does the answer itself say that it is blocked?
    _accuses(
        "http.known_blockpage",
        "The answer, which is not encrypted, is a known block page.",
        "The vantage's own site uses the same filtering product, or the page only quotes those"
        " words.",
    ),
    # Does it fail elsewhere too?
    Rule(
        id="http.withheld_everywhere",
        meaning="The site says that the law forbids it, at the control as well as here.",
        wrong_when="The control's country has the same law.",
        matches=lambda facts: (
            not facts.controls.working
            and not facts.controls.unsettled
            and facts.withheld_everywhere
        ),
    ),
    Rule(
        id="http.not_compared",
        meaning="An answer came here over a connection that is not encrypted, and the controls got"
        " none in time to compare it with: it may be the platform's own page or another one.",
        wrong_when="The platform is down, and somebody answers in its place here.",
        matches=lambda facts: facts.controls.down and facts.not_compared,
    ),
    Rule(
        id="control.down_and_injected",
        meaning="It fails here, and afterwards it failed at the control too: it is down. Besides,"
        " one DNS query for it got two contradicting replies here: somebody else answers too.",
        state=State.DOWN,
        wrong_when="A faulty resolver answers twice.",
        matches=lambda facts: facts.controls.down and facts.sign == INJECTION,
    ),
    Rule(
        id="control.also_fails",
        meaning="It fails here, and afterwards it failed at the control too: it is down.",
        state=State.DOWN,
        wrong_when="It is blocked here and refuses the control's network at the same time.",
        matches=lambda facts: facts.controls.down,
    ),
    Rule(
        id="control.also_errs",
        meaning="The platform itself answers with a server's error, over a verified connection, and"
        " does so at the control too: it is down.",
        state=State.DOWN,
        wrong_when="It answers whatever it takes for a robot with such an error.",
        matches=lambda facts: (
            facts.sign == REFUSED_HERE
            and bool(facts.controls.working)
            and not facts.controls.unsettled
            and all(map(server_error, facts.controls.working))
        ),
    ),
    # Does the sign need no control?
    Rule(
        id=CONTROL_ABSENT,
        meaning="It fails here in a way that a block has, but no control could be compared with, so"
        " its own servers may do the same everywhere.",
        state=State.BLOCKED,
        grade_ceiling=Evidence.WEAK,
        wrong_when="Its certificate is out of order, or its name leads nowhere, for everybody.",
        matches=_without_control,
    ),
    _accuses(
        "dns.injection",
        "One DNS query got two contradicting replies: somebody else answers too.",
        "A faulty resolver answers twice.",
    ),
    _accuses(
        "dns.bogon",
        "The name leads to an address no public service can have.",
        "The platform's own name really leads there, or the vantage's own network filters.",
    ),
    _accuses(
        "dns.hijack",
        "The addresses from the network's resolver do not work, while the platform answers at"
        " other addresses from here.",
        "The platform has a server of its own there that is down; where a false certificate was"
        " shown, the resolver keeps an address that now belongs to somebody else.",
    ),
    Rule(
        id="tls.known_certificate",
        meaning="Somebody answers in the platform's place with a certificate of a product, or of a"
        " state, that is known to intercept encryption.",
        state=State.BLOCKED,
        method=Layer.TLS.value,
        sub_method="certificate",
        grade_ceiling=Evidence.CONCLUSIVE,
        wrong_when="The vantage's own site uses the same product, for some sites only.",
        matches=lambda facts: (
            facts.accused == (Layer.TLS, "certificate")
            and facts.finding is not None
            and bool(facts.finding.fingerprint)
        ),
    ),
    _accuses(
        "tls.certificate",
        "Somebody answers in the platform's place with a certificate that is not its own.",
        "The name was already resolved to a wrong host (then the method is dns), or antivirus"
        " software at the vantage intercepts encryption for some sites.",
    ),
    # Is there a control?
    Rule(
        id="siblings.silent",
        meaning="It stayed silent once, as others of this function did that were tested in full:"
        " those stand for it.",
        wrong_when="The others are blocked, and this one is not.",
        matches=lambda facts: facts.case.sampled_out,
    ),
    Rule(
        id="control.missing",
        meaning="It fails here, and no control vantage tested it, so it may be down.",
        wrong_when="No control vantage is configured.",
        matches=lambda facts: facts.controls.gap == "missing",
    ),
    Rule(
        id="control.stale",
        meaning="It fails here, and the control's tests are older than the failure.",
        wrong_when="The control was asked too late in the cycle.",
        matches=lambda facts: facts.controls.gap == "stale",
    ),
    Rule(
        id="control.dead",
        meaning="It fails here, and the control vantage was unhealthy or could not test it.",
        wrong_when="The control's references fail though the control is fine.",
        matches=lambda facts: facts.controls.gap == "dead",
    ),
    Rule(
        id="control.censored",
        meaning="It fails here, and at the control under its own name alone, while another name is"
        " answered at the same address: the control is censored itself.",
        wrong_when="The platform's servers fail for its own name only.",
        matches=lambda facts: facts.controls.gap == "censored",
    ),
    Rule(
        id=CONTROL_UNSETTLED,
        meaning="It fails here. Whether it fails elsewhere too is not settled: the controls"
        " disagree, or too few of them are known well enough to be believed.",
        state=State.BLOCKED,
        grade_ceiling=Evidence.WEAK,
        wrong_when="It is down: the controls that reach it are lying, or measure another server.",
        matches=lambda facts: facts.controls.unsettled and facts.accused is not None,
    ),
    # Can packet loss explain it?
    Rule(
        id="vantage.no_udp",
        meaning="The servers for calls do not answer, but nothing else answered over UDP here"
        " either.",
        wrong_when="Calls are blocked, and so is all other UDP that was tried.",
        matches=lambda facts: (
            _is_stun(facts) and not (facts.case.udp_works or facts.case.udp_references)
        ),
    ),
    Rule(
        id="vantage.lossy",
        meaning="It did not answer in time, but this line loses so many packets that a timeout"
        " proves nothing.",
        wrong_when="It is blocked by dropping packets on a bad line.",
        matches=lambda facts: _timed_out(facts) and facts.case.health.state is VantageState.LOSSY,
    ),
    Rule(
        id="path.lossy",
        meaning="It did not answer in time, but of the connections to this platform that were made,"
        " many needed more than one try: packets get lost on the path to it.",
        wrong_when="The network drops a share of the packets to this platform on purpose.",
        matches=lambda facts: lost(facts.sign) and facts.case.lossy_path,
    ),
    Rule(
        id="line.slow",
        meaning="It did not answer in time, but hosts that nobody blocks took nearly as long: this"
        " line is too slow, or too busy, for a timeout to prove anything.",
        wrong_when="It is blocked by dropping packets on a slow line.",
        matches=lambda facts: lost(facts.sign) and facts.case.slow_line,
    ),
    Rule(
        id="loss.possible",
        meaning="It did not answer in time, too few times to rule out that packets got lost.",
        wrong_when="It is blocked by dropping packets; more tests, or more references, would show"
        " it.",
        matches=lambda facts: _timed_out(facts) and facts.accused is None,
    ),
    # What acted?
    _accuses(
        "dns.nxdomain",
        "The network's resolver says the name does not exist, though it does.",
        "The resolver keeps an old mistake of the platform's own in its cache.",
    ),
    _accuses(
        "dns.refused",
        "The network's resolver refuses to answer for this name, but not for others.",
        "The resolver limits the vantage's rate of queries.",
    ),
    _accuses(
        "dns.servfail",
        "The network's resolver reports a fault for this name, though it resolves elsewhere.",
        "The resolver cannot reach, or cannot validate, the platform's name servers.",
    ),
    _accuses(
        "dns.no_answer",
        "The network's resolver says the name has no addresses, though it has.",
        "The resolver keeps an old mistake of the platform's own in its cache.",
    ),
    _accuses(
        "dns.timeout",
        "DNS queries for this name get no answer, while others do.",
        "The platform's name servers are slow to answer this resolver.",
    ),
    _accuses(
        "dns.reset",
        "The network's resolver is asked over TCP, as its reply over UDP is cut short, and the"
        " connection is reset.",
        "The resolver serves nobody over TCP, and no follow-up asked it for another name.",
    ),
    _accuses(
        "dns.eof",
        "The network's resolver is asked over TCP, as its reply over UDP is cut short, and the"
        " connection is closed.",
        "The resolver serves nobody over TCP, and no follow-up asked it for another name.",
    ),
    _accuses(
        "tcp.refused",
        "Connections to the platform's addresses are refused, though they work elsewhere.",
        "The resolver sent us to a server that is being taken out of service.",
    ),
    _accuses(
        "tcp.reset",
        "Connections to the platform's addresses are reset while they are made.",
        "A firewall at the vantage's own site does it.",
    ),
    _accuses(
        "tcp.unreachable",
        "Routers report the platform's addresses as unreachable, though they are not elsewhere.",
        "The network has a routing fault towards the platform.",
    ),
    _accuses(
        "tcp.timeout",
        "Connections to the platform's addresses get no answer, more often than loss explains.",
        "The network has a routing fault towards the platform, or several of its servers died for"
        " this region alone.",
    ),
    _accuses(
        "tls.reset",
        "The connection is cut when the platform's name is sent.",
        "A firewall at the vantage's own site does it.",
    ),
    _accuses(
        "tls.eof",
        "The connection is closed when the platform's name is sent.",
        "The platform's nearest server is faulty.",
    ),
    _accuses(
        "tls.alert",
        "The TLS handshake is refused when the platform's name is sent.",
        "The platform's nearest server is set up differently from the one the control met.",
    ),
    _accuses(
        "tls.short_hello",
        "The connection is cut off when the platform's name is sent in a short greeting, as many"
        " apps send it, and not in a long one, as browsers do.",
        "The platform's nearest server fails on short greetings with its own name.",
    ),
    _accuses(
        "tls.large_hello",
        "The connection is cut off when the platform's name is sent in a long greeting of several"
        " packets, as browsers send it, and not in a short one.",
        "The platform's nearest server fails on long greetings with its own name.",
    ),
    _accuses(
        "tls.address",
        "TLS handshakes with the platform's address fail whatever name is sent, so the address"
        " is blocked and not the name.",
        "The platform's nearest server is faulty, or a censor that cut off the name blocks the"
        " address for a while.",
    ),
    _accuses(
        "tls.handshake",
        "What answers in the platform's place does not speak the encrypted protocol.",
        "A faulty server or middlebox; never more than weak, unless another name gets an encrypted"
        " answer at the same address.",
    ),
    _accuses(
        "tls.timeout",
        "After the platform's name is sent nothing comes back, more often than loss explains.",
        "Large packets do not get through to the platform (path MTU), and no follow-up was made.",
    ),
    _accuses(
        "http.reset",
        "The connection is cut when the page is requested.",
        "The platform's nearest server is faulty.",
    ),
    _accuses(
        "http.eof",
        "The connection is closed when the page is requested, before it arrives.",
        "The platform's nearest server is faulty.",
    ),
    _accuses(
        "http.timeout",
        "The page is requested and does not arrive, more often than loss explains.",
        "The platform's nearest server is overloaded.",
    ),
    _accuses(
        "http.status_451",
        "An answer without encryption says the law forbids the page; elsewhere it is shown.",
        "The site itself, not the network, withholds it.",
    ),
    _accuses(
        "http.withheld",
        "The platform itself says, over a verified connection, that the law forbids showing it"
        " here; no network is accused.",
        "The platform withholds it from this kind of visitor only; never more than weak.",
    ),
    _accuses(
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
        wrong_when="The platform's server is overloaded, or its protocol has changed.",
        matches=lambda facts: _own_protocol(facts.accused) and not _is_stun(facts),
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
        matches=lambda facts: _own_protocol(facts.accused) and _is_stun(facts),
    ),
    # Failures that accuse nobody.
    Rule(
        id="dns.dead_address",
        meaning="The addresses from the network's resolver are silent, or worked before, while the"
        " platform answers at other addresses from here: a cache of the platform's at the provider"
        " may have died.",
        wrong_when="The resolver lies, and leads to an address where nobody answers.",
        matches=lambda facts: facts.sign == DEAD_ADDRESS,
    ),
    Rule(
        id="tls.large_packets",
        meaning="It falls silent whatever name is asked for, and answers in small segments: only"
        " large packets get lost on the way (path MTU).",
        wrong_when="A censor drops large packets, or acts only where the name is in one packet.",
        matches=lambda facts: facts.sign == LARGE_PACKETS,
    ),
    Rule(
        id="tls.late",
        meaning="The handshake comes when it is given time: the way there is slow, and nothing is"
        " dropped. Whether it is throttled shows in the speed of transfers.",
        wrong_when="The name is dropped on some connections, and another one was slow by chance.",
        matches=lambda facts: facts.sign == LATE,
    ),
    Rule(
        id="look.explained",
        meaning="It fails as another endpoint of the platform does, where follow-ups found an"
        " ordinary fault; here none were made.",
        wrong_when="Each of them fails for a reason of its own.",
        matches=lambda facts: facts.sign is not None and facts.sign[1] == EXPLAINED,
    ),
    Rule(
        id="dns.other_resolver",
        meaning="This vantage's DNS-over-HTTPS resolver gives no usable address. It is not the"
        " network's resolver, so the network is not accused.",
        wrong_when="The network blocks that resolver for this name alone.",
        matches=lambda facts: facts.sign == (Layer.DNS, "other_resolver"),
    ),
    Rule(
        id="http.refused_by_site",
        meaning="The site's own servers reject this visitor, or the control, as they reject"
        " robots.",
        wrong_when="A censor imitates the site's headers.",
        matches=lambda facts: facts.sign == (Layer.HTTP, "refused_by_site"),
    ),
    Rule(
        id="http.withheld_here",
        meaning="The platform itself answers with an error here, over a verified connection, and"
        " not at the control: its servers near here fail, or it withholds its service. No network"
        " is accused.",
        wrong_when="It takes this visitor, or this network, for a robot.",
        matches=lambda facts: facts.sign == REFUSED_HERE,
    ),
    Rule(
        id="http.unexpected",
        meaning="The genuine site gives another answer than its catalogue entry expects.",
        wrong_when="The entry is right and the platform withholds its service here.",
        matches=lambda facts: facts.sign == (Layer.HTTP, "unexpected"),
    ),
    Rule(
        id="look.unexplained",
        meaning="It fails here and works at the control, for a reason that cannot be named.",
        wrong_when="A new way of blocking causes a failure not known yet.",
        matches=lambda _: True,
    ),
)
"""Tried in order; the last rule always matches."""
