"""Shared by all tests: a skip of a required kind is a failure."""

import asyncio
import gc
import logging
import os
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from storage.open_store import sql_store
from tests import needs, properties
from tests.worlds.postgresql import Cluster, Emptied

# The same cases on every CI run, so that a red one is a change's own; new ones are found elsewhere.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("default", deadline=None)
properties.register()
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")

# Nothing of what is imported and collected becomes garbage: to look through it takes time.
gc.disable()
# Young garbage is collected as ever, the oldest generation a tenth as often: most of it stays.
gc.set_threshold(700, 10, 100)

TESTS = Path(__file__).parent
WAITING = ("e2e", "scenarios", "prometheus", "lab", "image", "browser")
"""Folders whose tests wait for packets, programs and pages most of the time; others compute."""
LAST_WAITING = 0.7
"""Where in the order the last of those begins, from 0 to 1."""
PACKAGE = "missing_package"
"""Property of a skipped test: a Debian package that it lacks."""
REQUIRED = frozenset(filter(None, os.environ.get("SHUTWATCH_REQUIRE", "").split(",")))
"""Markers (lab, prometheus, …) whose tests may not be skipped here."""


def pytest_configure(config: pytest.Config) -> None:
    """A run of property tests with many examples writes what came out."""
    if config.getoption("--hypothesis-profile") == properties.PROFILE:
        config.pluginmanager.register(properties.Written())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long proofs run only when asked for by `-m soak`; what waits is mixed with what computes."""
    items[:] = _mixed(items)
    if "soak" in (config.option.markexpr or ""):
        return
    kept: list[pytest.Item] = []
    long: list[pytest.Item] = []
    for item in items:
        (kept if item.get_closest_marker("soak") is None else long).append(item)
    config.hook.pytest_deselected(items=long)
    items[:] = kept


def pytest_collection_finish() -> None:
    """What is there by now stays, and need not be looked through again for each test's garbage."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _memory_of_agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Agents keep a key in memory, where systemd says: of tests none is to stay there."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RUNTIME_DIRECTORY", str(tmp_path_factory.mktemp("runtime")))
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that has a marker whose tools are missing here."""
    reasons = []
    for marker in needs.MARKERS:
        if item.get_closest_marker(marker) and (reason := needs.why_missing(marker)):
            reasons.append(reason)
            item.user_properties += [(PACKAGE, name) for name in needs.missing_packages(marker)]
    if reasons:
        pytest.skip("; ".join(reasons))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, None, None]:
    """Close with the packages that the skipped tests lack."""
    yield
    skipped = [dict.fromkeys(_packages(one)) for one in terminalreporter.getreports("skipped")]
    lacking = [packages for packages in skipped if packages]
    if lacking:
        names = " ".join(sorted(set().union(*lacking)))
        terminalreporter.write_line(
            f"Skipped {len(lacking)} tests. To run them: apt-get install {names}", yellow=True
        )


def _packages(report: pytest.TestReport | pytest.CollectReport) -> list[str]:
    # What a whole file was skipped for has no properties.
    properties = getattr(report, "user_properties", ())
    return [str(value) for name, value in properties if name == PACKAGE]


def _mixed(items: list[pytest.Item]) -> list[pytest.Item]:
    """Those that wait and those that compute, mixed so that side by side they share the processors
    well. A file's tests stay together, and what waits does not come last: it takes longest."""
    waiting, computing = dict[Path, list[pytest.Item]](), dict[Path, list[pytest.Item]]()
    for item in items:
        waits = item.path.relative_to(TESTS).parts[0] in WAITING
        (waiting if waits else computing).setdefault(item.path, []).append(item)
    # By the names of files the folders mix, so that what works hard seldom meets its like.
    ordered = sorted(waiting, key=lambda path: path.name)
    turns = [
        *((LAST_WAITING * number / len(ordered), path) for number, path in enumerate(ordered)),
        *((number / len(computing), path) for number, path in enumerate(computing)),
    ]
    return [item for _, path in sorted(turns) for item in (waiting | computing)[path]]


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """A command that a test ran in this process leaves its log on a stream that is closed by now;
    the next test, whichever it is, must not hear of that. Nor must another file's tests hear of a
    request that was cancelled during the TLS handshake: httpcore closes no socket then."""
    root = logging.getLogger()
    root.handlers[:] = [one for one in root.handlers if type(one) is not logging.StreamHandler]
    if nextitem is None or nextitem.path != item.path:
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            gc.collect()


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


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server for all tests of this process, with an empty database `empty` that has
    this version's tables. Every test that uses it has the marker `postgres`."""
    cluster = Cluster()
    try:
        cluster.start()
        cluster.execute("CREATE DATABASE empty")
        asyncio.run(_make_tables(cluster.url("empty")))
        yield cluster
    finally:
        cluster.remove()


async def _make_tables(url: str) -> None:
    store = sql_store(url)
    await store.open()
    await store.close()


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with this version's tables, to copy."""
    path = tmp_path_factory.mktemp("empty") / "empty.db"
    asyncio.run(_make_tables(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def emptied(cluster: Cluster) -> Emptied:
    """Databases with this version's tables."""
    return Emptied(cluster, "empty")


@pytest.fixture
def database(emptied: Emptied) -> Iterator[str]:
    """The name of a database of this test's own, with this version's tables in it."""
    name = emptied.take()
    yield name
    emptied.give_back(name)
