"""A real block in the lab, watched by the real monitor, scraped by a real Prometheus."""

import json
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from tests.e2e.running import PORT, Monitor, running, wait_for
from tests.lab.hosts import Page
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.prometheus.server import PrometheusServer

RULES = Path(__file__).parents[2] / "dashboards/prometheus/shutwatch.rules.yml"
NETWORKS = {"ptcl": 17557, "jazz": 45669, "zong": 59257}
PLATFORMS = ("x", "youtube", "tiktok")
X = ("x.com", ".x.com", "twitter.com", ".twitter.com")
TIKTOK = (
    "www.tiktok.com",
    "vm.tiktok.com",
    "api16-normal-c-useast1a.tiktokv.com",
    "api16-normal-c-useast2a.tiktokv.com",
    "api16-normal-c-alisg.tiktokv.com",
    "p16-sign-va.tiktokcdn.com",
    "v16-webapp-prime.tiktok.com",
    "v16m.tiktokcdn.com",
)

PAGE = "https://watch.example.org"
HASTY = """
[events]
false_suspected = 10
false_confirmed = 1
false_ends = 1000

[throttling]
every = "20s"
object_bytes = "64KiB"

[[notify.route]]
name = "newsroom"
urls = ["json://127.0.0.1:9/"]
gather = "1s"
"""
"""A budget of errors that lets strong evidence be believed within a few cycles, and speed measured
often, so that the story need not last for hours. Nobody takes the messages: they wait."""

ASK = """
import json, sys, urllib.request
urls = json.load(sys.stdin)
json.dump([json.load(urllib.request.urlopen(url, timeout=60)) for url in urls], sys.stdout)
"""
"""Run inside the namespace, once for many questions: entering it takes longer than an answer."""


class Stage(msgspec.Struct, frozen=True):
    """What a story is told with."""

    lab: Lab
    monitor: Monitor
    prometheus: PrometheusServer

    def event(self, platform: str = "x") -> str:
        """The state of the event about a platform; empty without one."""
        samples = self.monitor.samples("shutwatch_blocking_event_state", platform=platform)
        return next((dict(labels)["state"] for labels in samples), "")

    def circumstances(self) -> set[str]:
        """Kinds of active events that are no blocks."""
        samples = self.monitor.samples("shutwatch_circumstance_state")
        return {dict(labels)["kind"] for labels in samples}

    def states(self, platform: str) -> dict[str, str]:
        """Network → state of a platform there."""
        now = self.monitor.scrape()
        return {network: now.platform_states(network).get(platform, "") for network in NETWORKS}

    def ask(self, path: str, questions: Sequence[dict[str, object]]) -> list[Any]:
        """The results of many questions to one path of Prometheus's API; any refusal raises."""
        base = f"http://127.0.0.1:{self.prometheus.port}/api/v1/{path}?"
        urls = [base + urllib.parse.urlencode(question) for question in questions]
        done = subprocess.run(
            [*self.lab.enter, sys.executable, "-c", ASK],
            input=json.dumps(urls),
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        return [answer["data"]["result"] for answer in json.loads(done.stdout)]

    def await_calm(self) -> None:
        """Wait until everything works everywhere and nothing is thought of."""

        def calm() -> bool:
            assert self.monitor.process.poll() is None, self.monitor.log
            now = self.monitor.scrape()
            states = [now.platform_states(network) for network in NETWORKS]
            return (
                all(known.get(one) == "ok" for known in states for one in PLATFORMS)
                and not now.samples("shutwatch_blocking_event_state")
                and not now.samples("shutwatch_circumstance_state")
            )

        wait_for(calm, "calm", 400)


@contextmanager
def staged(
    interval: str = "5s",
    scrapes: str = "1s",
    pages: Mapping[str, Page] = MappingProxyType({}),
) -> Iterator[Stage]:
    """Three networks of Pakistan, two controls, the monitor and Prometheus, before the block.

    `scrapes` is the time between two scrapes, and what one may take; `pages` are what these hosts
    serve instead of their usual page.
    """
    networks = [LabNetwork(name, asn) for name, asn in NETWORKS.items()]
    with Lab(networks, controls=2) as lab:
        for host, page in pages.items():
            lab.internet.page(host, page)
        config = lab.config_file(interval=interval, platforms=PLATFORMS, extra=HASTY)
        config.write_text(f'public_url = "{PAGE}"\n{config.read_text()}')
        with (
            running(lab, config) as monitor,
            PrometheusServer(
                [f"127.0.0.1:{PORT}"], [RULES], interval=scrapes, enter=lab.enter
            ) as prometheus,
        ):
            stage = Stage(lab, monitor, prometheus)
            stage.await_calm()
            yield stage
