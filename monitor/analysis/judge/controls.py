"""Which control measurements count, and what they found.

A control counts when its vantage is well, it is of the same endpoint, and it started at or after
the end of the field measurement: a platform can go down between two measurements. The latest
measurement of each control vantage decides. If an earlier one failed, the evidence is weaker: a
fault that comes and goes at the control can come and go here, too.

Controls of the operator's own configuration are believed. Where agents are controls, they **vote**:
the side with most weight counts if it weighs enough (`monitor.analysis.trust`), and the other side
is *outvoted*. One agent alone settles nothing, nor do two that disagree, nor agents against the
operator's own: then it is neither known to be down nor known to work elsewhere, and the controls
are *unsettled*.

A control behind a censor of its own says nothing: another name is answered there. Nor does one
whose own addresses fail while it is answered at those that fail here: what is down near the control
explains nothing, and nobody can tell that it works there as a whole. Nor one whose resolver gave it
no address or led it to a forgery, where the platform proved itself here at another address. Nor one
that failed over IPv6 alone and did not try IPv4, as in turns to save bytes.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.cleartext_pages import (
    Likeness,
    cleartext_page,
    compare,
    redirects_elsewhere,
)
from monitor.analysis.measurement_summary import (
    TIMEOUT,
    Outcome,
    Summary,
    best,
    rank,
    sub_method_of,
    summarise,
    usable,
)
from monitor.analysis.trust import OWN_VOTES, Trust, Voice, network_key
from monitor.analysis.vantage.health import wrong_clock
from monitor.analysis.verdict import VantageHealth, VantageState
from probes.failure_strings import FORGED, Failure
from probes.measure.follow_up_reasons import Reason
from probes.measurement import (
    LEGAL_REASONS,
    AnyObservation,
    AppObservation,
    HttpObservation,
    Layer,
    Measurement,
    TcpObservation,
    TlsObservation,
)

_BY_NAME = ("reset", TIMEOUT)
"""Failures of a handshake that a censor at the control causes. Servers refuse a name in others."""
DENIALS = ("nxdomain", "refused", "no_answer")
"""Answers of a resolver without an address."""
_CONNECTING = (Layer.TCP, Layer.TLS)
ABLE = (VantageState.OK, VantageState.LOSSY)
"""Health states in which a vantage, field or control, can accuse."""


class Controls(msgspec.Struct, frozen=True, kw_only=True):
    """The controls that count."""

    working: tuple[Summary, ...] = ()
    failing: tuple[Summary, ...] = ()
    gap: str = ""
    """Why none counts: `missing`, `stale`, `dead` or `censored`; empty when one counts."""
    unstable: bool = False
    """A control failed after a failure here, whatever it found later: the endpoint is unstable."""
    slowest_answer: float = 0.0
    """Longest wait of a working control for a connection or a greeting, in seconds."""
    slowest_page: float = 0.0
    """The same for a page."""
    outvoted: tuple[Summary, ...] = ()
    """Controls that say the opposite of those that count."""
    unsettled: bool = False
    """Neither side of the vote weighs enough."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Measurement ids, sorted; those that were outvoted included."""
        every = (*self.working, *self.failing, *self.outvoted)
        return tuple(sorted(c.measurement.id for c in every))

    @property
    def down(self) -> bool:
        """Whether those that count found it failing too."""
        return bool(self.failing) and not self.working and not self.unsettled


def controls_for(case: Case, compared: Sequence[Summary]) -> Controls:
    """The controls that count for at least one of the attempts."""
    same = [m for m in case.controls if m.endpoint == case.endpoint]
    if not same:
        return Controls(gap="missing")
    timely = [m for m in same if any(follows(m, one) for one in compared)]
    if not timely:
        return Controls(gap="stale")
    summaries = [summarise(one) for one in timely]
    failing_here = {
        path.address
        for one in compared
        for path in one.paths
        if path.address and path.failure and path.layer in _CONNECTING
    }
    informative = [
        one
        for one in summaries
        if _counts(case, one)
        and not _censored(one)
        and not _down_nearby(one, failing_here)
        and not _led_astray(case, one)
    ]
    if not informative:
        return Controls(gap="censored" if any(map(_censored, summaries)) else "dead")
    latest: dict[str, Summary] = {}
    for summary in sorted(informative, key=lambda s: (s.measurement.started_at, s.measurement.id)):
        latest[summary.measurement.vantage] = summary
    works = {
        one.measurement.id: _works(one) or _only_too_late(one, _health(case, one))
        for one in informative
    }
    working = tuple(summary for summary in latest.values() if works[summary.measurement.id])
    failing = tuple(summary for summary in latest.values() if not works[summary.measurement.id])
    found = Controls(
        working=working,
        failing=failing,
        unstable=not all(works.values()),
        slowest_answer=max(map(_slowest, working), default=0.0),
        slowest_page=max(map(_slowest_page, working), default=0.0),
    )
    if all(case.trust.is_own(vantage) for vantage in latest):
        return found
    return _after_vote(case, found, informative)


def _after_vote(case: Case, found: Controls, informative: Sequence[Summary]) -> Controls:
    """The controls that count once those have voted of which some are agents."""
    trust, at = case.trust, case.judged_at
    for_it, against = _votes(trust, found.working, at), _votes(trust, found.failing, at)
    own = _own(trust, found.working), _own(trust, found.failing)
    if for_it > against and (own[0] or (for_it >= trust.agreement and not own[1])):
        counting = {one.measurement.vantage for one in found.working}
        return msgspec.structs.replace(
            found,
            failing=(),
            outvoted=found.failing,
            unstable=not all(
                _works(one) for one in informative if one.measurement.vantage in counting
            ),
        )
    if against > for_it and (own[1] or (against >= trust.agreement and not own[0])):
        return msgspec.structs.replace(found, working=(), outvoted=found.working)
    return msgspec.structs.replace(found, unsettled=True)


def _votes(trust: Trust, controls: Iterable[Summary], at: datetime) -> float:
    voices = [
        Voice(
            vantage=one.measurement.vantage,
            network=network_key(one.measurement.asn, one.measurement.network),
        )
        for one in controls
    ]
    # One line of the operator's outweighs any one agent.
    own = sum(trust.is_own(voice.vantage) for voice in voices)
    return trust.total(voices, at) + own * (OWN_VOTES - 1)


def _own(trust: Trust, controls: Iterable[Summary]) -> bool:
    return any(trust.is_own(one.measurement.vantage) for one in controls)


def _slowest(control: Summary) -> float:
    last_hop = control.last_hop
    waits = [o.duration for o in (*last_hop.tcp, *last_hop.tls, *last_hop.app) if o.failure is None]
    return max(waits, default=0.0)


def _slowest_page(control: Summary) -> float:
    page = control.last_hop.http
    return 0.0 if page is None or page.failure else page.duration


def reached_at(control: Summary) -> dict[str, bool]:
    """Address → whether the endpoint answered a control there: the addresses of its own resolver,
    and those that failed at the field vantage."""
    found: dict[str, bool] = {}
    host = control.last_hop.host.rstrip(".")
    of_host = [
        o
        for o in control.measurement.observations
        if isinstance(o, TcpObservation | TlsObservation) and o.reason in ("", Reason.SAME_ADDRESS)
    ]
    if not of_host:  # over UDP
        return {o.address: o.failure is None for o in control.last_hop.app}
    encrypted = any(isinstance(o, TlsObservation) for o in of_host)
    for one in of_host:
        if not one.address or (isinstance(one, TlsObservation) and one.server_name != host):
            continue
        if one.failure is not None:
            found.setdefault(one.address, False)
        elif isinstance(one, TlsObservation) or not encrypted:
            found[one.address] = True
    return found


def follows(control: Measurement, summary: Summary) -> bool:
    """Whether a control started late enough to be compared with a field measurement."""
    return control.started_at.timestamp() >= summary.measurement.ended_at


def _works(control: Summary) -> bool:
    """Whether the control got the expected answer, or a cleartext page that can be compared."""
    if control.measurement.reached:
        return True
    page = cleartext_page(control)
    return page is not None and page.expected and page.status != LEGAL_REASONS


def _only_too_late(control: Summary, health: VantageHealth | None) -> bool:
    """Whether all that is wrong is the control's own clock, which spoils every certificate."""
    outcome = best(control.outcomes)
    return (
        health is not None
        and wrong_clock(health)
        and outcome is not None
        and outcome.failure == Failure.SSL_INVALID_CERTIFICATE
    )


def _health(case: Case, control: Summary) -> VantageHealth | None:
    return case.control_health.get(control.measurement.vantage)


def _counts(case: Case, control: Summary) -> bool:
    """Whether a control says something about the endpoint rather than about its own vantage."""
    health = _health(case, control)
    if health is None or control.egress_failure is not None:
        return False
    if health.state not in ABLE and not wrong_clock(health):
        return False
    if _works(control) or _only_too_late(control, health):
        return True
    outcomes = usable(control.outcomes, health.families)
    if any(one.family == "ipv4" and not one.failure and one.layer is Layer.DNS for one in outcomes):
        return False  # it tried IPv6 alone
    outcome = best(outcomes)
    if outcome is None:
        return False
    if _got_response(control):
        return True
    if outcome.layer in control.measurement.not_observed and (
        outcome.failure == Failure.PERMISSION_DENIED
    ):
        return False  # its proxy's own rules
    if outcome.sub_method == TIMEOUT and health.state is VantageState.LOSSY:
        return False
    return outcome.failure is None or rank(outcome.sub_method) < 2


def _censored(control: Summary) -> bool:
    """Whether the endpoint's name alone was cut off at the control: another name got an answer at
    the same address, and after that the endpoint's own did not."""
    cut = {o.address: o.failure for o in control.last_hop.tls if sub_method_of(o) in _BY_NAME}
    asked = [
        o
        for o in control.measurement.observations
        if isinstance(o, TlsObservation) and o.address in cut
    ]
    again = [o for o in asked if o.reason == Reason.NAME_AGAIN]
    return (
        not control.measurement.reached
        and any(o.reason == Reason.INNOCUOUS_SNI and (o.failure is None or o.alert) for o in asked)
        and bool(again)
        and all(o.failure == cut[o.address] for o in again)
    )


def _down_nearby(control: Summary, failing_here: Collection[str]) -> bool:
    """Whether no connection came about at the control's own addresses, and one did at an address
    that fails here."""
    outcome = best(control.outcomes)
    if control.measurement.reached or outcome is None or outcome.layer not in _CONNECTING:
        return False
    return any(well and address in failing_here for address, well in reached_at(control).items())


def _led_astray(case: Case, control: Summary) -> bool:
    """Whether the control was given no address of the endpoint, or a forged one, while the endpoint
    proved itself to the field vantage at an address that others gave: its own resolver lies."""
    outcome = best(control.outcomes)
    if control.measurement.reached or outcome is None or not misled(outcome):
        return False
    name = control.last_hop.host.rstrip(".")
    return any(
        proven_elsewhere(one.observations, name)
        for one in case.follow_ups
        if one.endpoint == case.endpoint
    )


def proven_elsewhere(seen: Iterable[AnyObservation], host: str) -> set[str]:
    """The addresses from another source at which the endpoint proved itself, under this name or in
    its own protocol, which knows no names."""
    return {
        o.address
        for o in seen
        if o.reason == Reason.HONEST_ADDRESS
        and o.failure is None
        and (
            isinstance(o, AppObservation)
            or (isinstance(o, TlsObservation) and o.server_name == host)
        )
    }


def misled(outcome: Outcome) -> bool:
    """Whether this may come of a resolver that lies: no address, one that none can have, or one
    where another server is."""
    return (
        outcome.sub_method in (*DENIALS, "bogon")
        if outcome.layer is Layer.DNS
        else outcome.failure in FORGED
    )


def _got_response(control: Summary) -> bool:
    """Whether the site answered the control, though in a way that leads nowhere.

    A redirect to no host, or a body in a wrong encoding, is no failure that accuses. It is an
    answer all the same.
    """
    page = control.last_hop.http
    return page is not None and page.status > 0


def redirected_elsewhere(summary: Summary, controls: Controls) -> bool:
    """Whether cleartext redirects led away from where every working control was led."""
    if not controls.working:
        return redirects_elsewhere(summary.measurement, None)
    return all(
        redirects_elsewhere(summary.measurement, other.measurement) for other in controls.working
    )


def likenesses(page: HttpObservation, controls: Controls) -> set[Likeness]:
    """How a page compares with the page of each working control."""
    pages = [control.last_hop.http for control in controls.working]
    return {compare(page, other) for other in pages if other is not None}
