"""`shutwatch demo` where there is nothing but a loopback device, and without any privilege."""

import asyncio
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from monitor.analysis.events.event import Event, EventState
from monitor.cli.main import app
from monitor.demo.plan import CABLE, COUNTRY, MOBILE, TELECOM
from monitor.report.verify import verify
from storage.open_store import open_store
from storage.values.selection import Selection
from tests.docs.command_blocks import command_lines
from tests.e2e.running import wait_for
from tests.lab.namespaces import Namespace, Namespaces

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
LIMIT = 600.0
"""Seconds that a very slow machine may take; an idle one tells the hurried story in a quarter
minute."""
STOPPING = 120.0
"""Seconds that its end may take there; usually it takes one."""
NO_PRIVILEGE = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
SHUTWATCH = [sys.executable, "-m", "monitor"]


class Lonely:
    """A machine without a network, and a user without privileges on it."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self.folder = folder
        self._enter = [*namespace.enter(ROOT), *NO_PRIVILEGE]

    def python(self, code: str) -> str:
        """What this code prints there."""
        done = subprocess.run(
            [*self._enter, sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.stdout.strip() or done.stderr

    def page(self, path: str) -> str:
        """What the demonstration's server says; empty while it does not."""
        url = f"http://127.0.0.1:10100{path}"
        code = f"import urllib.request as u; print(u.urlopen({url!r}, timeout=20).read().decode())"
        said = self.python(code)
        return "" if "URLError" in said else said

    @contextmanager
    def demo(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """`shutwatch demo` for as long as the context lasts."""
        with (self.folder / "said").open("w") as said:
            process = subprocess.Popen(
                [*self._enter, *SHUTWATCH, "demo", *options, "--folder", str(self.folder / "kept")],
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(STOPPING)

    @property
    def said(self) -> str:
        """What it printed so far."""
        return (self.folder / "said").read_text()


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[Lonely]:
    """One for each test."""
    with Namespaces() as namespaces:
        namespace = namespaces.make()
        namespace.wait_up()
        yield Lonely(namespace, tmp_path)


async def _events(folder: Path) -> list[tuple[Event, list[str]]]:
    """Stored events of the invented country, each with the changes in its log."""
    store = open_store(f"sqlite:///{folder / 'shutwatch.db'}", create=False)
    await store.open()
    try:
        events = [e async for page in store.events(Selection(country=COUNTRY)) for e in page]
        return [
            (event, [entry.change async for page in store.event_log(event.id) for entry in page])
            for event in events
        ]
    finally:
        await store.close()


def _tutorial(folder: Path, event: str) -> None:
    """Run what the tutorial has typed after the demonstration."""
    lines = [
        line.replace("whole/", f"{folder / 'kept'}/")
        .replace("EVENT", event[:12])
        .replace("-o events.csv", f"-o {folder / 'events.csv'}")
        for page, program, line in command_lines()
        if page.name == "tutorial.md" and program == "shutwatch" and " demo " not in line
    ]
    assert len(lines) == 5
    for line in lines:
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, (line, done.output)
    assert event in (folder / "events.csv").read_text()


def _shown_in_tutorial() -> list[str]:
    """The lines of the terminal that the tutorial shows, without their times."""
    page = (ROOT / "docs/tutorial.md").read_text()
    (block,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    return [line.split(maxsplit=1)[1] for line in block.splitlines() if line != "…"]


async def test_the_whole_story(lonely: Lonely) -> None:
    """No root, no network: X is blocked by three means on three networks, found, lifted, ended.

    It was suspected, confirmed and over on the terminal and in the database, as one event, in the
    order that the documents tell. A message went out, and there is a report. Then each command of
    the tutorial does its work.
    """
    assert "PermissionError" in lonely.python("import socket; socket.create_server(('', 80))")
    assert "unreachable" in lonely.python("import socket; socket.create_connection(('1.1.1.1', 1))")
    with lonely.demo("--exit", "--pace", "10") as process:
        assert process.wait(LIMIT) == 0, lonely.said
    assert "page      http://127.0.0.1:10100/" in lonely.said
    at = [lonely.said.index(word) for word in ("suspected: ", "Confirmed: ", "Over: X in Demoland")]
    assert at == sorted(at)
    assert "phone      Confirmed: X is blocked in Demoland" in lonely.said
    shown = [lonely.said.index(line) for line in _shown_in_tutorial()]
    assert shown == sorted(shown)
    # What the phone says of the other networks is so while it says it.
    told = [
        "suspected: ",
        "Networks: 1 of 3 tested: Demo Telecom",
        "Not on: Demo Mobile",
        f"detected: a confirmed block on {TELECOM.title}",
        f"world      {MOBILE.title} does the same",
        f"detected: the same block, on {MOBILE.title} too",
        f"detected: the same block, on {CABLE.title} too",
    ]
    order = [lonely.said.index(words) for words in told]
    assert order == sorted(order)
    assert "report.zip: X " in lonely.said
    assert verify(lonely.folder / "kept/report.zip").manifest.country == COUNTRY
    ((event, changes),) = await _events(lonely.folder / "kept")
    assert event.state is EventState.ENDED
    assert event.methods == ("tls.reset", "dns.nxdomain", "dns.hijack")
    assert event.networks_affected == (TELECOM.asn, MOBILE.asn, CABLE.asn)
    assert event.evidence == "conclusive"
    assert event.end_latest is not None
    assert event.onset_earliest is not None
    assert event.onset_earliest < event.onset_latest < event.end_latest
    assert [changes.count(name) for name in ("opened", "confirmed", "ended")] == [1, 1, 1]
    assert "reopened" not in changes
    await asyncio.to_thread(_tutorial, lonely.folder, event.id)


async def test_held_at_its_height(lonely: Lonely) -> None:
    """With --hold the block stands, page and metrics show it, and an interrupt ends it with 0."""
    with lonely.demo("--hold", "--pace", "10") as process:
        high = f"detected: the same block, on {CABLE.title} too"
        wait_for(lambda: process.poll() is not None or high in lonely.said, high, LIMIT)
        assert process.poll() is None, lonely.said
        assert "Demo Telecom" in lonely.page("/")
        assert "dns.hijack" in lonely.page("/")
        families = text_string_to_metric_families(lonely.page("/metrics"))
        (sample,) = next(f for f in families if f.name == "shutwatch_blocking_event_state").samples
        wanted = {"country": COUNTRY, "platform": "x", "state": "confirmed"}
        assert wanted.items() <= sample.labels.items()
        process.terminate()
        assert process.wait(STOPPING) == 0, lonely.said
    ((event, _),) = await _events(lonely.folder / "kept")
    assert event.state is EventState.CONFIRMED
