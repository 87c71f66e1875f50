"""One function of a platform blocked and the rest left alone, under a running monitor.

One country per story, so that the monitor makes one event of each.
"""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.running import PORT, Monitor, Scrape, exported, running, wait_for
from tests.e2e.watching import HASTY
from tests.scenarios.story import UNHURRIED, write_config
from tests.scenarios.test_functions import BLOCKS, networks

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

NAMED = {
    "youtube-video": "video",
    "whatsapp-media": "media",
    "facebook-pictures": "pictures",
    "messenger-calls": "calls",
    "telegram-dc2-4": "chat:dc2 chat:dc4 media:dc2",
}
"""Network → the column `functions` of its event."""
PHRASES = {
    "youtube-video": "videos",
    "whatsapp-media": "pictures and videos",
    "facebook-pictures": "pictures",
    "messenger-calls": "calls",
    "telegram-dc2-4": "messages (dc2)",
}
"""Network → how the page names the function."""
SOON = {"youtube": "video", "whatsapp": "media", "facebook": "pictures"}
"""Platform → functions of its event, where the evidence is conclusive. What is weaker, or may be
an ordinary fault of one function that lasts, needs an hour or two."""
SAMPLE = [name for name in NAMED if name != "whatsapp-media"]
"""For CI: WhatsApp has two fifths of all endpoints, and its story is that of YouTube's videos."""


def _named(monitor: Monitor, stories: Sequence[str]) -> dict[str, str]:
    """Network → the blocked functions and groups that metrics name."""
    now: Scrape = monitor.scrape()
    named = {}
    for network in stories:
        platform = BLOCKS[network][0]
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


def _confirmed(config: Path) -> dict[str, str]:
    """Platform → the column `functions` of its confirmed event."""
    rows = exported(config, "events")
    return {row["platform"]: row["functions"] for row in rows if row["state"] == "confirmed"}


@pytest.mark.parametrize(
    "stories", [SAMPLE, pytest.param(list(NAMED), marks=pytest.mark.soak)], ids=["sample", "all"]
)
def test_the_running_monitor_names_the_function_everywhere(stories: list[str]) -> None:
    """Metrics, page and CSV files each say which function, and which group; no event is made of
    anything else."""
    named = {name: NAMED[name] for name in stories}
    platforms = sorted({BLOCKS[name][0] for name in stories})
    probe = {**UNHURRIED, "quic_share": 1.0}
    with ExitStack() as stack:
        lab = stack.enter_context(networks(stories))
        config = write_config(lab, platforms=platforms, interval="8s", probe=probe, extra=HASTY)
        monitor = stack.enter_context(running(lab, config))
        wait_for(
            lambda: set(monitor.platform_states("telegram-dc2-4").values()) == {"ok"},
            "a quiet start",
            60,
        )
        rules = [BLOCKS[name][2](lab.network(name)) for name in stories]
        wait_for(lambda: _named(monitor, stories) == named, "the functions in metrics", 90)
        page = re.sub(r"</?bdi[^>]*>", "", str(lab.get(PORT, "/").get("body", "")))
        for name in stories:
            assert PHRASES[name] in page
        soon = {platform: SOON[platform] for platform in platforms if platform in SOON}
        wait_for(lambda: _confirmed(config) == soon, "the events", 150)
        blocked = {
            (row["vantage"], row["function"])
            for row in exported(config, "verdicts")
            if row["state"] == "blocked"
        }
        assert blocked >= {(name, one.split(":")[0]) for name, one in named.items()}
        for rule in rules:
            rule.lift()
