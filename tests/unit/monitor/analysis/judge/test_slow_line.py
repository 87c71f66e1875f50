"""A line on which everything takes long shows in how long spared hosts took."""

import msgspec
import pytest

from monitor.analysis.judge.slow_line import slow_line
from monitor.analysis.verdict import Evidence
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Measurement, TlsObservation
from tests.worlds.build import case, dns, follow_up, look, repeated, tcp, tls
from tests.worlds.judged import judge


def handshake(failure: str | None, seconds: float, reason: str = "") -> TlsObservation:
    """One handshake that took so long."""
    return msgspec.structs.replace(tls(failure), duration=seconds, reason=reason)


def answered(*seconds: float) -> list[Measurement]:
    """References that answered after so long."""
    return [
        look(dns(), tcp(), handshake(None, took), endpoint=f"tls://spared-{n}.example:443")
        for n, took in enumerate(seconds)
    ]


def waited(seconds: float, failure: str = "generic_timeout_error") -> list[Measurement]:
    """A test of a platform that waited so long in vain."""
    return [look(dns(), tcp(), handshake(failure, seconds))]


@pytest.mark.parametrize(
    ("answers", "vain", "slow"),
    [
        ((2.2, 2.0, 0.1), 3.0, True),
        ((2.2, 0.1, 0.1), 3.0, False),
        ((2.2, 2.0, 0.1), 10.0, False),
        ((5.1, 5.2), 10.0, True),
        ((0.9, 0.9), 1.5, False),
        ((), 3.0, False),
    ],
    ids=["two", "one alone", "far from it", "half of it", "under a second", "none"],
)
def test_two_answers_that_took_half_of_it(
    answers: tuple[float, ...], vain: float, slow: bool
) -> None:
    """Two hosts that nobody blocks, over a second, and half of what the test waited."""
    assert slow_line(answered(*answers), waited(vain)) is slow


@pytest.mark.parametrize(("late", "slow"), [(2, False), (3, True)])
def test_a_few_of_many_that_came_late_lost_packets(late: int, slow: bool) -> None:
    """One in eight of the references that answered: loss delays two of twenty by chance."""
    assert slow_line(answered(*[6.0] * late, *[0.3] * 17), waited(10.0)) is slow


def test_only_silence_is_excused() -> None:
    """A reset came at once, however slow the line."""
    assert not slow_line(answered(2.2, 2.2), waited(3.0, "connection_reset"))


def test_one_host_measured_twice_is_one_witness() -> None:
    """It may be slow by itself."""
    assert not slow_line(answered(2.2) * 2, waited(3.0))


def test_what_a_reference_waited_in_vain_is_no_answer() -> None:
    """Nor is what was only asked to explain a failure."""
    silent = [look(dns(), tcp(), handshake("generic_timeout_error", 3.0))] * 2
    asked = [look(dns(), tcp(), handshake(None, 3.0, reason="again"))] * 2
    assert not slow_line([*silent, *asked], waited(3.0))


@pytest.mark.parametrize(
    ("named", "seconds", "excused"),
    [
        (["generic_timeout_error"] * 3, 0.1, False),
        (["generic_timeout_error"] * 2, 0.1, True),
        (["generic_timeout_error"] * 3, 1.5, True),
        (["generic_timeout_error"] * 3 + [None], 0.1, True),
    ],
    ids=["one name", "too few", "slow to all", "it came once"],
)
def test_no_queue_knows_names(named: list[str | None], seconds: float, excused: bool) -> None:
    """A server that is silent to one name each time and answers another at once is not slow."""
    reasons = (Reason.NAME_AGAIN, Reason.ADDRESS_AGAIN, Reason.PATIENCE, Reason.SMALL_SEGMENTS)
    asked = follow_up(
        Reason.INNOCUOUS_SNI,
        msgspec.structs.replace(tls(server_name="innocuous.example"), duration=seconds),
    )
    again = [
        follow_up(reason, tls(failure)) for reason, failure in zip(reasons, named, strict=False)
    ]
    attempts = repeated(dns(), tcp(), tls("generic_timeout_error"), times=4)
    verdict = judge(case(*attempts, follow_ups=(asked, *again), slow_line=True))
    assert (verdict.rule_id == "line.slow") is excused
    assert excused or verdict.evidence is Evidence.CONCLUSIVE
