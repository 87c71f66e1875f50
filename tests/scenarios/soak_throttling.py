"""Speed on bad lines: what is slowed down on purpose, and what is merely slow.

Two kinds of noise. On a fair line (one frame in a thousand lost each way, 20 ms round trips) every
way to throttle has to be told apart. On a bad one (ten in a hundred, 300 ms) TCP itself gets less
than a megabit, so a throttle to that much changes nothing; and nothing honest may ever be accused.
"""

from collections.abc import Callable, Sequence

import msgspec

from tests.lab.hosts import Page, web_page
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.soak import Said, counted, look, said, table
from tests.scenarios.test_throttling import EVERYTHING, STALL

NOISE = {"fair": (0.001, 0.02), "bad": (0.1, 0.3)}
"""Loss each way and round trip in seconds."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way to be slow, and what is to be said of it."""

    name: str
    noise: str
    apply: Callable[[Network], object]
    sub_method: str
    """Empty where nobody may be accused."""


def _way(
    name: str, apply: Callable[[Network], object], sub_method: str = "", bad: str = ""
) -> tuple[Way, Way]:
    return (
        Way(name=name, noise="fair", apply=apply, sub_method=sub_method),
        Way(name=name, noise="bad", apply=apply, sub_method=bad),
    )


_X = ["x.com"]
WAYS: dict[str, Way] = {
    f"{way.name}-{way.noise}": way
    for pair in (
        _way("shaped-128k", lambda n: n.throttle(kbit=128, sni=_X), "rate", "rate"),
        _way("shaped-1m", lambda n: n.throttle(kbit=1000, sni=_X), "rate"),
        _way("policed-128k", lambda n: n.throttle(kbit=128, sni=_X, how="police"), "rate", "rate"),
        _way("stalled", lambda n: n.stall(after=STALL, sni=_X), "stall", "stall"),
        _way("slow-uplink", lambda n: n.throttle(kbit=600, address=EVERYTHING)),
        _way("slow-servers", lambda n: n.throttle(kbit=600, address=_X)),
        _way("open", lambda _: None),
    )
    for way in pair
}


def make() -> Lab:
    """A lab with a network per way and noise."""
    networks = [LabNetwork(name, asn=64500 + i, country="PK") for i, name in enumerate(WAYS)]
    return Lab(networks, controls=1)


class Run(msgspec.Struct, frozen=True):
    """What one cycle said of one way."""

    platform: Said
    sub_method: str


Runs = dict[int, dict[str, Run]]
"""Seed → network → what was said."""


def cycle(lab: Lab, seed: int) -> dict[str, Run]:
    """One cycle with transfers from every network."""
    for host in ("x.com", "www.wikipedia.org"):
        lab.internet.page(host, Page(body=web_page(f"{host} start page", 200 * 1024)))
    for number, network in enumerate(lab.networks):
        way = WAYS[network.name]
        loss, rtt = NOISE[way.noise]
        network.impair(loss=loss, rtt=rtt, near=True, seed=1000 * seed + number)
        way.apply(network)
    story = look(lab, platforms=["x"], transfers=True)
    return {name: _run(name, story.lines) for name in WAYS}


def _run(name: str, lines: Sequence[dict[str, object]]) -> Run:
    mine = [line for line in lines if line["vantage"] == name]
    (platform,) = (line for line in mine if line["kind"] == "platform")
    return Run(platform=said(platform), sub_method=str(platform["sub_method"]))


def right(way: Way, run: Run) -> bool:
    """Throttled in the way meant, or, where nobody slows anything down, not accused at all."""
    if way.sub_method:
        found = (run.platform.state, run.platform.method, run.sub_method)
        return found == ("throttled", "throttling", way.sub_method)
    return run.platform.state not in ("throttled", "blocked", "partial", "degraded")


def missed(runs: Runs) -> dict[str, list[int]]:
    """Way → the seeds for which the answer was not right."""
    return {
        name: [seed for seed, found in runs.items() if not right(way, found[name])]
        for name, way in WAYS.items()
    }


def report(runs: Runs) -> str:
    """A row per way and noise."""
    rows = []
    for name, way in WAYS.items():
        mine = {seed: found[name] for seed, found in runs.items()}
        good = [run for run in mine.values() if right(way, run)]
        wrong: dict[str, list[int]] = {}
        for seed, run in mine.items():
            if not right(way, run):
                wrong.setdefault(str(run.platform), []).append(seed)
        rows.append(
            (
                way.name,
                way.noise,
                f"throttled, {way.sub_method}" if way.sub_method else "nobody accused",
                f"{len(good)} of {len(mine)}",
                counted(wrong),
            )
        )
    return table(("way", "line", "answer", "right", "otherwise"), rows)
