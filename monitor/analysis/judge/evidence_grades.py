"""What each kind of failure is worth as evidence, and when silence may accuse.

Somebody has to *send* a reset, a false DNS reply or a forged certificate: one look suffices for
weak evidence and two that agree for strong, or four where a server that has too much to do sends
the same now and then. Silence needs no sender, packet loss makes it, so
timeouts count only when the loss measured at the same vantage cannot explain them: the chance
that all of them are loss, `timeout_rate` to the power of their number, must be small.
"""

from collections.abc import Mapping
from enum import StrEnum

from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence, State
from probes.measurement import Layer

LOSS_CHANCE = 0.005
"""Timeouts that loss explains with a chance above this accuse nobody."""
LOSS_CHANCE_STRONG = 0.001
STRONG_TIMEOUTS = 3

NARROWER = 3.0
"""Less weight, in nats, of what accuses one role only: a server at fault is that much commoner than
anything that strikes several roles of a platform at one network and spares the control."""

_ROUNDING = 1 + 1e-9
"""0.1 ** 3 is a hair above 0.001 in binary."""

Sign = tuple[Layer, str]
"""Layer and sub-method of a failure: (tls, reset)."""


class Weight(StrEnum):
    """How evidence grows with repeated looks."""

    PROOF = "proof"
    """Strong at once: honest networks do not do this."""
    REPEAT = "repeat"
    """Weak once, strong when two looks agree."""
    OVERLOAD = "overload"
    """Weak once, strong when four looks agree: a server with too much to do does it now and then,
    and to us alone by mere chance."""
    SILENCE = "silence"
    """Gated by loss; strong from three looks."""
    HINT = "hint"
    """Never above weak: there is an innocent way to it."""
    NOTHING = "nothing"
    """Accuses nobody."""


AGREEING_ATTEMPTS: Mapping[Weight, int] = {Weight.REPEAT: 2, Weight.OVERLOAD: 4}
"""Looks that must agree for strong evidence."""

WEIGHTS: Mapping[Sign, Weight] = {
    (Layer.DNS, "injection"): Weight.PROOF,
    (Layer.DNS, "bogon"): Weight.PROOF,
    (Layer.DNS, "nxdomain"): Weight.REPEAT,
    (Layer.DNS, "refused"): Weight.REPEAT,
    (Layer.DNS, "servfail"): Weight.REPEAT,
    (Layer.DNS, "no_answer"): Weight.REPEAT,
    (Layer.DNS, "timeout"): Weight.SILENCE,
    (Layer.DNS, "hijack"): Weight.REPEAT,
    (Layer.TCP, "refused"): Weight.OVERLOAD,
    (Layer.TCP, "reset"): Weight.OVERLOAD,
    (Layer.TCP, "unreachable"): Weight.REPEAT,
    (Layer.TCP, "timeout"): Weight.SILENCE,
    (Layer.TLS, "reset"): Weight.OVERLOAD,
    (Layer.TLS, "eof"): Weight.OVERLOAD,
    (Layer.TLS, "alert"): Weight.OVERLOAD,
    (Layer.TLS, "timeout"): Weight.SILENCE,
    (Layer.TLS, "certificate"): Weight.REPEAT,
    (Layer.TLS, "handshake"): Weight.HINT,
    (Layer.TLS, "address"): Weight.OVERLOAD,
    (Layer.HTTP, "reset"): Weight.OVERLOAD,
    (Layer.HTTP, "eof"): Weight.OVERLOAD,
    (Layer.HTTP, "timeout"): Weight.SILENCE,
    (Layer.HTTP, "status_451"): Weight.REPEAT,
    (Layer.HTTP, "withheld"): Weight.HINT,
    (Layer.HTTP, "blockpage"): Weight.REPEAT,
    (Layer.HTTP, "known_blockpage"): Weight.REPEAT,
    (Layer.APP, "reset"): Weight.OVERLOAD,
    (Layer.APP, "eof"): Weight.OVERLOAD,
    (Layer.APP, "middlebox"): Weight.REPEAT,
    (Layer.APP, "timeout"): Weight.SILENCE,
    (Layer.QUIC, "refused"): Weight.REPEAT,
    (Layer.QUIC, "unreachable"): Weight.REPEAT,
    (Layer.QUIC, "certificate"): Weight.REPEAT,
    (Layer.QUIC, "timeout"): Weight.SILENCE,
}
"""A sign that is not listed weighs nothing."""

_LLR: Mapping[tuple[State, Evidence], float] = {
    (State.OK, Evidence.NONE): -4.0,
    (State.BLOCKED, Evidence.WEAK): 8.5,
    (State.BLOCKED, Evidence.STRONG): 13.0,
    (State.BLOCKED, Evidence.CONCLUSIVE): 16.0,
}
"""What one reading weighs by itself in `monitor.analysis.events.detector`: ln of its chance under
a block
(about 1, and 1 in 50 for an ok one) over its chance without. At one reading in five minutes 8.5,
13 and 16 stand for 21, 0.2 and 0.01 wrong episodes of that grade in a stream-year.

Held against the noise of benchmarks/simulation (42 stream-years, seeds 500 to 513, the first
readings of episodes, without outages that the control met): weak 0.2 a stream-year, strong 0.7 on
several roles (all of them silence or a resolver's) and 0.8 on one role, conclusive none. So weak
ones are trusted far less than there, since the noise of real lines is not known; strong ones on one
role likewise, by `NARROWER`; and strong ones on several roles about one nat more, which their slow
growth (`Cling.LASTING`) makes up for."""


def llr(state: State, evidence: Evidence) -> float:
    """Natural-log likelihood ratio, blocked against not blocked, that a verdict contributes."""
    return _LLR.get((state, evidence), 0.0)


def loss_explains(timeout_rate: float, timeouts: int) -> bool:
    """Whether packet loss alone may well have caused this many timeouts in a row."""
    return timeout_rate**timeouts > LOSS_CHANCE * _ROUNDING


def grade(weight: Weight, measurements: int, *, timeout_rate: float, lossy: bool) -> Evidence:
    """The evidence that `looks` agreeing looks make; `timeout_rate` is 0–1, of the vantage."""
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
    """The best grade a sign of this weight can reach by itself."""
    if weight is Weight.NOTHING:
        return Evidence.NONE
    return Evidence.WEAK if weight is Weight.HINT else Evidence.STRONG


def capped(evidence: Evidence, limit: Evidence) -> Evidence:
    """The lower of two grades."""
    return min(evidence, limit, key=EVIDENCE_ORDER.__getitem__)
