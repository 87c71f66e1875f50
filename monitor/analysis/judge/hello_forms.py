"""One form of TLS greeting cut off while another works.

In some measurements an endpoint that answered is greeted once more, in a form that takes another
number of packets (`probes.measure.other_hello`). Where that fails again and again, and an innocuous
name in the same form is answered at the same address, a box on the way reads names in that form
alone. No server does that, so nothing has to be compared with a control.
"""

from collections.abc import Sequence

import msgspec

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.controls import ABLE
from monitor.analysis.judge.cut_by_chance import cut_by_chance
from monitor.analysis.judge.grade_by_attempts import FailedAttempt, Finding, strongest
from monitor.analysis.judge.grade_by_follow_ups import LARGE_HELLO, SHORT_HELLO, comes_late
from monitor.analysis.judge.grade_by_sign import Sign, capped, signs
from monitor.analysis.measurement_summary import DEPTH, TIMEOUT, Outcome, Summary, sub_method_of
from monitor.analysis.verdict import Evidence
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Hello, Layer, Measurement, TcpObservation, TlsObservation

_CUT_OFF = frozenset(signs("tls.reset tls.eof tls.timeout"))
"""Failures that a server which dislikes a greeting does not show: that one sends an alert."""


def hello_finding(case: Case, attempts: Sequence[Summary]) -> Finding | None:
    """What cuts off another form of greeting, at an endpoint that answers the usual one; None when
    nothing accuses. `attempts` are in the order made."""
    if case.health.state not in ABLE:
        return None
    tried = [one for one in attempts if greets_otherwise(one.measurement)]
    if any(not other_hello_failed(one.measurement) for one in tried):
        return None
    if not any(_server_takes_it(one.measurement) for one in tried):
        return None
    in_parts = any(o.hello is Hello.PARTS for one in tried for o in _otherwise(one.measurement))
    sign = LARGE_HELLO if in_parts else SHORT_HELLO
    failed = [
        FailedAttempt(summary=one, signs=_signs(one.measurement, sign), covered=True)
        for one in tried
    ]
    found = strongest(case, failed)
    if found is None or found.evidence is Evidence.NONE or case.excuses(found.sign):
        return None
    late = any(comes_late(case, one.last_hop.host) for one in tried)
    if late and found.sign == (Layer.TLS, TIMEOUT):
        return None  # The server answers when it can.
    greeted = [o for one in tried for o in _otherwise(one.measurement)]
    if cut_by_chance(case, sign, {o.family for o in greeted}, {o.hello for o in greeted}):
        return None
    doubtful = any(_turned_away(one.measurement) for one in attempts)
    evidence = capped(found.evidence, Evidence.WEAK) if doubtful else found.evidence
    return msgspec.structs.replace(found, sign=sign, evidence=evidence)


def _turned_away(measurement: Measurement) -> bool:
    """Whether a connection was refused before any greeting, as by a server that takes nobody for
    some seconds and cuts off whom it has."""
    return any(
        isinstance(o, TcpObservation) and sub_method_of(o) in ("refused", "reset")
        for o in measurement.observations
    )


def greets_otherwise(measurement: Measurement) -> bool:
    """Whether a measurement greeted its endpoint in another form too."""
    return bool(_otherwise(measurement))


def other_hello_failed(measurement: Measurement) -> bool:
    """Whether it did, and the handshake was cut off."""
    tried = _otherwise(measurement)
    return bool(tried) and all((Layer.TLS, sub_method_of(o)) in _CUT_OFF for o in tried)


def _server_takes_it(measurement: Measurement) -> bool:
    """Whether an innocuous name was answered in that form, where the endpoint's own was not."""
    return any(
        isinstance(o, TlsObservation)
        and o.reason == Reason.OTHER_HELLO_INNOCUOUS
        and (o.failure is None or o.alert)
        for o in measurement.observations
    )


def _otherwise(measurement: Measurement) -> list[TlsObservation]:
    return [
        o
        for o in measurement.observations
        if isinstance(o, TlsObservation) and o.reason == Reason.OTHER_HELLO
    ]


def _signs(measurement: Measurement, sign: Sign) -> dict[Sign, Outcome]:
    """What a greeting in the other form met: `sign` where something cut it off, which no overloaded
    server does with one name in one form, and silence, which loss may explain."""
    return {
        (Layer.TLS, TIMEOUT) if sub_method_of(o) == TIMEOUT else sign: Outcome(
            family=o.family,
            depth=DEPTH[Layer.TLS],
            layer=Layer.TLS,
            failure=o.failure,
            sub_method=sub_method_of(o),
            address=o.address,
        )
        for o in _otherwise(measurement)
    }
