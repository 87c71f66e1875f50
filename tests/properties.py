"""Property tests with many fresh examples: `make soak` runs them so, and writes what came out.

    pytest -m hypothesis --hypothesis-profile=soak

CI repeats the same hundred examples of each, so that a red test is a change's own fault. What the
many find becomes an `@example` there.
"""

import math
import os
import re
from collections.abc import Mapping
from fcntl import LOCK_EX, flock
from pathlib import Path

import hypothesis
import pytest

PROFILE = "soak"
WHOLE = 20_000
"""Examples of each test in that profile."""
MOST = math.ceil(WHOLE * float(os.environ.get("SHUTWATCH_SOAK_SHARE", "1")))
"""The same, or the share of them that is enough for a first look."""
DOCUMENT = Path(__file__).parents[1] / "docs" / "soak-properties.md"
_HEAD = f"""# Property tests with {WHOLE:,} examples

Written by `make soak` (`pytest -m hypothesis --hypothesis-profile={PROFILE}`). Each property test
of the repository runs with {WHOLE:,} fresh examples and no time limit; CI repeats the same hundred
or so. Fewer stand here where there are no more, or where only a share was asked for
(`SHUTWATCH_SOAK_SHARE`); the reason stands beside the number. A test that runs again replaces its
line, unless it ran fewer and found nothing. Seconds are those of a machine that does other work
too.

Every sentence about any world is read on the pages, in a report, messages, rows and metrics that
are made straight from verdicts. One world in fifty is lived through as well, and every surface is
read: with a store, a server, commands and feeds.

"""
_FEWER: Mapping[str, str] = {
    "_client_hello_": "no more differ",
    "_together_nobody_weighs_more_than_apart": "no more differ",
    "_a_reply_cut_short_without_saying_so_is_malformed": "no more differ",
    "_an_answer_is_waited_for_to_its_last_byte": "no more differ",
    "_no_bit_of_an_answer_may_differ": "no more differ",
}
"""Why a test has run with fewer: what its name has → the reason in a word."""
_TABLE = "| test | examples | seconds | failures |\n| --- | --- | --- | --- |\n"
_PASSING = re.compile(r"(\d+) passing")
_ROW = re.compile(r"^\| `(?P<test>[^`]+)` \| (?P<cells>.*) \|$", re.MULTILINE)
_KEY = "property"


def register() -> None:
    """Make the profile known to hypothesis."""
    hypothesis.settings.register_profile(
        PROFILE,
        max_examples=MOST,
        derandomize=False,
        database=None,
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
        print_blob=True,
    )


def examples(usual: int) -> int:
    """How many examples a test runs whose examples are dear or cheap: so many, or in the profile
    the most."""
    soaking = hypothesis.settings.get_current_profile_name() == PROFILE
    return max(usual, MOST) if soaking else usual


class Written:
    """Writes the document of a run in the profile: a pytest plugin."""

    def __init__(self) -> None:
        self._rows: dict[str, str] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> object:
        """Keep how many examples passed."""
        text = getattr(item, "hypothesis_statistics", "")
        if text and _KEY not in dict(item.user_properties):
            passed = sum(map(int, _PASSING.findall(text)))
            item.user_properties.append((_KEY, f"{passed:,}"))
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep one line for each test that ran."""
        found = dict(report.user_properties).get(_KEY)
        if report.when == "call" and found is not None:
            failures = "none" if report.passed else "found"
            self._rows[report.nodeid] = f"{found} | {report.duration:,.0f} | {failures}"

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the lines, and keep those of tests that ran before."""
        if not self._rows or hasattr(session.config, "workerinput"):
            return
        with DOCUMENT.open("r+", encoding="utf-8") as file:
            flock(file, LOCK_EX)  # two runs may end at once
            text = document(merged(rows(file.read()), self._rows))
            file.seek(0)
            file.truncate()
            file.write(text)


def merged(known: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """The lines of before with those of this run: one that ran a share of the examples, and found
    nothing, does not replace one that ran more."""
    less = {
        test
        for test in known.keys() & new.keys()
        if _passed(new[test]) < _passed(known[test]) and _clean(new[test]) and _clean(known[test])
    }
    return {**known, **{test: cells for test, cells in new.items() if test not in less}}


def _passed(cells: str) -> int:
    return int(cells.partition(" ")[0].replace(",", ""))


def _clean(cells: str) -> bool:
    return cells.endswith("none")


def document(known: Mapping[str, str]) -> str:
    """The whole document with these lines: test → its other cells."""
    return _HEAD + _TABLE + "".join(_line(test, known[test]) for test in sorted(known))


def _line(test: str, cells: str) -> str:
    rest = cells.partition(" | ")[2]
    passed = _passed(cells)
    number = f"{passed:,}"
    if passed < WHOLE:
        why = next((why for part, why in _FEWER.items() if part in test), "a share was asked for")
        number = f"{number} ({why})"
    return f"| `{test}` | {number} | {rest} |\n"


def rows(text: str) -> dict[str, str]:
    """The lines of the document: test → its other cells."""
    return {found["test"]: found["cells"] for found in _ROW.finditer(text)}
