"""The case: everything that bears on one endpoint in one cycle, and what it comes to.

`Case` is what is put before the judge. `examine` reduces it to `Facts`, the few things the rules
ask about: did it answer, was anyone watching from outside, what is the best-supported finding.

**Which controls count.** One from a healthy control vantage, of the same endpoint, that started
at or after the end of the field look it is compared with. A platform can go down between two
looks, so an older "ok" is no control. Of each control vantage only its latest look speaks.

**Which looks count.** Those that a working control followed, those that show what needs no
witness (a bogon, a forged certificate), and none that died at our own proxy.

**Which failure decides, when looks differ.** The best supported one; among equals something that
acted (a reset) before silence (a timeout), then the more frequent, then the first, since what
follows may be the residue of the first: many censors drop everything for minutes once they have
reset a connection. Timeouts after a reset that loss does not explain therefore count as agreeing
with it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.outcome import (
    TIMEOUT,
    Outcome,
    Outline,
    best,
    kind_of,
    outline,
    rank,
    usable,
    works,
)
from monitor.analysis.pages import LEGAL_REASONS, Likeness, compare, strays
from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence, VantageHealth, VantageState
from monitor.analysis.weight import WEIGHTS, Sign, Weight, capped, grade, loss_explains
from probes.catalog import EndpointKind
from probes.failure import Failure
from probes.measurement import HttpObservation, Layer, Measurement

_ABLE = (VantageState.OK, VantageState.LOSSY)
_FORGED = (Failure.SSL_UNKNOWN_AUTHORITY, Failure.SSL_INVALID_HOSTNAME)
"""An expired certificate is a common mistake of honest sites; these two are not."""
_INNOCENT_ON_ONE_FAMILY: frozenset[Sign] = frozenset(
    {
        (Layer.DNS, "refused"),
        (Layer.DNS, "servfail"),
        (Layer.DNS, "no_answer"),
        (Layer.DNS, TIMEOUT),
        (Layer.TCP, TIMEOUT),
        (Layer.TCP, "unreachable"),
        (Layer.TLS, TIMEOUT),
    }
)
"""Resolvers stumble over one record type, and two networks may not exchange one family's routes."""
_BEFORE_HTTP = (Layer.DNS, Layer.TCP, Layer.TLS)
_INJECTION: Sign = (Layer.DNS, "injection")
_BOGON: Sign = (Layer.DNS, "bogon")
_CERTIFICATE: Sign = (Layer.TLS, "certificate")


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint, one field vantage, one cycle, put before the judge."""

    cycle: str
    vantage: str
    country: str
    asn: int
    network: str
    platform: str
    role: str
    endpoint: str
    """`Endpoint.id`."""
    attempts: tuple[Measurement, ...]
    """The looks at this endpoint in this cycle, in the order made."""
    controls: tuple[Measurement, ...] = ()
    """Looks at the same endpoint from control vantages, in any order, however old."""
    health: VantageHealth
    """Of the field vantage, from references asked after the failures."""
    control_health: Mapping[str, VantageHealth] = {}
    """Vantage id → health, of the control vantages; one that is missing counts as unwell."""
    judged_at: datetime
    """UTC."""


class Controls(msgspec.Struct, frozen=True, kw_only=True):
    """What the controls that count saw."""

    working: tuple[Outline, ...] = ()
    failing: tuple[Outline, ...] = ()
    gap: str = ""
    """Why none counts: `missing`, `stale` or `dead`; empty when one does."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Measurement ids, sorted."""
        return tuple(sorted(c.measurement.id for c in (*self.working, *self.failing)))


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The best-supported explanation of why the looks failed."""

    sign: Sign | None
    """None when nothing that can be named went wrong."""
    evidence: Evidence
    shown: Outline
    """The first look that shows it."""
    outcome: Outcome | None
    family: str = ""
    """Set when only this address family is affected."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules ask about a case."""

    case: Case
    looked: bool
    """There was a look at all."""
    egress_failed: bool
    """Every look died at our own proxy."""
    answered: bool
    """The last look got the answer it should."""
    like_control: bool
    """The last look got, in cleartext, the page the control got."""
    failed_before: bool
    """Looks before the last one failed."""
    family_missing: bool
    """The endpoint has only addresses of a family that does not work from this vantage."""
    withheld_everywhere: bool
    """The control, too, was told that the law forbids it."""
    controls: Controls
    finding: Finding | None
    """None when no look failed."""
    family_finding: Finding | None
    """Set when the endpoint answers, but never over one family that works otherwise."""
    last: Outline | None


def examine(case: Case) -> Facts:
    """Reduce a case to the facts the rules ask about. Never raises."""
    shown = [outline(look) for look in case.attempts]
    looked = [one for one in shown if one.egress_failure is None]
    last = looked[-1] if looked else None
    for_last = _controls(case, [last]) if last else Controls(gap="missing")
    answered = last is not None and _answered(last, for_last)
    like_control = last is not None and _like_control(last, for_last)
    failed = _trailing_failures(looked) if not (answered or like_control) else []
    controls = _controls(case, failed) if failed else for_last
    finding = _finding(case, failed, controls) if failed else None
    return Facts(
        case=case,
        looked=bool(shown),
        egress_failed=bool(shown) and not looked,
        answered=answered,
        like_control=like_control,
        failed_before=any(not one.measurement.reached for one in looked[:-1]),
        family_missing=bool(failed) and all(_family_missing(case, one) for one in failed),
        withheld_everywhere=_withheld_everywhere(finding, controls),
        controls=controls,
        finding=finding,
        family_finding=_family_finding(case, looked) if answered else None,
        last=last or (shown[-1] if shown else None),
    )


# -- answers -----------------------------------------------------------------------------------


def _answered(shown: Outline, controls: Controls) -> bool:
    """Reached, and not by way of a cleartext redirect that anyone could have forged."""
    return shown.measurement.reached and not _strays(shown, controls)


def _strays(shown: Outline, controls: Controls) -> bool:
    look = shown.measurement
    if not controls.working:
        return strays(look, None)
    return all(strays(look, control.measurement) for control in controls.working)


def _like_control(shown: Outline, controls: Controls) -> bool:
    page = _cleartext_page(shown)
    return (
        page is not None
        and page.expected
        and not _strays(shown, controls)
        and Likeness.SAME in _likenesses(page, controls)
    )


def _likenesses(page: HttpObservation, controls: Controls) -> set[Likeness]:
    pages = [control.leg.http for control in controls.working]
    return {compare(page, other) for other in pages if other is not None}


def _cleartext_page(shown: Outline) -> HttpObservation | None:
    """The final response, if it is complete and came over no verified connection."""
    page = shown.leg.http
    if page is None or page.failure is not None or not page.status:
        return None
    return None if page.url.startswith("https:") else page


def _trailing_failures(looked: Sequence[Outline]) -> list[Outline]:
    """The looks after the last one that reached its endpoint, or the very last one."""
    position = max((i for i, one in enumerate(looked) if one.measurement.reached), default=-1)
    return list(looked[position + 1 :] or looked[-1:])


# -- controls ----------------------------------------------------------------------------------


def _controls(case: Case, compared: Sequence[Outline]) -> Controls:
    """The controls that count for at least one of the looks compared."""
    same = [look for look in case.controls if look.endpoint == case.endpoint]
    if not same:
        return Controls(gap="missing")
    timely = [look for look in same if any(_follows(look, one) for one in compared)]
    if not timely:
        return Controls(gap="stale")
    telling = [shown for shown in map(outline, timely) if _telling(case, shown)]
    if not telling:
        return Controls(gap="dead")
    latest: dict[str, Outline] = {}
    for shown in sorted(telling, key=lambda s: (s.measurement.started_at, s.measurement.id)):
        latest[shown.measurement.vantage] = shown
    return Controls(
        working=tuple(shown for shown in latest.values() if _works(shown)),
        failing=tuple(shown for shown in latest.values() if not _works(shown)),
    )


def _follows(control: Measurement, shown: Outline) -> bool:
    return control.started_at.timestamp() >= shown.measurement.ended_at


def _works(control: Outline) -> bool:
    """Whether the control got an answer: as stated, or in cleartext any that can be compared."""
    if control.measurement.reached:
        return True
    page = _cleartext_page(control)
    return page is not None and page.expected and page.status != LEGAL_REASONS


def _telling(case: Case, control: Outline) -> bool:
    """Whether a control look says something about the endpoint rather than about itself."""
    health = case.control_health.get(control.measurement.vantage)
    if health is None or health.state not in _ABLE or control.egress_failure is not None:
        return False
    if _works(control):
        return True
    outcome = best(usable(control.outcomes, health.families))
    if outcome is None:
        return False
    if outcome.sub_method == TIMEOUT and health.state is VantageState.LOSSY:
        return False
    return outcome.failure is None or rank(outcome.sub_method) < 2


def _withheld_everywhere(finding: Finding | None, controls: Controls) -> bool:
    if finding is None or finding.sign not in (
        (Layer.HTTP, "status_451"),
        (Layer.HTTP, "withheld"),
    ):
        return False
    pages = [control.leg.http for control in controls.failing]
    return any(page is not None and page.status == LEGAL_REASONS for page in pages)


# -- findings ----------------------------------------------------------------------------------


def _finding(case: Case, failed: Sequence[Outline], controls: Controls) -> Finding:
    covered = [
        any(_follows(control.measurement, shown) for control in controls.working)
        for shown in failed
    ]
    signs = [_sign(case, shown, controls) for shown in failed]
    counted = [
        position
        for position, shown in enumerate(failed)
        if covered[position] or _stands_alone(case, signs[position], shown)
    ]
    considered = counted or list(range(len(failed)))
    looks = [(failed[position], signs[position], covered[position]) for position in considered]
    candidates = [
        _supported(case, sign, looks) for sign in dict.fromkeys(s for _, s, _ in looks) if sign
    ]
    if not candidates:
        last = looks[-1][0]
        return Finding(sign=None, evidence=Evidence.NONE, shown=last, outcome=_outcome(case, last))
    found = max(candidates, key=lambda f: _preference(f, [s for _, s, _ in looks]))
    limit = Evidence.WEAK if controls.failing else Evidence.STRONG
    evidence = capped(found.evidence, limit) if counted else Evidence.NONE
    return msgspec.structs.replace(found, evidence=evidence)


def _preference(finding: Finding, signs: list[Sign | None]) -> tuple[int, int, int, int]:
    """Best supported, then what acted before silence, then the most frequent, then the first."""
    sub_method = finding.sign[1] if finding.sign else ""
    return (
        EVIDENCE_ORDER[finding.evidence],
        -rank(sub_method),
        signs.count(finding.sign),
        -signs.index(finding.sign),
    )


def _supported(
    case: Case, sign: Sign, looks: Sequence[tuple[Outline, Sign | None, bool]]
) -> Finding:
    """The finding for one sign; a look is its outline, its sign, and whether a control followed."""
    showing = [(shown, covered) for shown, found, covered in looks if found == sign]
    evidence = _graded(case, sign, [found for _, found, _ in looks])
    hearsay = all(sign[0] in shown.measurement.not_observed for shown, _ in showing)
    if hearsay or not any(covered for _, covered in showing):
        # Only a proxy's word for what happened on a layer it hides; or no witness.
        evidence = capped(evidence, Evidence.WEAK)
    first = showing[0][0]
    return Finding(sign=sign, evidence=evidence, shown=first, outcome=_outcome(case, first))


def _graded(case: Case, sign: Sign, signs: Sequence[Sign | None]) -> Evidence:
    weight = WEIGHTS.get(sign, Weight.NOTHING)
    silent = [position for position, found in enumerate(signs) if found and found[1] == TIMEOUT]
    lossy = case.health.state is VantageState.LOSSY
    rate = case.health.timeout_rate
    looks = len(silent) if weight is Weight.SILENCE else signs.count(sign)
    if weight is Weight.REPEAT and sign[0] is not Layer.DNS and not lossy:
        residue = sum(position > signs.index(sign) for position in silent)
        if residue and not loss_explains(rate, residue):
            looks += residue
    return grade(weight, looks, timeout_rate=rate, lossy=lossy)


def _stands_alone(case: Case, sign: Sign | None, shown: Outline) -> bool:
    """Whether a sign accuses without anybody having looked from outside."""
    if sign == _BOGON:
        return True
    outcome = _outcome(case, shown)
    # A wrong clock breaks certificates too, but then a reference's as well.
    return (
        sign == _CERTIFICATE
        and case.health.state is VantageState.OK
        and outcome is not None
        and outcome.failure in _FORGED
    )


def _outcome(case: Case, shown: Outline) -> Outcome | None:
    return best(usable(shown.outcomes, _families(case)))


def _families(case: Case) -> tuple[str, ...]:
    """The families that work from here; a bare DNS name needs none."""
    return () if kind_of(case.endpoint) is EndpointKind.DNS else case.health.families


def _family_missing(case: Case, shown: Outline) -> bool:
    return bool(shown.outcomes) and not usable(shown.outcomes, _families(case))


def _sign(case: Case, shown: Outline, controls: Controls) -> Sign | None:
    """What one failed look shows, in the words of verdicts; None for nothing nameable."""
    outcome = _outcome(case, shown)
    if outcome is None:
        return None
    if controls.working and _strays(shown, controls):
        return Layer.HTTP, "blockpage"
    if outcome.failure is not None and outcome.layer in _BEFORE_HTTP:
        # Once TLS verified, the address was right whatever the resolver said.
        if shown.injected:
            return _INJECTION
        if any(o.sub_method == "bogon" for o in usable(shown.outcomes, _families(case))):
            return _BOGON
    if outcome.failure is not None:
        hearsay = outcome.layer in shown.measurement.not_observed
        if hearsay and outcome.failure == Failure.PERMISSION_DENIED:
            return None  # the proxy's own rules, not an ICMP message
        return (outcome.layer, outcome.sub_method) if outcome.sub_method else None
    return _page_sign(shown, controls)


def _page_sign(shown: Outline, controls: Controls) -> Sign | None:
    """What is wrong with a complete response."""
    page = shown.leg.http
    if page is None or not page.status:
        return None
    cleartext = _cleartext_page(shown) is not None
    if page.status == LEGAL_REASONS:
        return Layer.HTTP, "status_451" if cleartext else "withheld"
    if cleartext and controls.working:
        likenesses = _likenesses(page, controls)
        if likenesses == {Likeness.DIFFERENT}:
            return Layer.HTTP, "blockpage"
        if Likeness.REFUSED_BY_SITE in likenesses:
            return Layer.HTTP, "refused_by_site"
    return None if page.expected else (Layer.HTTP, "unexpected")


# -- one family only ---------------------------------------------------------------------------


def _family_finding(case: Case, looked: Sequence[Outline]) -> Finding | None:
    """What stops a family that failed in every look though the endpoint answered over another."""
    if case.health.state not in _ABLE:
        return None
    found = [
        finding
        for family in case.health.families
        if (finding := _on_family(case, looked, family)) is not None
    ]
    return max(found, key=lambda f: (EVIDENCE_ORDER[f.evidence], f.family), default=None)


def _on_family(case: Case, looked: Sequence[Outline], family: str) -> Finding | None:
    outcomes = [_of_family(shown, family) for shown in looked]
    if any(outcome is None or not outcome.sub_method for outcome in outcomes):
        return None
    controls = _controls(case, looked[-1:])
    working = [control for control in controls.working if _works_over(control, family, looked[-1])]
    covered = [
        (shown, outcome)
        for shown, outcome in zip(looked, outcomes, strict=True)
        if outcome is not None and any(_follows(c.measurement, shown) for c in working)
    ]
    signs: list[Sign | None] = [(outcome.layer, outcome.sub_method) for _, outcome in covered]
    candidates = []
    for sign in dict.fromkeys(signs):
        if sign is None:
            continue
        shown, outcome = covered[signs.index(sign)]
        evidence = _graded(case, sign, signs)
        if controls.failing or sign in _INNOCENT_ON_ONE_FAMILY:
            evidence = capped(evidence, Evidence.WEAK)
        if evidence is not Evidence.NONE:
            candidates.append(
                Finding(sign=sign, evidence=evidence, shown=shown, outcome=outcome, family=family)
            )
    return max(
        candidates,
        key=lambda f: (EVIDENCE_ORDER[f.evidence], -rank(f.sign[1] if f.sign else "")),
        default=None,
    )


def _of_family(shown: Outline, family: str) -> Outcome | None:
    return next((o for o in shown.outcomes if o.family == family), None)


def _works_over(control: Outline, family: str, field: Outline) -> bool:
    """Whether a control got through to the same host over this family."""
    outcome = _of_family(control, family)
    return (
        control.measurement.reached
        and control.leg.host == field.leg.host
        and outcome is not None
        and works(outcome, control.measurement)
    )
