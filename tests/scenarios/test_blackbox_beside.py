"""What blackbox_exporter says of each scenario: the recording, and a sample of it asked again."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab.certificates import authority
from tests.scenarios.blackbox_exporter import ask, version
from tests.scenarios.blackbox_looks import ELSEWHERE, EVERY, MATRIX
from tests.scenarios.blackbox_said import UNASKED, Recording, Said, recording, write
from tests.scenarios.matrix_table import SCENARIOS
from tests.scenarios.soak import LABS

UP, DOWN = Said(http_2xx=True, tcp_connect=True), Said(http_2xx=False, tcp_connect=False)
_CHANCE = random.Random(16)
SAMPLE = (_CHANCE.choice(sorted(MATRIX)), *_CHANCE.sample(sorted(ELSEWHERE), 2))
"""Labs that every run asks in: one of the matrix, two of other rows. Drawn by the seed."""


def test_every_scenario_has_an_answer_or_a_reason() -> None:
    """No row is forgotten, none has both, and none is asked twice."""
    names = {row.name for row in SCENARIOS}
    assert set(recording().said) | set(UNASKED) == names
    assert not set(recording().said) & set(UNASKED)
    asked = [name for beside in EVERY.values() for name in beside.rows]
    assert sorted(asked) == sorted(recording().said)


def test_up_is_not_open_and_down_is_not_blocked() -> None:
    """The words above the table: block pages and lost functions are up; a site that is down for
    everybody looks like a block."""
    said, state = recording().said, {row.name: row.answer.state for row in SCENARIOS}
    for name in ("http-diff", "youtube-video", "messenger-calls", "telegram-dc2-4", "wa-noise-dpi"):
        assert (said[name], state[name] in ("blocked", "degraded")) == (UP, True), name
    for name, expected in {"down-tcp": "down", "dns-nxdomain": "blocked"}.items():
        assert (said[name], state[name]) == (DOWN, expected), name
    # The hijacked address is as near as the controls' own link, which it must not be asked by.
    assert said["reset-hijacked"] == Said(http_2xx=False, tcp_connect=True)


@pytest.mark.lab
@pytest.mark.blackbox
@pytest.mark.parametrize("name", SAMPLE)
def test_the_real_exporter_says_what_is_recorded(name: str) -> None:
    """In labs chosen by a seed, asked anew."""
    beside = EVERY[name]
    said = recording().said
    assert ask(beside) == {row: said[row] for row in beside.rows}


@pytest.mark.soak
@pytest.mark.lab
@pytest.mark.blackbox
@pytest.mark.timeout(0)
def test_record() -> None:
    """Ask in every lab, and replace the recording. docs/scenarios.md is then written again as
    CONTRIBUTING.md says."""
    authority()  # all labs of this process trust the same one
    with ThreadPoolExecutor(LABS) as pool:
        answers = list(pool.map(ask, EVERY.values()))
    said = {name: one for answer in answers for name, one in answer.items()}
    assert (said["success-https"], said["success-http"]) == (UP, UP)
    write(Recording(version=version(), said=said))
