"""Why the attempts failed: the signs each one shows, and which of them has the best support.

**Which attempts count.** Those with a working control after them, and of others the signs that need
no control (a bogon, a forged certificate). Where the platform itself led to a host to which it led
no control, only what its own fault cannot look like.

**Which sign decides.** The one that ends with the best grade; among equals something that acted (a
reset) before a timeout, then the more frequent, then the first. Many censors drop or refuse
everything for minutes after they cut off a connection. So timeouts that loss does not explain, and
refusals at an address where a handshake or request was cut off before, count as agreeing with the
cut, and so does silence of connections to an address that fell silent in a handshake before. A
server that fails and is then taken out of service looks the same, but fails for the control too.

`monitor.analysis.judge.grade_by_follow_ups` then adds the follow-ups.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from monitor.analysis.judge.block_pages import Match, Medium, best_match, national
from monitor.analysis.judge.case import Case
from monitor.analysis.judge.cleartext_pages import Likeness, cleartext_page
from monitor.analysis.judge.controls import Controls, follows, likenesses, redirected_elsewhere
from monitor.analysis.judge.genuine_chains import explained_by_clock, wrong_by_dates_alone
from monitor.analysis.judge.grade_by_follow_ups import honest_over, reread
from monitor.analysis.judge.grade_by_sign import (
    AGREEING_ATTEMPTS,
    WEIGHTS,
    Sign,
    Weight,
    capped,
    grade,
    loss_explains,
    signs,
)
from monitor.analysis.judge.interception import intercepted
from monitor.analysis.judge.led_elsewhere import comparable
from monitor.analysis.judge.one_family import silence_over_ipv4, without_silent_ipv6
from monitor.analysis.judge.server_errors import forbidden, server_error
from monitor.analysis.measurement_summary import (
    TIMEOUT,
    Outcome,
    Summary,
    best,
    kind_of,
    led_through_proxy,
    outcome_over,
    rank,
    reached_over,
    usable,
)
from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence, VantageState
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.endpoint_text import parse_endpoint
from probes.failure_strings import FORGED, Failure
from probes.measurement import LEGAL_REASONS, Layer, Observation

INJECTION: Sign = (Layer.DNS, "injection")
BOGON: Sign = (Layer.DNS, "bogon")
CERTIFICATE: Sign = (Layer.TLS, "certificate")
INTERCEPTED: Sign = (Layer.TLS, "local_authority")
"""A device at the vantage's own site opened the connection: this accuses nobody."""
KNOWN_PAGE: Sign = (Layer.HTTP, "known_blockpage")
REFUSED_HERE: Sign = (Layer.HTTP, "refused_here")
"""The platform itself answered with an error, over verified TLS."""
OTHER_RESOLVER: Sign = (Layer.DNS, "other_resolver")
_BLOCKPAGE: Sign = (Layer.HTTP, "blockpage")

_COMMON_FAULTS = frozenset(signs("dns.timeout dns.servfail dns.reset dns.eof tls.handshake"))
"""Signs that repetition does not make strong, but follow-ups can prove: resolvers are slow, are cut
off from the platform's name servers or serve no TCP, and servers near by are faulty."""
_NEED_NO_CONTROL: tuple[Sign, ...] = (INJECTION, BOGON)
"""Signs that a control cannot weaken: whatever it meets, they were made here."""
_REFUSALS = ("refused", "reset")
"""Refused connections: a censor answers for the address."""
_RESIDUE = {"reset": _REFUSALS, "eof": _REFUSALS, TIMEOUT: (TIMEOUT,)}
"""What a handshake or request was stopped by → what connections to the address meet afterwards."""

SLOW, SLOW_SHARE = 1.0, 0.25
"""A control's wait is long from this many seconds, and this share of the wait that failed here."""
_DIALLED = (Layer.TCP, Layer.TLS, Layer.APP)
BEFORE_HTTP = (Layer.DNS, Layer.TCP, Layer.TLS)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The best-supported explanation of why the attempts failed."""

    sign: Sign | None
    """None when no failure has a name."""
    evidence: Evidence
    summary: Summary
    """The first attempt that shows it."""
    outcome: Outcome | None
    """The address and layer in that attempt."""
    family: str = ""
    fingerprint: str = ""
    """Id of the fingerprint that supports the sign."""
    share: float | None = None
    """Share (0–1) of connections or addresses that show the sign, where others work."""


class FailedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    summary: Summary
    signs: Mapping[Sign, Outcome]
    """More than one when its addresses failed in different ways."""
    covered: bool
    """A working control followed it."""


def find(case: Case, failed: Sequence[Summary], controls: Controls) -> Finding:
    """The best-supported finding on one or more failed attempts."""
    attempts = [
        FailedAttempt(
            summary=summary,
            signs=comparable(case, summary, controls, signs_of(case, summary, controls)),
            covered=any(follows(one.measurement, summary) for one in _asked(controls)),
        )
        for summary in failed
    ]
    counted = [one for one in (_accusing(case, attempt) for attempt in attempts) if one is not None]
    considered = counted or attempts

    def concluded(found: Finding) -> Finding:
        unstable = controls.unstable and found.sign not in _NEED_NO_CONTROL
        doubtful = unstable or controls.unsettled or _slow_at_control(found, controls)
        limit = Evidence.WEAK if doubtful else Evidence.STRONG
        excused = not counted or case.excuses(found.sign)
        evidence = Evidence.NONE if excused else capped(found.evidence, limit)
        return _with_follow_ups(case, found, evidence, counted, controls)

    last = considered[-1].summary
    return strongest(case, considered, concluded) or Finding(
        sign=None, evidence=Evidence.NONE, summary=last, outcome=decisive_here(case, last)
    )


def _asked(controls: Controls) -> Sequence[Summary]:
    """The controls that a failure can be compared with. Unsettled ones tell no more than that it
    may work elsewhere."""
    return (*controls.working, *controls.failing) if controls.unsettled else controls.working


def _slow_at_control(found: Finding, controls: Controls) -> bool:
    """Whether a timeout here may be a slow answer, since one was slow at a control too."""
    if found.sign is None or found.sign[1] != TIMEOUT:
        return False
    last_hop = found.summary.last_hop
    tried: Sequence[Observation] = ()
    slowest = controls.slowest_answer
    if found.sign[0] in _DIALLED:
        tried = (*last_hop.tcp, *last_hop.tls, *last_hop.app)
    elif found.sign[0] is Layer.HTTP and last_hop.http is not None:
        tried, slowest = (last_hop.http,), controls.slowest_page
    waited = [o.duration for o in tried if o.failure]
    return bool(waited) and slowest > max(SLOW, SLOW_SHARE * max(waited))


def _with_follow_ups(
    case: Case,
    found: Finding,
    evidence: Evidence,
    counted: Sequence[FailedAttempt],
    controls: Controls,
) -> Finding:
    if found.sign is None:
        return msgspec.structs.replace(found, evidence=evidence)
    residue = _residue_of(found.sign, counted) if _leaves_residue(found.sign) else ()
    reading = reread(
        case,
        found.sign,
        evidence,
        [
            silence_over_ipv4(found.sign, a.summary, families_of(case))
            for n, a in enumerate(counted)
            if found.sign in a.signs or n in residue
        ],
        controls.working,
    )
    evidence = reading.evidence
    if reading.sign in _COMMON_FAULTS and evidence is Evidence.STRONG:
        evidence = Evidence.WEAK
    return msgspec.structs.replace(found, sign=reading.sign, evidence=evidence)


def strongest(
    case: Case,
    attempts: Sequence[FailedAttempt],
    concluded: Callable[[Finding], Finding] = lambda found: found,
) -> Finding | None:
    """The finding that these attempts support best; None when they show no sign. `concluded` says
    what becomes of each by controls and follow-ups: that decides, so that a sign which ends as weak
    hides none that ends as strong."""
    signs = [attempt.signs for attempt in attempts]

    def preference(sign: Sign, finding: Finding) -> tuple[int, int, int, int]:
        showing = [n for n, shown in enumerate(signs) if sign in shown]
        agreeing = len(showing)
        if _leaves_residue(sign):
            agreeing += len(_residue_of(sign, attempts))
        return (EVIDENCE_ORDER[finding.evidence], -rank(sign[1]), agreeing, -showing[0])

    found = [
        (sign, concluded(_supported(case, sign, attempts)))
        for sign in dict.fromkeys(s for shown in signs for s in shown)
    ]
    return max(found, key=lambda pair: preference(*pair))[1] if found else None


def _supported(case: Case, sign: Sign, attempts: Sequence[FailedAttempt]) -> Finding:
    showing = [attempt for attempt in attempts if sign in attempt.signs]
    evidence = graded(case, sign, attempts)
    match = _fingerprint(case, sign, showing)
    known = match is not None and national(case, match)
    if known:
        evidence = Evidence.STRONG
    by_proxy_only = all(sign[0] in attempt.summary.measurement.not_observed for attempt in showing)
    by_dates = sign == CERTIFICATE and wrong_by_dates_alone(one.summary for one in showing)
    covered = any(attempt.covered for attempt in showing)
    if by_dates and not known and _by_our_clock(case, showing):
        evidence = Evidence.NONE
    if by_proxy_only or not (known or (covered and not by_dates)):
        # Only a proxy reports on a layer it hides, there is no control, or a server lapsed.
        evidence = capped(evidence, Evidence.WEAK)
    first = showing[0]
    return Finding(
        sign=sign,
        evidence=evidence,
        summary=first.summary,
        outcome=first.signs[sign],
        fingerprint=match.fingerprint.id if match is not None else "",
    )


def _by_our_clock(case: Case, showing: Sequence[FailedAttempt]) -> bool:
    return explained_by_clock((one.summary for one in showing), case.health.clock_skew)


def _fingerprint(case: Case, sign: Sign, showing: Sequence[FailedAttempt]) -> Match | None:
    """The fingerprint of attempts with this sign; one known from the country comes first."""
    medium = {KNOWN_PAGE: Medium.PAGE, CERTIFICATE: Medium.CERTIFICATE}.get(sign)
    if medium is None:
        return None
    found = [best_match(case, attempt.summary, medium) for attempt in showing]
    matches = [one for one in found if one is not None]
    return next((one for one in matches if national(case, one)), matches[0] if matches else None)


def graded(case: Case, sign: Sign, attempts: Sequence[FailedAttempt]) -> Evidence:
    """The grade of a sign that at least one of these attempts shows, in the order made."""
    weight = WEIGHTS.get(sign, Weight.NOTHING)
    silent = [
        n for n, attempt in enumerate(attempts) if any(word == TIMEOUT for _, word in attempt.signs)
    ]
    showing = [n for n, attempt in enumerate(attempts) if sign in attempt.signs]
    lossy = case.health.state is VantageState.LOSSY
    rate = case.health.timeout_rate
    count = len(silent) if weight is Weight.SILENCE else len(showing)
    refused = _residue_of(sign, attempts) if _leaves_residue(sign) else frozenset()
    if weight in AGREEING_ATTEMPTS:
        count += len(refused)
    if weight in AGREEING_ATTEMPTS and sign[0] is not Layer.DNS and not lossy:
        residue = len([n for n in silent if n > showing[0] and n not in (*showing, *refused)])
        if residue and not loss_explains(rate, residue):
            count += residue
    evidence = grade(weight, count, timeout_rate=rate, lossy=lossy)
    if kind_of(case.endpoint) is EndpointKind.STUN and sign[0] is Layer.APP:
        # Firewalls that allow some UDP but not this port are too common for more than weak.
        return evidence if calls_elsewhere(case) else capped(evidence, Evidence.WEAK)
    if sign[0] is Layer.APP and case.no_protocol_of_apps:
        return capped(evidence, Evidence.WEAK)
    return evidence


def calls_elsewhere(case: Case, family: str = "") -> bool:
    """Whether another owner's server for calls answered on the port of this one; over `family`, if
    one is given."""
    port = parse_endpoint(case.endpoint).port
    return any(
        kind_of(one) is EndpointKind.STUN
        and parse_endpoint(one).port == port
        and (not family or family in families)
        for one, families in case.udp_references.items()
    )


def _leaves_residue(sign: Sign) -> bool:
    """Whether a handshake or request was cut off, which may block the address for a while."""
    return sign[0] in (Layer.TLS, Layer.HTTP) and sign[1] in _RESIDUE


def _residue_of(sign: Sign, attempts: Sequence[FailedAttempt]) -> frozenset[int]:
    """Positions of attempts that met refusals, or silence after silence, at an address where this
    sign cut off an earlier attempt."""
    cut: set[str] = set()
    found = set()
    for position, attempt in enumerate(attempts):
        if sign in attempt.signs:
            cut |= {
                p.address
                for p in attempt.summary.paths
                if p.address and (p.layer, p.sub_method) == sign
            }
        elif any(
            path.layer is Layer.TCP and path.sub_method in _RESIDUE[sign[1]] and path.address in cut
            for path in attempt.summary.paths
        ):
            found.add(position)
    return frozenset(found)


def _accusing(case: Case, attempt: FailedAttempt) -> FailedAttempt | None:
    """The attempt as far as it can accuse: all of it where a control followed, else those of its
    signs that need none; None where it has none."""
    if attempt.covered:
        return attempt
    signs = {
        sign: outcome
        for sign, outcome in attempt.signs.items()
        if sign in (BOGON, KNOWN_PAGE)
        # A wrong clock breaks certificates too, but then a reference's as well.
        or (
            sign == CERTIFICATE
            and outcome.failure in FORGED
            and case.health.state is VantageState.OK
        )
    }
    return msgspec.structs.replace(attempt, signs=signs) if signs else None


def decisive_here(case: Case, summary: Summary) -> Outcome | None:
    """The best outcome over the families that work from this vantage."""
    return best(usable(summary.paths, families_of(case)))


def families_of(case: Case) -> tuple[str, ...]:
    """The families that work from here (empty: all); a bare DNS name needs none."""
    return () if kind_of(case.endpoint) is EndpointKind.DNS else case.health.families


def signs_of(case: Case, summary: Summary, controls: Controls) -> dict[Sign, Outcome]:
    """The signs of one failed attempt, and where; empty when no failure has a name."""
    if intercepted(case, summary):
        outcome = decisive_here(case, summary)
        return {INTERCEPTED: outcome} if outcome is not None else {}
    paths = usable(summary.paths, families_of(case))
    outcome = best(paths)
    if outcome is None:
        return _denied(case, summary, controls)
    if best_match(case, summary, Medium.PAGE) is not None:
        return {KNOWN_PAGE: outcome}
    if controls.working and redirected_elsewhere(summary, controls):
        return {_BLOCKPAGE: outcome}
    if outcome.failure is None:
        sign = _page_sign(summary, controls)
        return {sign: outcome} if sign else {}
    if summary.last_hop.resolved_elsewhere:
        if outcome.layer is Layer.DNS:
            return {OTHER_RESOLVER: outcome}
    elif outcome.layer in BEFORE_HTTP:
        # A verified TLS connection proves the address, whatever the resolver said.
        if summary.injected:
            return {INJECTION: outcome}
        if led_through_proxy(summary):
            return {}
        bogon = next((path for path in paths if path.sub_method == BOGON[1]), None)
        if bogon is not None:
            return {BOGON: bogon}
    if outcome.layer in summary.measurement.not_observed:
        # A refusal by the proxy's own rules is not the ICMP error it is otherwise.
        paths = tuple(path for path in paths if path.failure != Failure.PERMISSION_DENIED)
    counted = without_silent_ipv6(summary, paths, outcome.depth, families_of(case))
    return failed_at(counted, max((path.depth for path in counted if path.sub_method), default=0))


def _denied(case: Case, summary: Summary, controls: Controls) -> dict[Sign, Outcome]:
    """That the resolver gave no IPv4 addresses, where IPv4 alone works, and the name is reached
    over it: by a control, or from here at an address that another source gave. Where another reply
    to the same query gave some, nothing else needs to show it."""
    outcome = outcome_over(summary, "ipv4") if "ipv4" in families_of(case) else None
    if outcome is None or summary.last_hop.resolved_elsewhere:
        return {}
    if summary.injected:
        return {INJECTION: outcome}
    if not controls.working:
        return {}
    reached = any(reached_over(one, "ipv4") for one in controls.working)
    if not (reached or honest_over(case, summary.last_hop.host, "ipv4")):
        return {}
    return {(outcome.layer, outcome.sub_method): outcome}


def failed_at(paths: Sequence[Outcome], depth: int) -> dict[Sign, Outcome]:
    """The signs of the paths that failed at this depth, with a path for each."""
    found: dict[Sign, Outcome] = {}
    failed = [path for path in paths if path.depth == depth and path.sub_method]
    for path in sorted(failed, key=lambda p: (p.failure in FORGED, p.failure or "", p.family)):
        found[path.layer, path.sub_method] = path
    return found


def _page_sign(summary: Summary, controls: Controls) -> Sign | None:
    page = summary.last_hop.http
    if page is None or not page.status:
        return None
    cleartext = cleartext_page(summary) is not None
    if page.status == LEGAL_REASONS:
        return Layer.HTTP, "status_451" if cleartext else "withheld"
    if cleartext and controls.working:
        alike = likenesses(page, controls)
        if alike == {Likeness.DIFFERENT}:
            return _BLOCKPAGE
        if Likeness.REFUSED_BY_SITE in alike:
            return Layer.HTTP, "refused_by_site"
    if not page.expected:
        return Layer.HTTP, "unexpected"
    return REFUSED_HERE if server_error(summary) or forbidden(summary) else None
