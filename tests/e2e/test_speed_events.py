"""YouTube's video slowed down or frozen: what event it is under a running monitor, and when.

One country for each story, so that each makes an event of its own. The monitor measures every
20 s, and every object at least once in three cycles. It may err so often that the first cycle that
accuses suspects, and the second confirms. At 16 kbit/s a handshake gets the time it needs only with
the shipped interval, so that network's cycles are measured by themselves.

With the shipped settings repeated verdicts weigh less, as congestion lasts for hours too. On one
network, after the start of the throttling, come

    the first verdict    64 kbit/s and the freeze: within 66 min and a cycle, by the clock;
                         16 kbit/s: in the next cycle, since its handshake comes late
    suspected            10 cycles (50 min) later
    confirmed            22 cycles (110 min) after the first verdict
"""

import asyncio
import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from monitor.analysis.events.event import EventState
from monitor.analysis.throttling.transfer_facts import ROUNDS_NEEDED
from monitor.analysis.verdict import Evidence, PlatformVerdict, State
from monitor.measuring.transfers import NEXT_DUE
from storage.open_store import open_store
from storage.values.selection import Selection
from tests.e2e.running import Monitor, running, wait_for
from tests.e2e.watching import HASTY
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.rounds import SETTINGS, SLOW_CYCLE, Rounds, told
from tests.scenarios.story import write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

VIDEO = [".googlevideo.com"]
COUNTRIES = {"64k": "BR", "frozen": "IR", "open": "PK"}
SLOWED: dict[str, Callable[[Network], object]] = {
    "64k": lambda network: network.throttle(kbit=64, sni=VIDEO),
    "frozen": lambda network: network.stall(after=16 * 1024, sni=VIDEO),
}
METHODS = {"64k": "throttling.rate", "frozen": "throttling.stall throttling.stall_16k"}
SPEED = '[throttling]\nevery = "40s"\ndeadline = "5s"\nobject_bytes = "64KiB"'
"""So that the first come within 10 s."""
PROBE = {"tls_timeout": "10s", "http_timeout": "10s", "retry_pause": "0.1s", "rate": 100}
INTERVAL = 20.0
LATEST = (8, 10)
"""Intervals until suspected and confirmed, at most. Where nothing else is under way it takes two
and three: three rounds of transfers make the first verdict, and one renews it."""
UNTROUBLED = {State.OK, State.INSUFFICIENT}
MINUTE, HOUR = 60.0, 3600.0
BY_CLOCK = 1.1 * HOUR
"""Longest time between two measurements of an object with the shipped settings."""
PATIENT = {
    **{f"{layer}_timeout": "10s" for layer in ("tcp", "tls", "http")},
    "dns_timeout": "4s",
    "dns_window": "1s",
    "retry_pause": "2s",
    "rate": 60,
}
"""As shipped; all else would end a handshake before it comes."""
Row = dict[str, str]


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the stories."""

    since: datetime
    """When it began, UTC."""
    events: dict[str, Row]
    """By network, as exported."""
    log: list[dict[str, Any]]
    verdicts: dict[str, list[PlatformVerdict]]
    """By network, oldest first."""

    def delay(self, network: str, column: str) -> float:
        """Seconds from the start of the throttling until then."""
        return (datetime.fromisoformat(self.events[network][column]) - self.since).total_seconds()

    def until(self, network: str, change: str) -> list[dict[str, Any]]:
        """What was logged before the network's event changed so."""
        country = COUNTRIES[network]
        return self.log[
            : next(
                number
                for number, line in enumerate(self.log)
                if (line.get("event"), line.get("country"), line.get("change"))
                == ("event", country, change)
            )
        ]


@pytest.fixture(scope="module")
def watched() -> Watched:
    """All networks under one monitor, until three events are confirmed."""
    networks = [
        LabNetwork(name, asn=64500 + number, country=country)
        for number, (name, country) in enumerate(COUNTRIES.items())
    ]
    with Lab(networks, controls=1) as lab:
        config = write_config(
            lab,
            interval=f"{INTERVAL:.0f}s",
            platforms=["youtube"],
            probe=PROBE,
            extra=f"{HASTY}\n{SPEED}",
        )
        config.write_text(f'jitter = "0s"\n{config.read_text()}')
        with running(lab, config) as monitor:
            wait_for(lambda: _calm(monitor), "calm", 60)
            since = datetime.now(UTC)
            for name, apply in SLOWED.items():
                apply(lab.network(name))
            slowed = {COUNTRIES[name] for name in SLOWED}
            wait_for(lambda: _confirmed(monitor) == slowed, "two events", 240)
            log = list(monitor.log)
        argv = ["shutwatch", "export", "csv", "events", "--config", str(config), "-o", "-"]
        rows = list(csv.DictReader(io.StringIO(lab.run(argv, check=True).stdout)))
        verdicts = asyncio.run(_verdicts(f"sqlite:///{lab.directory / 'shutwatch.db'}"))
    names = {country: name for name, country in COUNTRIES.items()}
    assert len({row["country"] for row in rows}) == len(rows)
    return Watched(
        since=since,
        events={names[row["country"]]: row for row in rows},
        log=log,
        verdicts={name: [v for v in verdicts if v.vantage == name] for name in COUNTRIES},
    )


def _calm(monitor: Monitor) -> bool:
    now = monitor.scrape()
    return all(now.platform_states(name) == {"youtube": "ok"} for name in COUNTRIES)


def _confirmed(monitor: Monitor) -> set[str]:
    return {line["country"] for line in monitor.said("event", change="confirmed")}


async def _verdicts(database: str) -> list[PlatformVerdict]:
    store = open_store(database)
    await store.open()
    try:
        return [one async for page in store.platforms(Selection()) for one in page]
    finally:
        await store.close()


@pytest.mark.parametrize("network", SLOWED)
def test_slowed_video_is_an_event(watched: Watched, network: str) -> None:
    """A block of the function, by the method: suspected by the first cycle that accuses, with its
    three rounds of transfers, and confirmed by the one round of the second."""
    event = watched.events[network]
    assert (event["kind"], event["state"]) == ("block", "confirmed")
    assert (event["platform"], event["functions"]) == ("youtube", "video")
    assert (event["methods"], event["scope"]) == (METHODS[network], "full")
    assert watched.delay(network, "onset_latest") > 0
    for change, readings in (("opened", 1), ("confirmed", 2)):
        accusing = [
            one["rounds"]
            for one in watched.until(network, change)
            if (one.get("event"), one.get("vantage")) == ("speed measured", network)
            and one["rule"] == METHODS[network].split(" ")[0]
        ]
        assert len(accusing) == readings
        assert min(accusing) >= ROUNDS_NEEDED
    assert 0 < watched.delay(network, "detected_at") <= LATEST[0] * INTERVAL
    assert watched.delay(network, "confirmed_at") <= LATEST[1] * INTERVAL


def test_nobody_else_is_accused(watched: Watched) -> None:
    """The undisturbed network beside them has no event, and all else of YouTube works."""
    assert set(watched.events) == set(SLOWED)
    assert {one.state for one in watched.verdicts["open"]} <= UNTROUBLED
    for name in SLOWED:
        troubled = {
            function.function
            for one in watched.verdicts[name]
            for function in one.functions
            if function.state not in UNTROUBLED
        }
        assert troubled == {"video"}


@pytest.mark.parametrize("network", SLOWED)
def test_with_the_shipped_settings(watched: Watched, network: str) -> None:
    """The first cycle that accuses begins the longest time between two measurements, and a cycle,
    after the start: suspected 50 minutes after it ended, and confirmed after 110."""
    verdicts = watched.verdicts[network]
    hit = next(one for one in verdicts if one.state is State.THROTTLED)
    _is_confirmed_in_time(verdicts[0], [hit], BY_CLOCK + SETTINGS.interval)


@pytest.mark.soak
def test_16k_with_the_shipped_settings() -> None:
    """The first cycle after the start accuses, since the handshake came late, or not at all until
    it was given time. It still ends before the next is due."""
    with Lab([LabNetwork("16k", asn=64500, country="KE")], controls=1) as lab:
        config = write_config(lab, interval="5m", platforms=["youtube"], probe=PATIENT)
        with Rounds(lab, config) as monitor:
            calm = monitor.cycle().on("16k", "youtube")
            with lab.network("16k").throttle(kbit=16, sni=VIDEO) as rule:
                hit = monitor.cycle().on("16k", "youtube")
                assert rule.hits
    assert (hit.method, hit.sub_method) == ("throttling", "rate")
    _is_confirmed_in_time(calm, [hit], SETTINGS.interval)


def _is_confirmed_in_time(calm: PlatformVerdict, hit: list[PlatformVerdict], first: float) -> None:
    assert calm.state is State.OK
    assert {(one.state, one.evidence) for one in hit} == {(State.THROTTLED, Evidence.STRONG)}
    vantage = calm.vantage
    lasted = max((one.judged_at - one.started_at).total_seconds() for one in hit)
    assert lasted < NEXT_DUE * SETTINGS.interval
    seen = told(
        *({vantage: calm}, {vantage: hit}),
        phases={vantage: first},
        hours=5.0,
        cycle=max(SLOW_CYCLE, lasted),
    )
    assert seen.event is not None
    assert seen.event.state is EventState.CONFIRMED
    assert seen.event.functions == ("video",)
    assert seen.suspected is not None
    assert seen.suspected <= first + 55 * MINUTE
    assert seen.confirmed is not None
    assert seen.confirmed <= first + 115 * MINUTE
