"""Messages about a real block, through Apprise to a real web server, and a monitor that is killed.

One lab, one block from its beginning to its end: the receiver is down when it is confirmed, the
monitor dies before it could tell anybody, and everybody hears of everything once all the same.
"""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.e2e.running import GONE, PROMPT, running, wait_for
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import write_config
from tests.worlds.receiver import Letter

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

PORT = 8099
PATIENCE = 180.0
"""Seconds, of a machine that has other things to do."""
X_NAMES = ["x.com", ".x.com", "twitter.com", ".twitter.com"]
SETTINGS = f"""[events]
false_suspected = 10
false_confirmed = 1
false_ends = 1000

[notify]
ping_url = "http://127.0.0.1:{PORT}/ping"
ping_interval = "1s"

[[notify.route]]
name = "newsroom"
urls = ["json://127.0.0.1:{PORT}/newsroom/SECRET"]
countries = ["PK"]
gather = "1s"

[[notify.route]]
name = "elsewhere"
urls = ["json://127.0.0.1:{PORT}/elsewhere/SECRET"]
countries = ["BR"]
gather = "0s"
"""


class Receiver:
    """The web server that messages go to; it may be closed, and open again."""

    def __init__(self, lab: Lab) -> None:
        self._file = lab.directory / "letters.jsonl"
        self._closed = self._file.with_name(f"{self._file.name}.closed")
        self.close()
        self._process = lab.popen(
            ["python", "-m", "tests.worlds.receiver", str(PORT), str(self._file)]
        )

    def open(self) -> None:
        """Take what comes."""
        self._closed.unlink(missing_ok=True)

    def close(self) -> None:
        """Answer 503."""
        self._closed.touch()

    def letters(self) -> list[Letter]:
        """Messages that were taken, in order."""
        return [one for one in self._all() if one["path"] != "/ping"]

    def pings(self) -> int:
        """Pings that were answered."""
        return sum(one["path"] == "/ping" for one in self._all())

    def _all(self) -> list[dict[str, Any]]:
        if not self._file.exists():
            return []
        return [msgspec.json.decode(line) for line in self._file.read_bytes().splitlines()]


def outbox(lab: Lab) -> list[tuple[str, str, int]]:
    """NoticeKind, state and attempts of the newsroom's notices, as stored."""
    file = lab.directory / "shutwatch.db"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        return database.execute(
            "SELECT occasion, state, attempts FROM outbox WHERE route = 'newsroom'"
            " ORDER BY sequence"
        ).fetchall()


def test_everybody_hears_of_everything_once() -> None:
    """Confirmed while the receiver is down, and killed before it is up: told after the restart, and
    once. Over: told once, and it refers to the first. No address is logged or stored."""
    with Lab([LabNetwork("ptcl", 17557, "PK")], controls=1) as lab:
        config = write_config(lab, interval="3s", platforms=["x"], extra=SETTINGS)
        receiver = Receiver(lab)
        with running(lab, config) as monitor:
            wait_for(lambda: monitor.cycles("ptcl"), "a quiet start", PATIENCE)
            rule = lab.network("ptcl").block(sni=X_NAMES, how="reset")
            (confirmed,) = wait_for(
                lambda: monitor.said("event", change="confirmed"), "confirmation", PATIENCE
            )
            # Down, and tried: that shows on the log and in the metrics, without the address.
            wait_for(lambda: monitor.said("notification failed"), "a failed attempt", PATIENCE)
            failures = monitor.samples("shutwatch_notification_failures_total", route="newsroom")
            assert max(failures.values()) >= 1
            pending = monitor.samples("shutwatch_notifications_pending", route="newsroom")
            assert list(pending.values()) == [1]
            assert max(monitor.samples("shutwatch_ping_failures_total").values()) >= 1
            monitor.process.send_signal(signal.SIGKILL)
            monitor.process.wait(GONE)
        assert not receiver.letters()
        logs = list(monitor.log)

        receiver.open()
        with running(lab, config) as monitor:
            (first,) = wait_for(receiver.letters, "the message", PATIENCE)
            wait_for(lambda: monitor.said("notification sent"), "the mark")
            wait_for(receiver.pings, "a ping", PATIENCE)
            rule.lift()
            wait_for(lambda: monitor.said("event", change="ended"), "the end", PATIENCE)
            wait_for(lambda: len(receiver.letters()) > 1, "the second message", PATIENCE)
            _, second = receiver.letters()
            wait_for(lambda: len(monitor.said("notification sent")) > 1, "the second mark")
            listing = ["shutwatch", "notify", "list", "--json", "--config", str(config)]
            done = lab.run(listing, timeout=PATIENCE)
            assert monitor.stop() < PROMPT
        logs += monitor.log

        assert len(receiver.letters()) == 2
        assert first["path"] == second["path"] == "/newsroom/SECRET"
        assert first["title"] == "Confirmed: X is blocked in Pakistan"
        assert "AS17557" in first["message"]
        assert "(tls.reset)" in first["message"]
        assert f"Event: {confirmed['event_id']}" in first["message"]
        assert second["title"] == "Over: X is no longer blocked in Pakistan"
        assert second["message"].startswith("This is about the message sent here at ")
        rows = outbox(lab)
        assert [(occasion, state) for occasion, state, _ in rows] == [
            ("confirmed", "sent"),
            ("ended", "sent"),
        ]
        assert rows[0][2] > 1
        listed = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
        assert {(one["route"], one["state"]) for one in listed} == {
            ("newsroom", "sent"),
            ("elsewhere", "dropped"),
        }
        assert "SECRET" not in done.stdout
        assert "SECRET" not in str(logs)
        assert b"SECRET" not in _stored(lab.directory)


def _stored(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("shutwatch.db*"))
