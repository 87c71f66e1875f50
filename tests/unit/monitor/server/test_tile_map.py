"""The map on the first page: what each square says, and that it says what the table says."""

import gzip
import re
from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from monitor.analysis.events.event import EventKind, EventState
from monitor.analysis.verdict import State
from monitor.config.settings import ServerSettings
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.server.access import Access
from monitor.server.page import STYLE, TEMPLATES
from monitor.wording.languages import BY_CODE
from monitor.wording.states import NO_DATA, STATES
from monitor.wording.tiles import EVENT, OK_IN_PART, TILES
from tests.prometheus import world
from tests.prometheus.world import TITLES, Accusation
from tests.worlds import many_countries
from tests.worlds.http_client import httpx

FOUR = ("BR", "IR", "KE", "PK")
HEAVIEST = 60_000
"""Bytes of the first page as it is sent, with sixty countries and ten platforms."""
TILE = re.compile(
    r'<a href="([^"]*)" class="is-([\w-]+)" transform="[^"]*"><title>([^<]*)</title>(.*?)'
    r"<text[^>]*>(\w\w)</text></a>"
)


async def front(publisher: Publisher, lang: str = "en", *, public: bool = False) -> str:
    """The first page."""
    access = Access(ServerSettings(public=public))
    app = create_app(publisher, create_registry(publisher), access=access)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as client:
        answer = await client.get("/", params={"lang": lang})
    assert answer.status_code == 200
    return answer.text


def tiles(text: str) -> dict[str, tuple[str, str, str]]:
    """Country → class, words, and what is drawn in its square."""
    return {code: (css, said, drawn) for _, css, said, drawn, code in TILE.findall(text)}


def reported(accused: Mapping[str, Accusation], *, networks: int = 2) -> Publisher:
    """Four countries, of which Pakistan reports this from so many of its two networks."""
    fields = many_countries.points(FOUR)
    made = world.publisher(vantages=(*fields, *world.CONTROL))
    for point in [one for one in fields if one.country == "PK"][:networks]:
        made.publish(world.cycle(point, accusations=accused), [])
    return made


@pytest.mark.parametrize(("codes", "drawn"), [(FOUR[:3], False), (FOUR, True)])
async def test_a_map_is_drawn_for_more_than_three_countries(
    codes: tuple[str, ...], drawn: bool
) -> None:
    """For three the table is the shorter one."""
    text = await front(many_countries.publisher(codes))
    assert ("Map of the countries that are watched" in text) is drawn
    assert tiles(text).keys() == (set(codes) if drawn else set())


ALL_UNDECIDED: Mapping[str, Accusation] = dict.fromkeys(TITLES, (State.INSUFFICIENT, "", ""))


@pytest.mark.parametrize(
    ("accused", "networks", "state", "said"),
    [
        ({}, 2, "ok", "Pakistan: ok 10"),
        ({}, 1, "ok-in-part", "Pakistan: ok 10"),
        ({}, 0, "no-data", "Pakistan: no data 10"),
        (ALL_UNDECIDED, 2, "insufficient", "Pakistan: not enough to tell 10"),
        (
            {"x": (State.INSUFFICIENT, "", "")},
            2,
            "ok-in-part",
            "Pakistan: ok 9, not enough to tell 1",
        ),
        ({"x": world.TLS_RESET}, 1, "blocked", "Pakistan: blocked 1, ok 9"),
        (
            {**ALL_UNDECIDED, "x": (State.DEGRADED, "tls", "reset")},
            2,
            "degraded",
            "Pakistan: degraded 1, not enough to tell 9",
        ),
        (
            {"x": (State.DOWN, "", ""), "tiktok": (State.THROTTLED, "throttling", "rate")},
            2,
            "throttled",
            "Pakistan: slowed down 1, down 1, ok 8",
        ),
    ],
)
async def test_a_square_has_the_worst_state_that_is_decided(
    accused: Mapping[str, Accusation], networks: int, state: str, said: str
) -> None:
    """It is green only where every platform was found ok on every network; what cannot be told, and
    what nobody watches, stays grey and is said."""
    found = tiles(await front(reported(accused, networks=networks)))
    assert found["PK"][:2] == (state, said)
    assert found["KE"][:2] == ("no-data", "Kenya: no data 10")


async def test_the_map_says_what_the_table_says() -> None:
    """Country by country: its states are those of the cells in its row, each as often."""
    text = await front(many_countries.publisher())
    found = tiles(text)
    rows = re.findall(r'<tr role="row">\n<th scope="row".*?countries/(\w\w).*?</tr>', text, re.S)
    bodies = re.findall(r'<tr role="row">\n<th scope="row".*?</tr>', text, re.S)
    assert set(rows) == found.keys() == set(many_countries.CODES)
    for code, body in zip(rows, bodies, strict=True):
        cells = re.findall(r'<td role="cell" class="([\w-]+)"', body)
        css, said, _ = found[code]
        assert css in cells or (css == "ok-in-part" and "ok" in cells), code
        for state, word in STATES.items():
            number = cells.count(state.replace("_", "-"))
            assert (f"{word} {number}" in re.split(", |: ", said)) is bool(number), (code, said)


@pytest.mark.parametrize("state", [one for one in TILES if one != EVENT])
async def test_every_state_has_a_colour_and_a_mark(state: str) -> None:
    """So that nobody needs the colour; where nothing is known there is a broken line and no mark,
    and what is decided in part has both."""
    name = state.replace("_", "-")
    mark = {OK_IN_PART: "ok", NO_DATA: ""}.get(state, state)
    defined = (TEMPLATES / "tile_map.html").read_text("utf-8")
    assert f".is-{name}" in STYLE or state == State.INSUFFICIENT
    assert not mark or f'id="m-{mark}"' in defined
    broken = re.search(rf"\.is-{name} \.square {{[^}}]*stroke-dasharray", STYLE)
    assert bool(broken) is (state in (NO_DATA, OK_IN_PART))
    used = {css: drawn for css, _, drawn in tiles(await front(many_countries.publisher())).values()}
    assert re.findall(r'class="mark" href="#m-([\w-]+)"', used[name]) == ([mark] if mark else [])


async def test_an_event_that_no_state_shows_has_a_mark() -> None:
    """A block that is suspected while the last tests came through is not passed over; one whose
    platform is found blocked needs no other mark."""
    text = await front(many_countries.publisher())
    found = tiles(text)
    for code in many_countries.SUSPECTED:
        assert "m-event" in found[code][2]
        assert found[code][1].endswith("event: suspected")
    assert "m-event" not in found[many_countries.CONFIRMED[0]][2]
    assert TILES[EVENT] in text


async def test_a_shutdown_has_a_mark() -> None:
    """Nothing can be told of any platform then, and that is not all there is to say. What is about
    one vantage is no event of its country."""
    fields = many_countries.points(FOUR)
    made = world.publisher(vantages=(*fields, *world.CONTROL))
    plain = world.event("PK", "", EventState.CONFIRMED)
    for kind, country in ((EventKind.SHUTDOWN, "PK"), (EventKind.VANTAGE_SILENT, "KE")):
        event = replace(plain, id=country, country=country, kind=kind)
        made.publish(world.cycle(fields[0]), [*made.snapshot.circumstances, event])
    found = tiles(await front(made))
    assert found["PK"][:2] == ("no-data", "Pakistan: no data 10, event: shutdown, confirmed")
    assert "m-event" in found["PK"][2]
    assert "m-event" not in found["KE"][2]


@pytest.mark.parametrize("lang", ["en", "ur"])
async def test_a_square_leads_to_its_country_in_the_same_language(lang: str) -> None:
    """And the drawing is described by the sentence that names the table."""
    text = await front(many_countries.publisher(FOUR), lang)
    for target, _, _, _, code in TILE.findall(text):
        assert target == f"countries/{code}?lang={lang}"
    assert 'role="group" aria-label="' in text
    assert text.count('aria-describedby="map-words"') == text.count('id="map-words"') == 1


@pytest.mark.parametrize("lang", list(BY_CODE))
async def test_the_first_page_is_light(lang: str) -> None:
    """As it is sent, to a phone on a bad line."""
    text = await front(many_countries.publisher(), lang)
    assert len(tiles(text)) == len(many_countries.CODES) == 60
    assert len(gzip.compress(text.encode())) < HEAVIEST / 3


async def test_the_public_sees_the_same_map() -> None:
    """It holds nothing finer than a country."""
    made = many_countries.publisher()
    assert tiles(await front(made, public=True)) == tiles(await front(made))
