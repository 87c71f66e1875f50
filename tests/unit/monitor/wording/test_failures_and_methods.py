"""Methods in plain words."""

import re
from pathlib import Path

import pytest

from monitor import server
from monitor.analysis.events.event import EventKind
from monitor.analysis.judge.judge_case import judge
from monitor.analysis.judge.rules.table import RULES
from monitor.analysis.throttling.rules_table import THROTTLING_RULES
from monitor.analysis.verdict import State
from monitor.wording.events import LIMITS
from monitor.wording.failures_and_methods import METHODS as WORDS
from monitor.wording.failures_and_methods import method_label, method_name
from monitor.wording.states import STATE_MEANINGS
from tests.worlds.build import case, dns, repeated, tcp, tls

METHODS = sorted(
    {(rule.method, rule.sub_method) for rule in RULES if rule.method}
    | {("throttling", rule.sub_method) for rule in THROTTLING_RULES if rule.sub_method}
)


@pytest.mark.parametrize("method", METHODS, ids=".".join)
def test_every_method_a_rule_can_accuse_of_has_words(method: tuple[str, str]) -> None:
    """What any rule may say is said in words of its own, without a full stop or jargon's dot."""
    words = method_label(*method)
    assert words in WORDS.values()
    assert not words.endswith(".")
    assert words != ".".join(method)


def test_nothing_says_that_a_control_stood_behind_every_failure() -> None:
    """A false certificate accuses where no control is configured. A message of such a block said
    that every failure is compared with tests from outside, and the page's legend that it works at
    a control."""
    false = tls("ssl_unknown_authority")
    found = judge(case(*repeated(dns(), tcp(), false, times=4), controls=()))
    assert found.state is State.BLOCKED
    page = (Path(server.__file__).parent / "templates" / "now.html").read_text("utf-8")
    (legend,) = re.findall(r"A failure counts as blocking only when[^.]*", page)
    for said in (LIMITS[EventKind.BLOCK], STATE_MEANINGS[State.BLOCKED], legend):
        assert "something else answer" in said
        assert "every failure" not in said


def test_no_words_are_left_over() -> None:
    """Each entry is one that a rule can say, or the general form of such."""
    said = {method_name(*method) for method in METHODS} | {m for m, _ in METHODS}
    assert set(WORDS) <= said


def test_a_stall_is_told_with_its_bytes() -> None:
    """An event says after how much a connection freezes; a number of nonsense stays as it is."""
    assert method_label("throttling", "stall_16k") == (
        "connections carry about 16 KB, and then nothing more"
    )
    assert "carried about 128 KB" in method_label("throttling", "stall_128k", past=True)
    assert method_label("throttling", "stall_k") == "throttling.stall_k"


def test_what_has_no_words_stays_readable() -> None:
    """An unknown way of a known method has the general words; an unknown method stays as it is."""
    assert method_label("quic", "handshake") == WORDS["quic"]
    assert method_label("carrier", "pigeon") == "carrier.pigeon"
