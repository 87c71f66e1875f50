"""The evidence grade of each kind of failure, and when a timeout may accuse.

Somebody has to *send* an answer that the platform did not give: one measurement is weak evidence
and two that agree are strong (`REPEAT`), an injected reply or a private address at once (`PROOF`).
Four must agree for signs that an overloaded server also shows (`OVERLOAD`: a reset or a closed
connection). Packet loss alone causes timeouts (`SILENCE`), so they count only when the loss at the
vantage cannot explain them: `timeout_rate` to the power of their number must be small. What makes
strong evidence conclusive is in `grade_by_follow_ups`.
"""

from collections.abc import Mapping
from enum import StrEnum

from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence, State
from probes.measurement import Layer

LOSS_CHANCE = 0.005
"""Timeouts accuse nobody while the chance that loss caused them all is above this."""
LOSS_CHANCE_STRONG = 0.001
STRONG_TIMEOUTS = 3

NARROWER = 3.0
"""Nats subtracted when only one function is accused. One faulty server is e³ times as common as a
fault that hits several functions on one network and not at the control."""

_ROUNDING = 1 + 1e-9
"""0.1 ** 3 is slightly more than 0.001 in binary."""

Sign = tuple[Layer, str]
"""Layer and sub-method of a failure: (tls, reset)."""


def signs(names: str) -> tuple[Sign, ...]:
    """`tls.reset dns.bogon` → signs."""
    split = (name.partition(".") for name in names.split())
    return tuple((Layer(layer), sub_method) for layer, _, sub_method in split)


class Weight(StrEnum):
    """How evidence grows with repeated attempts."""

    PROOF = "proof"
    """Strong at once: networks that do not interfere never do this."""
    REPEAT = "repeat"
    """Weak once, strong when two attempts agree."""
    OVERLOAD = "overload"
    """Weak once, strong when four attempts agree: an overloaded server does the same now and then.
    """
    SILENCE = "silence"
    """Counts only when loss does not explain it; strong from three attempts."""
    HINT = "hint"
    """Never more than weak: there is a common innocent explanation."""
    NOTHING = "nothing"
    """Accuses nobody."""


AGREEING_ATTEMPTS: Mapping[Weight, int] = {Weight.REPEAT: 2, Weight.OVERLOAD: 4}
"""Attempts that must agree for strong evidence."""

WEIGHTS: Mapping[Sign, Weight] = {
    sign: weight
    for weight, names in (
        (Weight.PROOF, "dns.injection dns.bogon"),
        (Weight.REPEAT, "dns.nxdomain dns.refused dns.servfail dns.no_answer dns.hijack"),
        (Weight.REPEAT, "tcp.unreachable tls.certificate tls.handshake app.middlebox"),
        (Weight.REPEAT, "http.status_451 http.blockpage http.known_blockpage"),
        (Weight.REPEAT, "quic.refused quic.unreachable quic.certificate app.unreachable"),
        (Weight.OVERLOAD, "dns.reset dns.eof"),
        (Weight.REPEAT, "tls.short_hello tls.large_hello"),
        (Weight.OVERLOAD, "tcp.refused tcp.reset tls.reset tls.eof tls.alert tls.address"),
        (Weight.OVERLOAD, "http.reset http.eof app.reset app.eof app.refused"),
        (Weight.SILENCE, "dns.timeout tcp.timeout tls.timeout http.timeout"),
        (Weight.SILENCE, "app.timeout quic.timeout"),
        (Weight.HINT, "http.withheld"),
    )
    for sign in signs(names)
}
"""Signs that are not listed accuse nobody."""

_LLR: Mapping[tuple[State, Evidence], float] = {
    (State.OK, Evidence.NONE): -4.0,
    (State.BLOCKED, Evidence.WEAK): 8.5,
    (State.BLOCKED, Evidence.STRONG): 13.0,
    (State.BLOCKED, Evidence.CONCLUSIVE): 16.0,
}
"""Weight of one reading in `monitor.analysis.events.sequential_test`: ln(chance under a block /
chance without one). The chance under a block is about 1, and 1 in 50 for an ok reading. With one
reading every five minutes, 8.5, 13 and 16 stand for 21, 0.2 and 0.01 wrong episodes of that grade
in a stream-year.

The noise of benchmarks/simulation (42 stream-years, seeds 500 to 513, first readings of episodes,
without outages at the control) has, per stream-year, 0.2 weak ones, 0.7 strong ones on several
functions (all timeouts or resolver failures), 0.8 strong ones on one function, and no conclusive
ones. Weak readings and strong ones on one function (`NARROWER`) are trusted far less than that,
since the noise of real lines is unknown. Strong readings on several functions weigh about one nat
more than that, because their weight grows slowly (`Persistence.LASTING`).
"""


def llr(state: State, evidence: Evidence) -> float:
    """Natural-log likelihood ratio (blocked against not blocked) of a verdict."""
    return _LLR.get((state, evidence), 0.0)


def loss_explains(timeout_rate: float, timeouts: int) -> bool:
    """Whether packet loss alone may have caused this many timeouts in a row."""
    return timeout_rate**timeouts > LOSS_CHANCE * _ROUNDING


def grade(weight: Weight, measurements: int, *, timeout_rate: float, lossy: bool) -> Evidence:
    """The grade of this many agreeing attempts. `timeout_rate` (0–1) is the vantage's."""
    if weight is Weight.PROOF:
        return Evidence.STRONG
    if weight in AGREEING_ATTEMPTS:
        return Evidence.STRONG if measurements >= AGREEING_ATTEMPTS[weight] else Evidence.WEAK
    if weight is Weight.HINT:
        return Evidence.WEAK
    if weight is Weight.SILENCE and not lossy and not loss_explains(timeout_rate, measurements):
        certain = timeout_rate**measurements <= LOSS_CHANCE_STRONG * _ROUNDING
        return Evidence.STRONG if certain and measurements >= STRONG_TIMEOUTS else Evidence.WEAK
    return Evidence.NONE


def ceiling(weight: Weight) -> Evidence:
    """The best grade a sign of this weight reaches without follow-ups."""
    if weight is Weight.NOTHING:
        return Evidence.NONE
    return Evidence.WEAK if weight is Weight.HINT else Evidence.STRONG


def capped(evidence: Evidence, limit: Evidence) -> Evidence:
    return min(evidence, limit, key=EVIDENCE_ORDER.__getitem__)
