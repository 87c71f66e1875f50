"""One function of a platform blocked and the rest left alone, with the catalogue as shipped.

One country per story, so that the running monitor makes one event of each, and one more where
nothing is censored.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.e2e.running import PORT, Monitor, Scrape, running, wait_for
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.matrix_beyond import FUNCTIONS
from tests.scenarios.story import UNHURRIED, Seen, seen, write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]

DC2_AND_4 = ["149.154.167.0/24"]
"""Not all of either: DC 2 has another IPv4 address, and both have IPv6."""
DC2_AND_4_WHOLE = [*DC2_AND_4, "95.161.76.0/24", "2001:67c:4e8:f002::/64", "2001:67c:4e8:f004::/64"]
FBCDN = "scontent.xx.fbcdn.net"
BLOCKS: dict[str, tuple[str, str, Callable[[Network], Any]]] = {
    "youtube-video": ("youtube", "RU", lambda n: n.block(sni=[".googlevideo.com"], how="drop")),
    "whatsapp-media": ("whatsapp", "PK", lambda n: n.block(sni=["mmg.whatsapp.net"], how="drop")),
    "facebook-pictures": (
        "facebook",
        "IR",
        lambda n: n.block(sni=[FBCDN], how="reset"),
    ),
    "messenger-calls": ("messenger", "AE", lambda n: n.block(udp=[3478], how="drop")),
    "telegram-dc2-4": ("telegram", "KZ", lambda n: n.block(address=DC2_AND_4_WHOLE, how="drop")),
}
"""Network → platform, country, and what the censor does."""
WORKING: dict[str, tuple[dict[str, str], dict[str, list[str]]]] = {
    "youtube-video": ({"video": "blocked", "web": "ok", "app": "ok", "pictures": "ok"}, {}),
    "whatsapp-media": ({"media": "blocked", "chat": "ok", "web": "ok"}, {}),
    "facebook-pictures": ({"pictures": "blocked", "web": "ok", "app": "ok", "scripts": "ok"}, {}),
    "messenger-calls": ({"calls": "blocked", "chat": "ok", "web": "ok"}, {}),
    "telegram-dc2-4": (
        {"chat": "degraded", "media": "degraded", "web": "ok"},
        {"chat": ["dc2", "dc4"], "media": ["dc2"]},
    ),
}
"""Network → the states of functions, and the groups that are named."""
NAMED = {
    "youtube-video": "video",
    "whatsapp-media": "media",
    "facebook-pictures": "pictures",
    "messenger-calls": "calls",
    "telegram-dc2-4": "chat:dc2 chat:dc4 media:dc2",
}
"""Network → the column `functions` of its event."""
SOON = {"youtube": "video", "whatsapp": "media", "facebook": "pictures"}
"""Platform → functions of its event, where the evidence is conclusive. What is weaker, or may be
an ordinary fault of one function that lasts, needs an hour or two."""
PLATFORMS = sorted({platform for platform, _, _ in BLOCKS.values()})
HASTY = "[events]\nfalse_suspected = 10\nfalse_confirmed = 1\nfalse_ends = 1000"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A network for each story, and one that is open. Controls with and without a proxy."""
    networks = [
        LabNetwork(name, asn=64500 + number, country=country)
        for number, (name, (_, country, _)) in enumerate(BLOCKS.items())
    ]
    with Lab([*networks, LabNetwork("open", asn=64550)], controls=1, direct=1, quic=True) as lab:
        yield lab


@pytest.fixture(scope="module")
def cycle(lab: Lab) -> Seen:
    """One look from all networks, each with its block."""
    config = write_config(lab, platforms=PLATFORMS, probe=UNHURRIED)
    rules = [apply(lab.network(name)) for name, (_, _, apply) in BLOCKS.items()]
    done = lab.run(["shutwatch", "once", "--quic", "--config", str(config), "--json"], timeout=240)
    assert all(rule.hits for rule in rules)
    for rule in rules:
        rule.lift()
    return seen(done)


@pytest.mark.parametrize("network", BLOCKS)
def test_a_blocked_function_is_named_and_the_rest_works(cycle: Seen, network: str) -> None:
    """What people can do is lost with the hosts that serve it, whatever other hosts answer."""
    functions, groups = WORKING[network]
    answer = next(row.answer for row in FUNCTIONS if row.name == network)
    verdict = cycle.platform(network, BLOCKS[network][0])
    said = {name: verdict[name] for name in msgspec.structs.asdict(answer)}
    assert said == msgspec.structs.asdict(answer)
    assert verdict["groups"] == groups
    assert {function: verdict["functions"][function] for function in functions} == functions


@pytest.mark.parametrize("network", BLOCKS)
def test_no_other_platform_is_accused(cycle: Seen, network: str) -> None:
    """A name of one platform says nothing about another's."""
    others = cycle.states(network)
    del others[BLOCKS[network][0]]
    assert set(others.values()) == {"ok"}


def test_nothing_is_accused_where_nothing_is_censored(cycle: Seen) -> None:
    """Every function works, and of each data centre one address was asked."""
    assert set(cycle.states("open").values()) == {"ok"}
    asked = [
        line
        for line in cycle.lines
        if (line["kind"], line["vantage"], line.get("platform"), line.get("function"))
        == ("endpoint", "open", "telegram", "chat")
    ]
    assert len(asked) == 5


def test_a_data_centre_with_an_address_left_still_works(lab: Lab) -> None:
    """A part of DC 2 and DC 4 is lost, and programs try the others: ok, and the loss is named."""
    config = write_config(lab, platforms=["telegram"], probe=UNHURRIED)
    with lab.network("telegram-dc2-4").block(address=DC2_AND_4, how="drop"):
        done = lab.run(["shutwatch", "once", "--config", str(config), "--json"], timeout=240)
    story = seen(done)
    verdict = story.platform("telegram-dc2-4", "telegram")
    assert (verdict["state"], verdict["functions"]["chat"], verdict["groups"]) == ("ok", "ok", {})
    assert story.platform("open", "telegram")["state"] == "ok"


def _named(monitor: Monitor) -> dict[str, str]:
    """Network → the blocked functions and groups that metrics name."""
    now: Scrape = monitor.scrape()
    named = {}
    for network, (platform, _, _) in BLOCKS.items():
        of = {"vantage": network, "platform": platform}
        functions = [
            dict(labels)["function"]
            for labels in now.samples("shutwatch_function_state", **of, state="blocked")
        ]
        groups = [
            f"{dict(labels)['function']}:{dict(labels)['group']}"
            for labels in now.samples("shutwatch_function_group_blocked", **of)
        ]
        named[network] = " ".join(sorted(functions + groups))
    return named


def _confirmed(lab: Lab, config: Path) -> dict[str, str]:
    """Platform → the column `functions` of its confirmed event."""
    done = lab.run(
        ["shutwatch", "export", "csv", "events", "--config", str(config), "-o", "-"], check=True
    )
    rows = csv.DictReader(io.StringIO(done.stdout))
    return {row["platform"]: row["functions"] for row in rows if row["state"] == "confirmed"}


def test_the_running_monitor_names_the_function_everywhere(lab: Lab) -> None:
    """Metrics, page and CSV files each say which function, and which group; no event is made of
    anything else."""
    config = write_config(
        lab, platforms=PLATFORMS, interval="8s", probe={**UNHURRIED, "quic_share": 1.0}, extra=HASTY
    )
    with running(lab, config) as monitor:
        wait_for(
            lambda: set(monitor.platform_states("telegram-dc2-4").values()) == {"ok"},
            "a quiet start",
            60,
        )
        rules = [apply(lab.network(name)) for name, (_, _, apply) in BLOCKS.items()]
        wait_for(lambda: _named(monitor) == NAMED, "the functions in metrics", 90)
        page = re.sub(r"</?bdi[^>]*>", "", str(lab.get(PORT, "/").get("body", "")))
        for phrase in ("videos", "pictures and videos", "pictures", "calls", "messages (dc2)"):
            assert phrase in page
        wait_for(lambda: _confirmed(lab, config) == SOON, "the events", 150)
        rows = lab.run(
            ["shutwatch", "export", "csv", "verdicts", "--config", str(config), "-o", "-"],
            check=True,
        )
        blocked = {
            (row["vantage"], row["function"])
            for row in csv.DictReader(io.StringIO(rows.stdout))
            if row["state"] == "blocked"
        }
        assert blocked >= {(name, named.split(":")[0]) for name, named in NAMED.items()}
        for rule in rules:
            rule.lift()
