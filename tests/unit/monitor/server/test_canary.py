"""Canaries: names of vantages, of their agents and of the hosts they use, which must not be in one
byte that the public gets, whatever happens.

The attack: somebody with the network's flow logs, or the power to visit people, reads everything a
public server answers, the messages people are sent, and the reports they publish.
"""

import asyncio
import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import cycle as in_turn
from itertools import repeat
from pathlib import Path

import pytest
from msgspec.structs import replace
from starlette.applications import Starlette

from monitor.analysis.events.control_differs import DifferingControl
from monitor.analysis.events.event import EventKind, EventLogEntry
from monitor.analysis.verdict import Evidence, State, VantageState, Verdict
from monitor.config.load import default_settings
from monitor.config.settings import ServerSettings
from monitor.metrics.scrapes import create_registry
from monitor.notify.body import NoticeContent
from monitor.notify.message import message, section
from monitor.notify.names_without_markup import message_words
from monitor.notify.notice_kinds import NoticeKind
from monitor.recording.recorder import Recorder
from monitor.report.build import build
from monitor.report.findings import Wanted
from monitor.server import create_app
from monitor.server.access import Access
from monitor.server.api.resources import RESOURCES
from monitor.server.runbook_pages import names as runbooks
from monitor.wording.languages import BY_CODE
from probes.measurement import DnsObservation, EgressObservation, Measurement
from probes.vantage import Egress, EgressKind, Resolver, VantagePoint, VantageRole
from storage.values.cycle import Cycle
from tests.contract.listing import EVERYTHING, flat
from tests.prometheus import world
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore
from tests.worlds.report_world import KEY

PROXY = Egress(
    kind=EgressKind.SOCKS5,
    proxy_host="proxy-canary.example",
    proxy_port=1080,
    username="user-canary",
    password="password-canary",  # noqa: S106 - what a test looks for
)
RESOLVER = Resolver(address="198.51.100.253")
PK = [
    world.vantage("canary-khi", "PK", 17557, "PTCL", resolver=RESOLVER),
    world.vantage("canary-lhe", "PK", 23674, "Nayatel", egress=PROXY),
    world.vantage("canary-isb", "PK", 45669, "Jazz"),
    world.vantage("canary-pew", "PK", 45669, "Jazz"),
    world.vantage("canary-uet", "PK", 59257, "Zong"),
]
KE = [
    world.vantage("canary-nbo", "KE", 33771, "Safaricom"),
    world.vantage("canary-mba", "KE", 36926, ""),
]
CONTROL = [world.vantage("canary-ams", "NL", 1103, "SURF", VantageRole.CONTROL)]
EVERYBODY = [*PK, *KE, *CONTROL]
CANARIES = ("canary", "198.51.100.253")
ONE_VANTAGE = (EventKind.VANTAGE_SILENT, EventKind.CONTROL_DIFFERS)
"""Kinds of events that are about one vantage."""
START = world.NOW
STEP = timedelta(minutes=5)
RESET, DOWN = world.TLS_RESET, (State.DOWN, "", "")


def _cycle(
    point: VantagePoint, number: int, state: VantageState, **accused: world.Accusation
) -> Cycle:
    """One cycle, with ids as they are made up for real: with the name of the host in them."""
    at = START + number * STEP + timedelta(seconds=EVERYBODY.index(point), microseconds=123457)
    well = state is VantageState.OK
    platforms = ("x", "facebook") if well else ()
    looks = []
    for name in platforms:
        made = world.look(point, name, accused.get(name, world.OK))
        first = made.observations[0]
        assert isinstance(first, DnsObservation)
        asked = replace(first, resolver="198.51.100.253:53", duration=0.0234567)
        proxied = EgressObservation(start=0, duration=0.0123456)
        looks.append(
            replace(
                made,
                id=f"{point.id}-{name}-{number}",
                cycle=f"cycle-{point.id}-{number}",
                started_at=at - timedelta(seconds=20),
                duration=1.2345678,
                observations=(proxied, asked, *made.observations[1:]),
            )
        )
    made_cycle = world.cycle(
        point,
        platforms,
        {name: accused[name] for name in platforms if name in accused},
        at=at,
        state=world.health(point, at, state),
        measurements=tuple(looks),
    )
    id_ = f"cycle-{point.id}-{number}"
    return replace(
        made_cycle,
        id=id_,
        verdicts=tuple(_verdict(look, at, accused.get(look.platform, world.OK)) for look in looks),
        platforms=tuple(
            replace(
                one,
                cycle=id_,
                measurement=f"{point.id}-{one.platform}-{number}",
                evidence=Evidence.CONCLUSIVE if one.method else Evidence.NONE,
            )
            for one in made_cycle.platforms
        ),
    )


def _verdict(look: Measurement, at: datetime, accusation: world.Accusation) -> Verdict:
    state, method, sub_method = accusation
    return Verdict(
        measurement=look.id,
        controls=(look.id.replace(look.vantage, "canary-ams"),),
        cycle=look.cycle,
        vantage=look.vantage,
        country=look.country,
        asn=look.asn,
        network=look.network,
        vantage_role=look.vantage_role,
        platform=look.platform,
        function=look.function,
        endpoint=look.endpoint,
        state=state,
        method=method,
        sub_method=sub_method,
        rule_id="tls.reset",
        evidence=Evidence.CONCLUSIVE if method else Evidence.NONE,
        judged_at=at,
        measured_at=look.started_at,
        measured_until=look.started_at + timedelta(seconds=1.234567),
        rules_version="test",
    )


def _round(number: int, lost: Sequence[VantagePoint], state: VantageState) -> list[Cycle]:
    blocked = {"x": RESET} if 3 <= number <= 9 else {}
    down = {"facebook": DOWN} if 12 <= number <= 15 else {}
    return [
        _cycle(
            point,
            number,
            state if point in lost else VantageState.OK,
            **(blocked if point in PK else {}),
            **(down if point.role is VantageRole.FIELD else {}),
        )
        for point in EVERYBODY
    ]


def _differing() -> DifferingControl:
    (control,) = CONTROL
    return DifferingControl(
        vantage=control.id,
        country=control.country,
        asn=control.asn,
        network=control.network,
        different=("https://x.com/",),
    )


OFFLINE, CUT, OK = VantageState.OFFLINE, VantageState.INTERNATIONAL_CUT, VantageState.OK
STORY = {
    **dict.fromkeys(range(18, 21), (PK[:4], OFFLINE)),
    **dict.fromkeys(range(21, 24), (PK, OFFLINE)),
    **dict.fromkeys(range(26, 30), (KE, CUT)),
    **dict.fromkeys(range(32, 36), (PK[:1], OFFLINE)),
    **dict.fromkeys(range(38, 43), (EVERYBODY, OFFLINE)),
    **dict.fromkeys(range(45, 49), (KE, VantageState.ALLOWLIST)),
}
"""Cycle → who is lost, and how. Before that X is blocked in Pakistan, and Facebook is down."""
DIFFERS = range(24, 26)
"""Cycles in which the control says what no other control says."""
LAST = 49


class World:
    """A monitor through which all of the story went."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.at = START
        self.publisher = world.publisher(EVERYBODY, ("x", "facebook"), self.now)
        self.live: dict[str, str] = {}

    def now(self) -> datetime:
        """The time in the story."""
        return self.at

    def app(self) -> Starlette:
        """The server, public."""
        access = Access(ServerSettings(public=True))
        registry = create_registry(self.publisher)
        return create_app(self.publisher, registry, access=access, store=self.store)

    def client(self) -> httpx.AsyncClient:
        """Anybody."""
        transport = httpx.ASGITransport(app=self.app(), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://monitor")


async def _lived() -> World:
    """The world after the story; of each cycle it keeps what the page showed."""
    made = World()
    await made.store.open()
    settings = replace(default_settings(), vantages=tuple(EVERYBODY))
    recorder = Recorder(settings, made.store, made.publisher, now=made.now)
    async with made.client() as anybody:
        for number in range(LAST):
            lost, state = STORY.get(number, ([], OK))
            made.at = START + number * STEP + timedelta(seconds=30)
            if number in DIFFERS:
                await recorder.note_controls([_differing()])
            for cycle in _round(number, lost, state):
                await recorder.record(cycle)
            made.live[f"cycle {number}: /"] = (await anybody.get("/")).text
    return made


@pytest.fixture(scope="module")
def told() -> World:
    """The story, lived through once; no test may add to it."""
    return asyncio.run(_lived())


@pytest.fixture(scope="module")
def in_english(told: World) -> dict[str, str]:
    """Every public answer to somebody who reads English, headers included, by its path."""

    async def asked() -> dict[str, str]:
        return await _answers(told, await _paths(told), repeat("en"))

    return asyncio.run(asked())


async def _answers(told: World, paths: Sequence[str], languages: Iterator[str]) -> dict[str, str]:
    found = {}
    async with told.client() as anybody:
        for path, language in zip(paths, languages, strict=False):
            answer = await anybody.get(path, headers={"accept-language": language})
            found[path] = f"{answer.headers!r}\n{answer.text}"
    return found


async def _log(told: World) -> list[EventLogEntry]:
    found = []
    for event in await flat(told.store.events(EVERYTHING)):
        found += await flat(told.store.event_log(event.id))
    return found


async def _paths(told: World) -> list[str]:
    events = await flat(told.store.events(EVERYTHING))
    # What volunteers see is never among our own events.
    assert {event.kind for event in events} == set(EventKind) - {EventKind.SEEN_BY_VOLUNTEERS}
    api = [f"/api/v1/{one.name}{end}" for one in RESOURCES for end in ("", ".csv")]
    ids = [event.id for event in events]
    return [
        *("/", "/?live=1", "/events", "/events?days=365", "/events?country=XX", "/vantages"),
        "/sources",
        "/cards/PK",
        "/badges/PK.svg",
        "/badges/PK/x.svg",
        "/countries/PK?by=network&span=week",
        "/feed.atom?days=365",
        "/feed.json?days=365",
        *("/countries/PK", "/countries/KE", "/countries/canary-khi", "/metrics", "/icon.svg"),
        *("/-/ready", "/-/healthy", "/-/reload", "/nowhere", "/events/", "/api/v1/openapi.json"),
        *(f"/runbooks/{name}" for name in runbooks()),
        *api,
        *(f"{path}?limit=1" for path in api if not path.endswith(".csv")),
        *(f"{path}?vantage=canar" for path in api),
        *(f"{path}?country=P&platform=y&asn=1755" for path in api),
        *(f"{path}?since=2027-01-01" for path in api),
        *(f"/events/{id_}" for id_ in ids),
        *(f"/api/v1/{one.name}?event={id_}" for one in RESOURCES for id_ in ids),
    ]


def _assert_free(name: str, text: str) -> None:
    for canary in CANARIES:
        found = re.findall(f".{{0,80}}{re.escape(canary)}.{{0,40}}", text)
        assert not found, f"{name}: {found}"


async def test_no_public_response_names_a_vantage(told: World, in_english: dict[str, str]) -> None:
    """Pages in English and by turns in every other language, every file and page of the API, errors
    and refusals, headers included, after a block, an outage, a shutdown, a cut, a silent vantage
    and a fault of the instrument; and the front page while each of them lasted."""
    for name, text in told.live.items():
        _assert_free(name, text)
    others = in_turn(code for code in BY_CODE if code != "en")
    pages = [path for path in in_english if not path.startswith("/api")]
    for answers in (in_english, await _answers(told, pages, others)):
        for path, text in answers.items():
            sent = text
            if "canar" in path:
                sent = text.replace(path.rpartition("=")[2].rpartition("/")[2], "")
            _assert_free(path, sent)


async def test_attack_no_public_page_has_the_second_of_a_cycle(
    told: World, in_english: dict[str, str]
) -> None:
    """The log on an event's page named a network and, in the markup, the second in which a vantage
    there ended its cycle: a provider finds that in its flow logs."""
    seconds = re.compile(r"[0-9]{2}:[0-9]{2}:(?!00)[0-9]{2}|T[0-9:]+\.0*[1-9]")
    made_now = told.now().strftime("%H:%M:%S")
    logs = 0
    for path, text in in_english.items():
        logs += '<ol class="log">' in text
        assert set(seconds.findall(text)) <= {made_now}, path
    assert logs > 3


async def test_an_event_of_one_vantage_is_for_operators(told: World) -> None:
    """That a network's only vantage is silent, or a control differs, is in no list, no file and on
    no page."""
    events = await flat(told.store.events(EVERYTHING))
    for kind in ONE_VANTAGE:
        await _is_for_operators(told, next(one.id for one in events if one.kind is kind))


async def _is_for_operators(told: World, silent: str) -> None:
    async with told.client() as anybody:
        for path in ("events", "events.csv", "stretches", "stretches.csv"):
            text = (await anybody.get(f"/api/v1/{path}")).text
            assert silent not in text
            assert "shutdown" in text
            answer = await anybody.get(f"/api/v1/{path}?event={silent}")
            assert answer.status_code == 404
        assert (await anybody.get(f"/events/{silent}")).status_code == 404


async def test_no_message_names_a_vantage(told: World) -> None:
    """A message about any line of any event's log, of the kind `spread` too; only what is about one
    vantage names it, for routes that ask for that kind."""
    lines = [one for one in await _log(told) if one.snapshot.kind not in ONE_VANTAGE]
    assert any(one.change == "network_affected" for one in lines)
    for language in BY_CODE:
        words = message_words(language)
        for line in lines:
            for occasion in NoticeKind:
                content = NoticeContent(occasion=occasion, entry=line, meanwhile=(line, line))
                made = message(words, [section(words, content, world.TITLES, world.PUBLIC_URL)])
                _assert_free(f"{line.change} as {occasion}", f"{made.title}\n{made.body}")


async def test_a_spreading_shutdown_names_the_new_network(told: World) -> None:
    """The message says which network was lost too, instead of which vantages."""
    shutdowns = [one for one in await _log(told) if one.snapshot.kind is EventKind.SHUTDOWN]
    opened, *_ = shutdowns
    assert opened.detail == "AS17557 PTCL, AS23674 Nayatel, AS45669 Jazz"
    (spread,) = [one for one in shutdowns if one.change == "network_affected"]
    assert spread.detail == "AS59257 Zong"


async def test_no_report_names_a_vantage(told: World, tmp_path: Path) -> None:
    """Not one file of a report, however it is packed."""
    wanted = Wanted(
        country="PK",
        platform="x",
        since=START - timedelta(hours=1),
        until=START + timedelta(hours=6),
        all_measurements=True,
    )
    file = tmp_path / "report.zip"
    await build(told.store, wanted, file, KEY, title="X", interval=300.0, generated_at=told.now())
    with zipfile.ZipFile(file) as report:
        for name in report.namelist():
            text = report.read(name).decode("latin-1")
            # In this story alone the ids of measurements and cycles hold the vantage.
            plain = re.sub(r"(cycle-)?canary-[a-z]{3}-((x|facebook)-)?[0-9]+", "", text)
            _assert_free(name, plain)
