"""Shared by all tests: a skip of a required kind is a failure."""

import os
from collections.abc import Generator

import hypothesis
import pytest

# The same cases on every CI run, so that a red one is a change's own; new ones are found elsewhere.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")

REQUIRED = frozenset(filter(None, os.environ.get("SHUTWATCH_REQUIRE", "").split(",")))
"""Markers (lab, prometheus, …) whose tests may not be skipped here."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long proofs run only when asked for by `-m soak`."""
    if "soak" in (config.option.markexpr or ""):
        return
    kept = [item for item in items if item.get_closest_marker("soak") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a required kind into a failure that says so."""
    report = yield
    expected_failure = hasattr(report, "wasxfail")
    if (
        report.skipped
        and not expected_failure
        and REQUIRED & {mark.name for mark in item.iter_markers()}
    ):
        report.outcome = "failed"
        report.longrepr = f"skipped, but SHUTWATCH_REQUIRE wants it to run: {report.longrepr}"
    return report
