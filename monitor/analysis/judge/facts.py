"""The facts of a case that the rules ask about."""

from collections.abc import Sequence

import msgspec

from monitor.analysis.judge.address_family import (
    family_cannot_be_compared,
    family_finding,
    forged_over_each,
    ipv4_hidden,
)
from monitor.analysis.judge.case import Case
from monitor.analysis.judge.cleartext_pages import Likeness, cleartext_page
from monitor.analysis.judge.controls import Controls, controls_for, likenesses, redirected_elsewhere
from monitor.analysis.judge.grade_by_attempts import Finding, families_of, find
from monitor.analysis.judge.grade_by_sign import Sign
from monitor.analysis.judge.hello_forms import hello_finding
from monitor.analysis.judge.quic_blocked import (
    quic_cannot_be_compared,
    quic_fails_everywhere,
    quic_finding,
)
from monitor.analysis.judge.server_errors import errs, forbidden, server_error
from monitor.analysis.judge.some_addresses import addresses_cannot_be_compared, addresses_finding
from monitor.analysis.judge.some_flows import any_name_cut_off, flows_finding
from monitor.analysis.measurement_summary import (
    TIMEOUT,
    Summary,
    best,
    came_late,
    kind_of,
    reached_over,
    summarise,
    usable,
)
from monitor.analysis.verdict import Evidence, VantageState
from probes.catalog.endpoint_kinds import EndpointKind
from probes.measurement import LEGAL_REASONS, Layer


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    case: Case
    measured: bool
    egress_failed: bool
    """Every attempt failed at our own proxy."""
    answered: bool
    """The last attempt got the expected answer."""
    like_control: bool
    """The last attempt got, in cleartext, the same page as the control."""
    not_compared: bool
    """The last attempt got a page in cleartext, and the controls that failed got no answer in time:
    nothing failed here."""
    failed_before: bool
    """An attempt before the last one failed."""
    family_missing: bool
    """The endpoint has only addresses of a family that does not work from this vantage."""
    withheld_everywhere: bool
    """The control got 451 as well."""
    controls: Controls
    finding: Finding | None
    """None when no attempt failed."""
    family_finding: Finding | None
    """Set when the endpoint answers, but never over one family that works otherwise."""
    ipv4_hidden: bool
    """The endpoint answers, but never over IPv4, and an ordinary fault explains that which would
    hide a block."""
    some_finding: Finding | None
    """Set when the endpoint answers, but not every connection to it, or not at every address."""
    flows: bool
    """That finding is about connections, and not about addresses."""
    any_name: bool
    """Connections are cut off at times, whatever name they send."""
    quic_finding: Finding | None
    """Set when the endpoint answers over TCP, but not over QUIC."""
    quic_fails_everywhere: bool
    """Set when the endpoint answers over TCP, and QUIC works to nobody from here, though other UDP
    does."""
    part_not_compared: bool
    """The endpoint answers, a part of it fails every time, and no control counts that could show
    whether the part works elsewhere."""
    last: Summary | None
    decisive: tuple[Summary, ...]
    """The attempts since the last one that worked, or that one where it is the very last."""

    @property
    def sign(self) -> Sign | None:
        """The sign that explains the failures; None without failures or without a name."""
        return self.finding.sign if self.finding is not None else None

    @property
    def accused(self) -> Sign | None:
        """The same, when its evidence accuses."""
        accuses = self.finding is not None and self.finding.evidence is not Evidence.NONE
        return self.sign if accuses else None

    @property
    def calls_fail(self) -> bool:
        """The server that calls need fails in its own protocol."""
        own_protocol = self.sign is not None and self.sign[0] is Layer.APP
        return own_protocol and kind_of(self.case.endpoint) is EndpointKind.STUN


def examine(case: Case) -> Facts:
    """Reduce a case to the facts that the rules ask about. Never raises."""
    every = [summarise(attempt) for attempt in case.attempts]
    made = [one for one in every if one.egress_failure is None]
    attempts = _informative(made)
    last = attempts[-1] if attempts else None
    for_last = controls_for(case, [last]) if last else Controls(gap="missing")
    answered = (
        last is not None
        and _answered(last, for_last)
        and not _by_captive_portal(case, last)
        and not _refused(last, for_last)
    )
    greeted = hello_finding(case, attempts) if answered else None
    other_hello = greeted if _settled(for_last) else None
    forged = forged_over_each(case, made) if answered else None
    answered = answered and other_hello is None and forged is None
    like_control = last is not None and _like_control(last, for_last)
    failed = _trailing_failures(attempts) if not (answered or like_control) else []
    controls = controls_for(case, failed) if failed else for_last
    finding = other_hello or forged or (find(case, failed, controls) if failed else None)
    flows, any_name = flows_finding(case), any_name_cut_off(case)
    of_family = family_finding(case, made) if answered else None
    if any_name and of_family and of_family.sign and of_family.sign[0] is Layer.TLS:
        of_family = None  # by chance
    addresses = addresses_finding(case, attempts) if answered and flows is None else None
    return Facts(
        case=case,
        measured=bool(every),
        egress_failed=bool(every) and not attempts,
        answered=answered,
        like_control=like_control,
        not_compared=last is not None and _not_compared(last, finding, controls),
        failed_before=any(not one.measurement.reached for one in attempts[:-1]),
        family_missing=bool(failed)
        and (finding is None or finding.sign is None)
        and all(one.paths and not usable(one.paths, families_of(case)) for one in failed),
        withheld_everywhere=_withheld_everywhere(finding, controls),
        controls=controls,
        finding=finding,
        family_finding=of_family,
        ipv4_hidden=answered and ipv4_hidden(case, made),
        some_finding=flows or addresses,
        flows=flows is not None,
        any_name=any_name,
        quic_finding=quic_finding(case, attempts) if answered else None,
        quic_fails_everywhere=answered and quic_fails_everywhere(case, attempts),
        part_not_compared=bool(answered and for_last.gap)
        and (greeted is not None or _part_cannot_be_compared(case, made, attempts)),
        last=last or (every[-1] if every else None),
        decisive=tuple(failed or attempts[-1:] or every[-1:]),
    )


def _part_cannot_be_compared(
    case: Case, made: Sequence[Summary], attempts: Sequence[Summary]
) -> bool:
    return (
        family_cannot_be_compared(case, made)
        or addresses_cannot_be_compared(case, attempts)
        or quic_cannot_be_compared(case, attempts)
    )


def _informative(attempts: Sequence[Summary]) -> list[Summary]:
    """The attempts without those that failed before addresses of a family came, over which another
    one got through: it may have done so again."""
    reached = {
        family
        for one in attempts
        for family in ("ipv4", "ipv6")
        if one.measurement.reached and reached_over(one, family)
    }
    return [
        one
        for one in attempts
        if one.measurement.reached or not came_late(one.measurement) & reached
    ]


def _settled(controls: Controls) -> bool:
    """Whether the endpoint is known to work elsewhere."""
    return bool(controls.working) and not controls.unsettled


def _answered(summary: Summary, controls: Controls) -> bool:
    """Reached, and not by a cleartext redirect that anyone could have forged."""
    return summary.measurement.reached and not redirected_elsewhere(summary, controls)


def _by_captive_portal(case: Case, summary: Summary) -> bool:
    """Whether a captive portal may have answered: it completes any handshake.

    No portal can prove the platform's name or speak the platform's own protocol.
    """
    if case.health.state is not VantageState.CAPTIVE_PORTAL:
        return False
    return not any(o.failure is None for o in (*summary.last_hop.tls, *summary.last_hop.app))


def _refused(summary: Summary, controls: Controls) -> bool:
    """Whether the platform answered with an error: its server's own, or a refusal that no control
    got."""
    if not errs(summary.measurement):
        return False
    return server_error(summary) or not any(map(forbidden, controls.working))


def _like_control(summary: Summary, controls: Controls) -> bool:
    page = cleartext_page(summary)
    return (
        page is not None
        and page.expected
        and not redirected_elsewhere(summary, controls)
        and Likeness.SAME in likenesses(page, controls)
    )


def _not_compared(summary: Summary, finding: Finding | None, controls: Controls) -> bool:
    page = cleartext_page(summary)
    return (
        page is not None
        and page.expected
        and finding is not None
        and finding.sign is None
        and all(map(_silent, controls.failing))
    )


def _silent(control: Summary) -> bool:
    outcome = best(control.outcomes)
    return outcome is None or outcome.sub_method == TIMEOUT


def _trailing_failures(attempts: Sequence[Summary]) -> list[Summary]:
    """The attempts after the last one that reached the endpoint, or the very last one."""
    position = max((i for i, one in enumerate(attempts) if one.measurement.reached), default=-1)
    return list(attempts[position + 1 :] or attempts[-1:])


def _withheld_everywhere(finding: Finding | None, controls: Controls) -> bool:
    if finding is None or finding.sign not in (
        (Layer.HTTP, "status_451"),
        (Layer.HTTP, "withheld"),
    ):
        return False
    pages = [control.last_hop.http for control in controls.failing]
    return any(page is not None and page.status == LEGAL_REASONS for page in pages)
