"""One function of a platform blocked and the rest left alone, under a running monitor.

One country per story, so that the monitor makes one event of each.
"""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import PORT, Monitor, Scrape, running, wait_for
from tests.e2e.watching import HASTY
from tests.lab.lab import Lab
from tests.scenarios.story import UNHURRIED, write_config
from tests.scenarios.test_functions import BLOCKS, PLATFORMS, networks

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

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


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A network for each story, and one that is open."""
    with networks() as lab:
        yield lab


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
