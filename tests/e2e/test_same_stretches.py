"""Every surface says the same of a block that came back, after everything was restarted.

X is blocked, open and blocked again on one network, with everything real: the packets, the program
that is killed and started again, Prometheus that is restarted, Alertmanager, and a web server that
takes the program's own messages. Then the block ends for good, and all is compared again.
"""

import csv
import io
import json
import re
import signal
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.analysis.events.event import Event
from monitor.analysis.events.stretches import first, least, newest, stretches
from monitor.report.names_between_marks import ReportWords
from monitor.report.tables import short_span
from monitor.wording.events import ending, length, onset, stretch_ending, stretch_onset
from monitor.wording.languages import ENGLISH
from monitor.wording.local_time import local_text, utc_text
from monitor.wording.words import words_in
from tests.e2e.running import GONE, PORT, Monitor, running, stored_log, wait_for
from tests.e2e.test_alerting import CONFIRMED, LONG, RULES, X_NAMES
from tests.e2e.test_notify import SETTINGS, Receiver
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.prometheus.alertmanager import AlertmanagerServer
from tests.prometheus.server import PrometheusServer, with_short_delays
from tests.scenarios.story import write_config
from tests.truth.phrases import plain
from tests.truth.surfaces import Text

pytestmark = [
    pytest.mark.lab,
    pytest.mark.prometheus,
    pytest.mark.alertmanager,
    pytest.mark.timeout(900),
]

BOUNDS = ("onset_earliest", "onset_latest", "end_earliest", "end_latest")
WORDS = words_in()


class Newsroom(msgspec.Struct, kw_only=True):
    """Everything that tells, and the folder for reports."""

    lab: Lab
    config: Path
    receiver: Receiver
    alertmanager: AlertmanagerServer
    prometheus: PrometheusServer
    rule: Any = None
    """How the second block is made."""

    def reopened(self, monitor: Monitor) -> None:
        """Blocked, over, and blocked again in a later minute, so that minutes tell them apart."""
        wait_for(lambda: monitor.cycles("ptcl"), "a quiet start", LONG)
        rule = self.block()
        wait_for(lambda: monitor.said("event", change="confirmed"), "the first block", LONG)
        minute = datetime.now(UTC).minute
        rule.lift()
        wait_for(lambda: monitor.said("event", change="ended"), "its end", LONG)
        # Alertmanager would take a block that returns before that for the one it told already.
        wait_for(lambda: self.statuses()[-1:] == ["resolved"], "the end to be told", LONG)
        wait_for(lambda: datetime.now(UTC).minute != minute, "another minute", LONG)
        self.rule = self.block()
        wait_for(lambda: monitor.said("event", change="reopened"), "the second block", LONG)

    def block(self) -> Any:
        """Reset connections that name X."""
        return self.lab.network("ptcl").block(sni=X_NAMES, how="reset")

    def event(self) -> Event:
        """The one event, as stored."""
        (known,) = self.data("events")
        return stored_log(self.lab, known["event_id"])[-1].snapshot

    def newest(self, family: str) -> tuple[Mapping[str, str], float]:
        """The latest of the samples of a family that Prometheus has: where a target died it keeps
        an old one for five minutes."""
        found = self.prometheus.query(family)
        assert found, family
        return max(((one.labels, one.value) for one in found), key=lambda one: one[1])

    def value(self, name: str) -> float:
        """A time about the event that goes on, in metrics."""
        return self.newest(f"shutwatch_blocking_event_{name}_timestamp_seconds")[1]

    def data(self, path: str) -> list[dict[str, Any]]:
        """Rows of the API."""
        rows: list[dict[str, Any]] = json.loads(self.lab.get(PORT, f"/api/v1/{path}")["body"])[
            "data"
        ]
        return rows

    def csv(self, kind: str) -> str:
        """The same as a file. It comes in chunks, with their lengths between them."""
        body: str = self.lab.get(PORT, f"/api/v1/{kind}.csv")["body"]
        return re.sub(r"(?:^|\r\n)[0-9a-f]+\r\n", "", body)

    def page(self, event: Event) -> str:
        """The text of the event's page."""
        return text_of(self.lab.get(PORT, f"/events/{event.id}")["body"])

    def report(self, event: Event, name: str) -> zipfile.ZipFile:
        """The signed report on that time."""
        file = self.lab.directory / name
        since = (event.onset_latest - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
        what = f"--country PK --platform x --since {since} -o {file} --config {self.config}"
        done = self.lab.run(["shutwatch", "report", *what.split()], timeout=LONG)
        assert done.returncode == 0, done.stderr
        return zipfile.ZipFile(file)

    def alerts(self) -> list[Mapping[str, Any]]:
        """Each alert about the block that the webhook received, in order."""
        return [
            one
            for line in self.alertmanager.taken("/newsroom")
            for one in line["body"]["alerts"]
            if one["labels"]["alertname"] == CONFIRMED
        ]

    def statuses(self) -> list[str]:
        """The status of each of these alerts: firing or resolved."""
        return [one["status"] for one in self.alerts()]

    def over(self) -> Mapping[str, str] | None:
        """The annotations of the last alert, if it says that the block ended."""
        (*_, last) = self.alerts()
        found: Mapping[str, str] = last["annotations"]
        return found if last["status"] == "resolved" else None

    def over_since(self) -> str | None:
        """When the block that ended began, by the last alert."""
        told = self.over()
        return None if told is None else told["since"]


@pytest.fixture
def newsroom(tmp_path: Path) -> Iterator[Newsroom]:
    """One network and one control, watched, with both kinds of messages."""
    with (
        Lab([LabNetwork("ptcl", 17557, "PK")], controls=1) as lab,
        AlertmanagerServer(enter=lab.enter) as alertmanager,
        PrometheusServer(
            [f"127.0.0.1:{PORT}"],
            # Long enough that no restart on a busy machine is a country that is not seen: for some
            # minutes that would keep this alert from its readers.
            [with_short_delays(RULES, tmp_path / "rules.yml", wait="2m")],
            enter=lab.enter,
            alertmanager=alertmanager.address,
        ) as prometheus,
    ):
        config = write_config(lab, interval="3s", platforms=["x"], extra=SETTINGS)
        receiver = Receiver(lab)
        receiver.open()
        yield Newsroom(
            lab=lab,
            config=config,
            receiver=receiver,
            alertmanager=alertmanager,
            prometheus=prometheus,
        )


def text_of(page: str) -> str:
    """What a person reads, in one line."""
    text = Text()
    text.feed(page)
    return plain(" ".join(text.lines))


def rows_of(text: str) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(text)))


def exact(moment: datetime | None) -> str:
    """As data have it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}" if moment else ""


def told_exactly(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Bounds of the country's stretches, by rows of data."""
    return [tuple(one[name] or "" for name in BOUNDS) for one in rows if one["asn"] in (None, "")]


def tell_the_same(told: Newsroom, event: Event, *, report: str) -> None:
    """Every surface has the event's stretches."""
    known = stretches(event)
    assert len(known) == 2
    bounds = [tuple(exact(getattr(one, name)) for name in BOUNDS) for one in known]
    enclosed = told.report(event, report)
    assert told_exactly(told.data("stretches")) == bounds
    assert told_exactly(rows_of(told.csv("stretches"))) == bounds
    assert told_exactly(rows_of(enclosed.read("data/stretches.csv").decode())) == bounds

    (row,) = told.data("events")
    assert [row[name] for name in ("onset_earliest", "onset_latest")] == [*bounds[0][:2]]
    assert [row[name] for name in ("since_earliest", "since_latest")] == [*bounds[1][:2]]
    assert [row["end_earliest"] or "", row["end_latest"] or ""] == [*bounds[1][2:]]
    assert row["stretches"] == 2
    if not event.active:
        (lasted,) = [one["blocked_seconds_least"] for one in told.data("events")]
        assert lasted == int(least(event).total_seconds())
        assert plain(length(WORDS, event)) in told.page(event)
    page, document = told.page(event), text_of(enclosed.read("report.html").decode())
    english = ReportWords(ENGLISH)
    for one in known:
        assert plain(stretch_onset(WORDS, one, "PK")) in page
        ended = stretch_ending(WORDS, one, "PK")
        assert ended is None or plain(ended) in page
        began = short_span(english, one.onset_earliest, one.onset_latest, ("", ""))
        ended = "goes on"
        if one.end_earliest is not None:
            ended = short_span(english, one.end_earliest, one.end_latest, ("", ""))
        assert f"{began} {ended}" in document


def test_a_return_is_told_alike_everywhere_after_restarts(newsroom: Newsroom) -> None:
    """While it goes on after everything was restarted, and once it is over."""
    told = newsroom
    with running(told.lab, told.config) as monitor:
        told.reopened(monitor)
        monitor.process.send_signal(signal.SIGKILL)
        monitor.process.wait(GONE)
    told.prometheus.restart()
    with running(told.lab, told.config) as monitor:
        wait_for(lambda: len(monitor.cycles("ptcl")) > 2, "cycles after the restart", LONG)
        wait_for(lambda: told.prometheus.firing(CONFIRMED, country="PK"), "the alert", LONG)
        wait_for(lambda: len(told.receiver.letters()) > 2, "the message of the return", LONG)
        event = told.event()
        tell_the_same(told, event, report="going-on.zip")
        labels, value = told.newest("shutwatch_blocking_event_state")
        assert (labels["event"], value) == (event.id, 1)
        assert told.value("onset") == newest(event).onset_latest.timestamp()
        assert told.value("first_onset") == first(event).onset_latest.timestamp()
        assert f"Since: {onset(WORDS, event)}\n" in told.receiver.letters()[2]["message"]
        (alert,) = told.prometheus.firing(CONFIRMED, country="PK")
        assert alert.annotations["since"] == alerts_since(event)
        # Alertmanager never tells the end of what it did not tell.
        wait_for(lambda: told.statuses()[-1] == "firing", "it to be told", LONG)

        told.rule.lift()
        wait_for(lambda: monitor.said("event", change="ended"), "the end", LONG)
        wait_for(lambda: len(told.receiver.letters()) > 3, "the last message", LONG)
        # Measurements of before the restart may still have revised the onset.
        wait_for(lambda: told.over_since() == alerts_since(told.event()), "the mail", LONG)
        event = told.event()
        over = newest(event)
        assert over.end_latest is not None
        end = over.end_latest.timestamp()
        ended = "shutwatch_blocking_event_ended_timestamp_seconds"
        wait_for(lambda: told.newest(ended)[1] == end, "the end in the metrics", LONG)
        latest = told.newest("shutwatch_event_end_latest_timestamp_seconds")
        tell_the_same(told, event, report="over.zip")
    assert (latest[0]["event"], latest[1]) == (event.id, end)
    last = told.receiver.letters()[3]["message"]
    assert f"Since: {onset(WORDS, event)}\n" in last
    assert f"Until: {ending(WORDS, event)}\n" in last
    resolved = told.over()
    assert resolved is not None
    assert resolved["until"].startswith(
        f"{utc_text(over.end_latest)}, {local_text(over.end_latest, 'PK')}"
    )


def alerts_since(event: Event) -> str:
    """Since when, as alerts say it, in minutes."""
    now, before = newest(event), first(event)
    assert now.onset_earliest is not None
    return (
        f"{utc_text(now.onset_latest)}, {local_text(now.onset_latest, 'PK')}; last seen open "
        f"{utc_text(now.onset_earliest)}; first blocked {utc_text(before.onset_latest)}"
    )
