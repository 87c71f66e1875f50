"""Alertmanager's configuration: which receiver gets which message, and which alerts it inhibits."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.docs.command_blocks import command_lines
from tests.prometheus.alertmanager import CONFIG, FOLDER, AlertmanagerServer, alerts
from tests.prometheus.stories import (
    CONFIRMED,
    LONG,
    META,
    about,
    other,
    over,
)
from tests.worlds.yaml_files import yaml_of

pytestmark = pytest.mark.alertmanager

NEWSROOM = {
    "ShutwatchPlatformBlockConfirmed",
    "ShutwatchPlatformBlockSuspected",
    "ShutwatchPlatformThrottled",
    "ShutwatchCountryShutdownSuspected",
    "ShutwatchInternationalCutSuspected",
    "ShutwatchAllowlistConfirmed",
}
BLOCKS = ("PlatformBlockConfirmed", "PlatformBlockSuspected", "PlatformThrottled")


def config() -> Any:
    """The committed configuration."""
    return yaml_of(CONFIG)


def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run amtool."""
    return subprocess.run(
        ["amtool", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_amtool_accepts_the_configuration() -> None:
    """`amtool check-config` finds the receivers and the templates, and no error."""
    done = amtool("check-config", str(CONFIG))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 receivers" in done.stdout
    assert done.stdout.count("SUCCESS") == 2  # of the configuration and of the templates


def test_no_secret_stands_in_the_file() -> None:
    """The configuration names the file of each secret, and holds no secret."""
    pattern = r"^\s*-?\s*(\w*(?:password|token|url|key|secret)\w*):"
    secrets = re.findall(pattern, CONFIG.read_text("utf-8"), re.MULTILINE)
    assert {"smtp_auth_password_file", "bot_token_file", "api_url_file", "url_file"} <= set(secrets)
    assert all(name.endswith("_file") for name in secrets), secrets


def test_what_it_names_exists() -> None:
    """Each alert named by a route, an inhibition or a template is one that the rules can fire."""
    named = set(re.findall(r"Shutwatch\w+", CONFIG.read_text("utf-8")))
    for template in FOLDER.glob("*.tmpl"):
        named |= set(re.findall(r"Shutwatch\w+", template.read_text("utf-8")))
    assert NEWSROOM <= named <= set(alerts())


@pytest.mark.parametrize("name", sorted(alerts()))
def test_every_alert_goes_to_those_it_concerns(name: str) -> None:
    """Alerts about a country go to the newsroom, alerts about shutwatch to the operators."""
    severity = alerts()[name]["labels"]["severity"]
    done = amtool(
        *("config", "routes", "test", f"--config.file={CONFIG}"),
        *(f"alertname={name}", f"severity={severity}", "country=PK"),
    )
    if name == "ShutwatchWatchdog":
        expected = "watchdog"
    elif name in NEWSROOM:
        expected = "newsroom"
    else:
        expected = "nobody" if severity == "info" else "operators"
    assert done.stdout.strip() == expected


@pytest.fixture(scope="module")
def server() -> Iterator[AlertmanagerServer]:
    """A real Alertmanager with the committed configuration, without its waits, and a receiver."""
    with AlertmanagerServer(wait="2s", interval="2s") as running:
        yield running


def test_all_that_goes_at_once_is_one_message_each_way(server: AlertmanagerServer) -> None:
    """Six platforms of Meta and X in one country, one after the other, are one message by webhook,
    Telegram, Slack and mail; another country's is its own; when all are over, one more."""
    wave = [about("ShutwatchPlatformBlockConfirmed", title) for title in META]
    wave[-1]["annotations"]["whole_owner"] = "Meta"
    elsewhere = about("ShutwatchPlatformBlockConfirmed", "X", country_name="Brazil")
    elsewhere["labels"]["country"] = "BR"
    sent = [_live(alert) for alert in (*wave, elsewhere)]
    for alert in sent:
        server.post([alert])
    server.eventually(lambda: len(server.taken("/newsroom")) == 2 and len(server.mails()) == 2)
    server.eventually(lambda: len(server.taken("/bot")) == 2 and len(server.taken("/slack")) == 2)

    (pakistan,) = [
        line["body"]
        for line in server.taken("/newsroom")
        if line["body"]["groupLabels"] == {"country": "PK"}
    ]
    assert {alert["labels"]["platform"] for alert in pakistan["alerts"]} == {
        title.lower() for title in META
    }
    assert pakistan["alerts"][0]["annotations"]["country_name"] == "Pakistan"
    (mail,) = [mail for mail in server.mails() if "Pakistan" in mail["subject"]]
    assert mail["subject"].startswith("Pakistan – blocked: all of Meta (")
    assert "https://watch.example.org/events/pk-whatsapp" in mail["text"]
    assert "<h2" in mail["html"]
    (telegram,) = [t["body"] for t in server.taken("/bot") if "Pakistan" in t["body"]["text"]]
    assert telegram["parse_mode"] == "HTML"
    assert telegram["text"].startswith("<b>Pakistan – blocked: all of Meta (")
    (slack,) = [
        attachment
        for line in server.taken("/slack")
        for attachment in line["body"]["attachments"]
        if "Pakistan" in attachment["title"]
    ]
    assert "<https://watch.example.org/events/pk-facebook|Evidence>" in slack["text"]

    server.post([_live(over(alert), ended=True) for alert in wave])
    server.eventually(lambda: len(server.mails()) == 3 and len(server.taken("/newsroom")) == 3)
    assert server.mails()[-1]["subject"].startswith("Pakistan – over: ")
    ended = server.taken("/newsroom")[-1]["body"]
    assert {alert["status"] for alert in ended["alerts"]} == {"resolved"}
    assert len(ended["alerts"]) == len(META)


def test_a_mass_block_comes_whole_by_telegram(server: AlertmanagerServer) -> None:
    """All of Meta on twenty networks: Alertmanager cuts nothing, so every tag is closed."""
    wave = [about(CONFIRMED, title, **LONG, country_name="Iran") for title in META]
    for alert in wave:
        alert["labels"]["country"] = "IR"
    server.post(map(_live, wave))

    def sent() -> list[str]:
        return [t["body"]["text"] for t in server.taken("/bot") if "Iran" in t["body"]["text"]]

    server.eventually(sent)
    (text,) = sent()
    for tag in ("a", "b"):
        assert len(re.findall(f"<{tag}[ >]", text)) == text.count(f"</{tag}>") > 0
    assert text.strip().endswith(">Evidence</a>")


def _live(alert: dict[str, Any], *, ended: bool = False) -> dict[str, Any]:
    """What Prometheus would post: no status, and times of now."""
    kept = {key: alert[key] for key in ("labels", "annotations")}
    return kept | (PAST if ended else {})


PAST = {"startsAt": "2026-03-01T11:00:00Z", "endsAt": "2026-03-01T12:00:00Z"}

SILENCED = [
    (
        "PlatformOutageElsewhere",
        {"platform": "x"},
        ("PlatformBlockSuspected", "PlatformThrottled", "PlatformDegraded"),
        {"country": "AA", "platform": "x"},
    ),
    ("CountryShutdownSuspected", {"country": "AB"}, BLOCKS, {"country": "AB", "platform": "p1"}),
    ("InternationalCutSuspected", {"country": "AC"}, BLOCKS, {"country": "AC", "platform": "p2"}),
    ("CountryUnseen", {"country": "AD"}, BLOCKS, {"country": "AD", "platform": "p3"}),
    (
        "CountryShutdownSuspected",
        {"country": "AE"},
        ("VantageSilent", "VantageUplinkDown", "CountryUnseen", "CoverageInsufficient"),
        {"country": "AE", "vantage": "v"},
    ),
    (
        "PlatformBlockConfirmed",
        {"country": "AF", "platform": "p4"},
        ("PlatformBlockSuspected", "PlatformThrottled", "PlatformDegraded"),
        {"country": "AF", "platform": "p4"},
    ),
    (
        "VantageSilent",
        {"country": "AG", "vantage": "v"},
        ("VantageUplinkDown",),
        {"country": "AG", "vantage": "v"},
    ),
    # One stopped program makes one alert.
    (
        "MonitorDown",
        {"job": "shutwatch", "instance": "a"},
        (
            *("CycleStalled", "StorageErrors", "NotificationsFailing", "ReloadFailed"),
            *("OldRowsKept", "IngestFailing", "CertificateExpiring"),
        ),
        {"job": "shutwatch", "instance": "a"},
    ),
]
"""Source and its labels, and the targets with theirs that it inhibits."""

HEARD = [
    ("PlatformOutageElsewhere", {"platform": "y"}, BLOCKS, {"country": "BA", "platform": "z"}),
    # Before a block is confirmed, an outage is ruled out: a forged answer is none.
    (
        "PlatformOutageElsewhere",
        {"platform": "w"},
        ("PlatformBlockConfirmed",),
        {"country": "BJ", "platform": "w"},
    ),
    ("CountryShutdownSuspected", {"country": "BB"}, BLOCKS, {"country": "BC", "platform": "q1"}),
    # A vantage that is lost says nothing against what the others of the country see.
    (
        "VantageSilent",
        {"country": "BD", "vantage": "v"},
        BLOCKS,
        {"country": "BD", "platform": "q2"},
    ),
    (
        "VantageUplinkDown",
        {"country": "BE", "vantage": "v"},
        BLOCKS,
        {"country": "BE", "platform": "q3"},
    ),
    (
        "PlatformBlockConfirmed",
        {"country": "BF", "platform": "q4"},
        ("PlatformBlockSuspected",),
        {"country": "BF", "platform": "q5"},
    ),
    (
        "PlatformBlockSuspected",
        {"country": "BG", "platform": "q6"},
        ("PlatformBlockConfirmed",),
        {"country": "BG", "platform": "q6"},
    ),
    ("CountryUnseen", {"country": "BI"}, ("VantageSilent",), {"country": "BI", "vantage": "v"}),
    # Another collector that answers has troubles of its own.
    (
        "MonitorDown",
        {"job": "shutwatch", "instance": "c"},
        ("CycleStalled", "NotificationsFailing"),
        {"job": "shutwatch", "instance": "d"},
    ),
    ("MonitorDown", {"job": "shutwatch", "instance": "e"}, ("NoAnalysisLeader",), {}),
]
"""The same for targets that it must not inhibit."""


def test_what_explains_a_block_silences_it_and_nothing_else_does(
    server: AlertmanagerServer,
) -> None:
    """Each inhibition, and for each a similar case that must not be inhibited."""
    posted, expected = [], {}
    for cases, state in ((SILENCED, "suppressed"), (HEARD, "active")):
        for source, labels, targets, target_labels in cases:
            posted.append(_live(other(f"Shutwatch{source}", source, "", **labels)))
            for target in targets:
                apart = _apart(target, target_labels, labels) if targets is BLOCKS else {}
                named = target_labels | apart
                one = _live(other(f"Shutwatch{target}", target, "", **named))
                posted.append(one)
                expected[_key(one["labels"])] = state
    server.post(posted)

    def states() -> dict[str, str]:
        held = {_key(alert["labels"]): alert["status"]["state"] for alert in server.states()}
        return {key: held.get(key, "missing") for key in expected}

    server.eventually(lambda: states() == expected or "missing" not in states().values())
    server.eventually(lambda: states() == expected, 20)


def _key(labels: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(labels.items()))


def _apart(target: str, labels: dict[str, str], source: dict[str, str]) -> dict[str, str]:
    """Labels that distinguish blocks, so that a confirmed one does not inhibit the others."""
    free = "platform" if "platform" not in source else "country"
    return {free: f"{labels[free]}-{target}"}


def test_the_trial_of_the_page_reaches_the_newsroom(server: AlertmanagerServer) -> None:
    """The command that docs/alerts.md gives, as it stands, but for the server's address."""
    (command,) = [line for _, program, line in command_lines() if program == "amtool"]
    words = shlex.split(command.replace("127.0.0.1:9093", server.address))
    done = amtool(*words[1:])
    assert done.returncode == 0, done.stderr
    server.eventually(lambda: [mail for mail in server.mails() if "Nowhere" in mail["subject"]])


def test_nothing_went_wrong(server: AlertmanagerServer) -> None:
    """Alertmanager logged no warning: no template failed, no message was refused."""
    assert server.log() == ""
