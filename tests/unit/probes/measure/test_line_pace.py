"""How long silence is worth waiting for: never less on a line that is slow, lossy or unknown."""

import random

import pytest

from probes.measure.line_pace import FEWEST, FLOOR, FRESH, RECENT, THIRD_PACKET, LinePace

CONFIGURED = 10.0


class Line:
    """A line pace with a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pace = LinePace(lambda: self.now)

    def worked(self, *seconds: float) -> "Line":
        """Handshakes that took so long."""
        for one in seconds:
            self.pace.worked(one)
        return self

    @property
    def patience(self) -> float:
        """Seconds for a brisk test."""
        return self.pace.patience(CONFIGURED)


def test_a_fast_line_waits_for_the_third_packet_and_no_longer() -> None:
    """Handshakes in 80 ms needed no ten seconds three times over."""
    assert Line().worked(*[0.08] * RECENT).patience == FLOOR


@pytest.mark.parametrize("rtt", [0.6, 0.9, 2.5, 6.0])
def test_a_slow_line_gets_all_its_time(rtt: float) -> None:
    """Slow lines accused: a satellite's or a throttled line's answers come after seconds."""
    assert Line().worked(*[rtt] * RECENT).patience == CONFIGURED


def test_some_slow_answers_suffice_to_be_patient() -> None:
    """One in eight of them slow: a lossy line whose packets are sent again after a second."""
    line = Line().worked(*([0.05] * 7 + [1.05]) * 5)
    assert line.patience == CONFIGURED


@pytest.mark.parametrize("loss", [0.1, 0.2, 0.3])
def test_lossy_lines_get_all_their_time(loss: float) -> None:
    """With a tenth of the packets lost each way one connection in five is made late."""
    rng, times = random.Random(7), 300
    patient = 0
    for _ in range(times):
        line = Line()
        for _ in range(RECENT):
            tries = 0
            while rng.random() < 1 - (1 - loss) ** 2 and tries < 3:
                tries += 1
            line.worked((0.0, 1.0, 3.0, 7.0)[tries] + 0.05)
        patient += line.patience == CONFIGURED
    assert patient >= 0.9 * times


def test_little_is_not_enough_to_know_a_line() -> None:
    """A vantage that was just started, or at which hardly anything answers."""
    assert Line().worked(*[0.05] * (FEWEST - 1)).patience == CONFIGURED


def test_what_a_line_showed_long_ago_says_nothing_of_now() -> None:
    """A line that slowed down while nothing answered."""
    line = Line().worked(*[0.05] * RECENT)
    line.now += FRESH + 1
    assert line.patience == CONFIGURED


def test_a_line_that_becomes_slow_is_noticed_at_once() -> None:
    """A few handshakes of the present outweigh all fast ones before."""
    line = Line().worked(*[0.05] * RECENT)
    line.worked(*[0.9] * 5)
    assert line.patience == CONFIGURED


def test_every_line_that_is_not_slow_has_time_for_the_third_packet() -> None:
    """The answer to it comes a round trip later, or some."""
    line = Line().worked(*[0.4] * RECENT)
    assert line.patience >= THIRD_PACKET + 4 * 0.4


def test_it_never_waits_longer_than_the_settings_say() -> None:
    """A timeout of two seconds stays two seconds."""
    assert Line().worked(*[0.05] * RECENT).pace.patience(2.0) == 2.0
