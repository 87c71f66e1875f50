"""The judge on bad lines: a seeded sample on every run, the full sets by `make soak`.

`make soak` writes what came out to docs/soak-*.md. SHUTWATCH_SOAK_LABS says how many labs run side
by side, SHUTWATCH_SOAK_SHARE which share of the sets is enough for a first look.
"""

import math
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.scenarios import soak_negatives as negatives
from tests.scenarios import soak_positives as positives
from tests.scenarios import soak_throttling as throttling
from tests.scenarios.soak import HURRIED, LABS, SHARE, side_by_side

pytestmark = pytest.mark.lab

DOCS = Path(__file__).parents[2] / "docs"
CYCLES = {"negatives": 200 // negatives.LINES, "positives": 100, "throttling": 20}
SAMPLED = ("dns-nxdomain", "icmp-host", "hello-reset", "hello-alert", "blockpage-403")
"""Techniques that show at once, so that the sample is soon over."""
_CONDITIONS = """Written by `make soak` (`pytest -m soak`). Real packets in the lab of network
namespaces (tests/lab), measured by `shutwatch once` with the patience that is shipped, several
labs side by side on one machine ({labs} here). The seed decides every throw of the dice in the
lab: loss, jitter, what ails hosts and resolvers. Which packet meets which throw also depends on the
timing of real processes, and the monitor shuffles its measurements as it always does, so that
a repeated run differs in details.
"""


def _seeds(what: str) -> list[int]:
    return list(range(1, math.ceil(CYCLES[what] * SHARE) + 1))


def _write(what: str, title: str, *parts: str) -> None:
    """Write what came out."""
    text = "\n".join([f"# {title}\n", _CONDITIONS.format(labs=LABS), *parts])
    (DOCS / f"soak-{what}.md").write_text(text, encoding="utf-8")


def write_negatives(runs: negatives.Runs) -> None:
    """Write docs/soak-negatives.md."""
    count = sum(map(len, runs.values()))
    _write(
        "negatives",
        "What must accuse nobody",
        f"{count} runs: {len(runs)} seeds, and {negatives.LINES} vantages in each cycle, every one"
        " on a line drawn for itself (loss of 5–40 % each way, round trips of 50–1500 ms, jitter,"
        " a slow resolver, or all of these). Hosts and controls are in trouble as the tables say;"
        " in three cycles of twenty each, the sites that tell a vantage its own health show expired"
        " certificates to everybody, or one of two controls cannot reach them, or is gone. Nobody"
        " censors anything. The columns count endpoint verdicts; the last line holds platforms'"
        " too.\n",
        negatives.report(runs),
    )


def write_positives(runs: positives.Runs) -> None:
    """Write docs/soak-positives.md."""
    innocent = positives.accused(runs)
    _write(
        "positives",
        "What must be told on a bad line",
        f"{len(runs)} runs of each technique, one network for each. On every network"
        f" {positives.LOSS:.0%} of the frames are lost each way between client and censor, so that"
        f" what the censor forges is lost as well, and a round trip takes"
        f" {1000 * positives.RTT:.0f} ms. An answer is right when endpoint and platform are blocked"
        " by the method stated; the kind is the sub-method.\n",
        positives.report(runs),
        f"Said above weak of what nobody interfered with, on these networks and on one that is only"
        f" bad: {innocent or 'nothing'}.\n",
    )


def write_throttling(runs: throttling.Runs) -> None:
    """Write docs/soak-throttling.md."""
    lines = " ".join(
        f"On a {name} line {loss:.1%} of the frames are lost each way between client and censor,"
        f" and a round trip takes {1000 * rtt:.0f} ms."
        for name, (loss, rtt) in throttling.NOISE.items()
    )
    _write(
        "throttling",
        "What is slowed down, and what is slow",
        f"{len(runs)} runs of each way, one network for each. {lines} On the bad one TCP gets far"
        " less than a megabit, whoever it is, so that a throttle to that much changes nothing.\n",
        throttling.report(runs),
    )


# -- a sample ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample() -> Iterator[tuple[Future[positives.Runs], Future[negatives.Runs]]]:
    """Two cycles of some techniques, and one from three bad lines, all under way at once."""
    with ThreadPoolExecutor(2) as pool:
        blocks = pool.submit(
            side_by_side,
            partial(positives.make, SAMPLED),
            [1, 2],
            partial(positives.cycle, probe=HURRIED),
        )
        noise = pool.submit(
            side_by_side,
            partial(negatives.make, 3),
            [1],
            partial(negatives.cycle, probe=HURRIED, platforms=()),
        )
        yield blocks, noise


Sample = tuple[Future[positives.Runs], Future[negatives.Runs]]


def test_a_sample_of_techniques_is_told_on_a_bad_line(sample: Sample) -> None:
    """Of ten runs at most one has another answer, and nobody innocent is accused."""
    runs = sample[0].result()
    wrong = positives.missed(runs)
    assert sum(map(len, wrong.values())) <= 1, positives.report(runs)
    assert not positives.accused(runs)


def test_a_sample_of_bad_lines_accuses_nobody(sample: Sample) -> None:
    """Three lines, a dozen hosts in trouble, and no accusation above weak."""
    runs = sample[1].result()
    (cycle,) = runs.values()
    assert len(cycle) == 3
    assert all(len(run.endpoints) == len(negatives.HOSTS) for run in cycle.values())
    assert negatives.accused(runs) == {}


# -- the full sets -------------------------------------------------------------------------------


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_no_adversarial_negative_is_blocked() -> None:
    """Two hundred runs, and no endpoint or platform blocked with evidence above weak."""
    runs = side_by_side(negatives.make, _seeds("negatives"), negatives.cycle)
    write_negatives(runs)
    assert negatives.accused(runs) == {}


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_techniques_are_told_on_bad_lines() -> None:
    """State and method are right in at least 95 of 100 runs of each technique."""
    runs = side_by_side(positives.make, _seeds("positives"), positives.cycle)
    write_positives(runs)
    assert {
        name: seeds
        for name, seeds in positives.missed(runs).items()
        if len(seeds) > (1 - positives.WANTED / 100) * len(runs)
    } == {}
    assert positives.accused(runs) == {}


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_throttling_is_told_on_bad_lines() -> None:
    """Who slows down is told from what is slow; nothing honest is ever accused."""
    runs = side_by_side(throttling.make, _seeds("throttling"), throttling.cycle)
    write_throttling(runs)
    wrong = throttling.missed(runs)
    honest = {name for name, way in throttling.WAYS.items() if not way.sub_method}
    assert {name: seeds for name, seeds in wrong.items() if name in honest and seeds} == {}
    assert {name: seeds for name, seeds in wrong.items() if len(seeds) > 0.05 * len(runs)} == {}
