"""From packets to a message on somebody's telephone, and to the one that says that it is over.

The monitor watches X from two networks of Pakistan and one of Brazil. A real Prometheus scrapes it
and evaluates the committed rules, a real Alertmanager tells a receiver of ours by webhook, Telegram
and mail, with the committed routes, inhibition and templates. Only times are shortened.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.e2e.running import PORT, Monitor, running, wait_for
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.prometheus.alertmanager import AlertmanagerServer
from tests.prometheus.server import PrometheusServer, with_short_delays
from tests.scenarios.story import write_config

pytestmark = [
    pytest.mark.lab,
    pytest.mark.prometheus,
    pytest.mark.alertmanager,
    pytest.mark.timeout(900),
]

RULES = Path(__file__).parents[2] / "dashboards" / "prometheus" / "shutwatch.rules.yml"
HASTY = "[events]\nfalse_suspected = 10\nfalse_confirmed = 1\nfalse_ends = 1000"
"""A budget of errors that lets strong evidence be believed within a few cycles."""
PUBLIC = 'public_url = "https://watch.example.org"\n'
X_NAMES = ["x.com", ".x.com", "twitter.com", ".twitter.com"]
NETWORKS = ("ptcl", "jazz", "vivo")
CONFIRMED, SUSPECTED = "ShutwatchPlatformBlockConfirmed", "ShutwatchPlatformBlockSuspected"
LONG = 180.0
"""Seconds a busy machine may take for what takes ten."""


class Newsroom(msgspec.Struct):
    """Everything that runs, and what was told so far."""

    lab: Lab
    monitor: Monitor
    prometheus: PrometheusServer
    alertmanager: AlertmanagerServer

    def told(self, country: str, status: str, alert: str = CONFIRMED) -> list[dict[str, Any]]:
        """Alerts of one kind in what the webhook got about a country, one for each message."""
        return [
            one
            for line in self.alertmanager.taken("/newsroom")
            for one in line["body"]["alerts"]
            if one["status"] == status
            and (one["labels"]["country"], one["labels"]["alertname"]) == (country, alert)
        ]

    def held(self, alert: str) -> bool:
        """Whether Alertmanager takes an alert of this kind to be firing, told or not."""
        return any(one["labels"]["alertname"] == alert for one in self.alertmanager.states())

    def telegrams(self, words: str) -> list[str]:
        """Telegram messages that hold these words."""
        texts = [line["body"]["text"] for line in self.alertmanager.taken("/bot")]
        return [text for text in texts if words in text]

    def mails(self, subject: str) -> list[dict[str, Any]]:
        """Mails whose subject begins so."""
        return [one for one in self.alertmanager.mails() if one["subject"].startswith(subject)]


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newsroom]:
    """All of it, calm."""
    networks = [
        LabNetwork("ptcl", 17557, "PK"),
        LabNetwork("jazz", 45669, "PK"),
        LabNetwork("vivo", 27699, "BR"),
    ]
    rules = with_short_delays(RULES, tmp_path_factory.mktemp("rules") / "rules.yml")
    with Lab(networks, controls=1) as lab, AlertmanagerServer(enter=lab.enter) as alertmanager:
        config = write_config(lab, interval="3s", platforms=["x"], extra=HASTY)
        config.write_text(PUBLIC + config.read_text("utf-8"), "utf-8")
        target = f"127.0.0.1:{PORT}"
        with (
            running(lab, config) as monitor,
            PrometheusServer(
                [target], [rules], enter=lab.enter, alertmanager=alertmanager.address
            ) as prometheus,
        ):
            told = Newsroom(lab, monitor, prometheus, alertmanager)
            wait_for(lambda: _calm(told), "calm", LONG)
            yield told
            assert alertmanager.log() == ""


def _calm(told: Newsroom) -> bool:
    assert told.monitor.process.poll() is None, told.monitor.log[-3:]
    now = told.monitor.scrape()
    return all(now.platform_states(name) == {"x": "ok"} for name in NETWORKS) and {
        alert.name for alert in told.prometheus.alerts()
    } == {"ShutwatchWatchdog"}


def test_a_block_is_told_once_and_so_is_its_end(newsroom: Newsroom) -> None:
    """Blocked and told once in the right words, though Prometheus is restarted meanwhile and a
    vantage elsewhere is lost, which accuses nobody; lifted, and told once that it is over."""
    told = newsroom
    block = told.lab.network("ptcl").block(sni=X_NAMES, how="reset")
    wait_for(lambda: told.told("PK", "firing"), "the block to be told", LONG)
    wait_for(lambda: told.telegrams("blocked (confirmed)"), "the telegram", LONG)
    wait_for(lambda: told.mails("Pakistan – blocked: X"), "the mail", LONG)

    told.lab.network("vivo").cut()
    # Prometheus forgets at a restart what lingers only, and Alertmanager would keep it for minutes.
    wait_for(lambda: not told.held(SUSPECTED), "the suspicion to become the finding", LONG)
    told.prometheus.restart()
    wait_for(
        lambda: told.prometheus.firing(CONFIRMED, country="PK"), "the alert after the restart", LONG
    )
    # The only one there: that nothing is seen of the country is told before, after or with it.
    wait_for(
        lambda: any("vivo is offline" in mail["subject"] for mail in told.mails("Brazil – ")),
        "the lost vantage",
        LONG,
    )
    time.sleep(3)  # three intervals in which nothing more may come
    assert len(told.told("PK", "firing")) == 1
    assert not told.told("PK", "resolved")

    block.lift()
    wait_for(lambda: told.told("PK", "resolved"), "the end to be told", LONG)
    wait_for(lambda: told.telegrams("the block is over"), "the last telegram", LONG)
    wait_for(lambda: told.mails("Pakistan – over: X"), "the last mail", LONG)
    time.sleep(3)
    assert len(told.told("PK", "firing")) == len(told.told("PK", "resolved")) == 1
    assert len(told.telegrams("blocked (confirmed)")) == 1
    assert len(told.telegrams("the block is over")) == 1
    _is_as_it_was(told)
    countries = {
        line["body"]["groupLabels"]["country"] for line in told.alertmanager.taken("/newsroom")
    }
    assert countries == {"PK"}


def _is_as_it_was(told: Newsroom) -> None:
    """What was told of the block is what the lab did."""
    (alert,) = told.told("PK", "firing")
    said = alert["annotations"]
    assert (said["country_name"], said["platform_name"]) == ("Pakistan", "X")
    assert said["networks"] == (
        "PTCL (AS17557): connections are reset when the platform's name appears (tls.reset)"
    )
    assert said["extent"] == "1 of 2 networks tested"
    assert " UTC, " in said["since"]
    assert " local time (UTC+05:00); last seen open " in said["since"]
    (opened,) = told.monitor.said("event", change="opened", kind="block")
    link = f"https://watch.example.org/events/{opened['event_id']}"
    assert said["event_url"] == link
    (telegram,) = told.telegrams("blocked (confirmed)")
    # Until Alertmanager knows both, the suspicion of a moment ago may stand beside the finding.
    assert telegram.startswith("<b>Pakistan – blocked: X")
    assert f'<a href="{link}">Evidence</a>' in telegram
    (mail,) = told.mails("Pakistan – blocked: X")
    assert f"Evidence: {link}" in mail["text"]
    assert "1 of 2 networks tested" in mail["html"]
