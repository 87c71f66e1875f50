"""The pages about the present claim no more than the current verdicts decide."""

import msgspec
import pytest

from monitor.analysis.verdict import State, VantageState
from monitor.metrics.publisher import Publisher
from monitor.server.matrix import worst
from monitor.wording.languages import BY_CODE
from monitor.wording.words import words_in
from probes.vantage import VantagePoint
from storage.values.cycle import Cycle
from tests.contract.cycles import at, cycle
from tests.prometheus import world
from tests.prometheus.world import CONTROL, FIELD, NOW, TITLES
from tests.unit.monitor.server.test_pages import client, get, words_of
from tests.worlds.memory_store import MemoryStore

GREEN = 'class="headline ok"'
GREY = 'class="headline insufficient"'


def undecided(point: VantagePoint, rule: str, platforms: tuple[str, ...] = tuple(TITLES)) -> Cycle:
    """A cycle in which that rule leaves these platforms undecided."""
    made = world.cycle(point, accusations=dict.fromkeys(platforms, (State.INSUFFICIENT, "", "")))
    return msgspec.structs.replace(
        made,
        platforms=tuple(
            msgspec.structs.replace(one, rule_id=rule) if one.platform in platforms else one
            for one in made.platforms
        ),
    )


def shown(*cycles: Cycle, vantages: tuple[VantagePoint, ...] = (*FIELD, *CONTROL)) -> Publisher:
    """A publisher that knows these cycles."""
    publisher = world.publisher(vantages)
    for one in cycles:
        publisher.publish(one, [])
    return publisher


@pytest.mark.parametrize("path", ["/", "/countries/PK"])
async def test_nothing_is_green_over_cells_that_cannot_tell(path: str) -> None:
    """X fails everywhere and no control is configured: grey, and it says why."""
    cycles = [undecided(point, "control.missing") for point in FIELD]
    text = (await get(shown(*cycles, vantages=FIELD), path)).text
    assert "not enough to tell" in words_of(text)
    assert (
        "Not enough to tell: 0 of 30 verdicts decided, because no control vantage is configured"
        in words_of(text)
    )
    assert "No block" not in words_of(text)
    assert GREEN not in text
    assert GREY in text


@pytest.mark.parametrize("path", ["/", "/countries/PK"])
async def test_one_undecided_platform_is_not_passed_over(path: str) -> None:
    """All vantages work; X alone is undecided on each of the networks."""
    cycles = [undecided(point, "control.missing", ("x",)) for point in FIELD]
    text = (await get(shown(*cycles), path)).text
    said = words_of(text)
    assert "No block in the 27 verdicts that were decided, of 30, on 3 networks" in said
    assert "Undecided: 3, because no control vantage tested what failed." in said
    assert GREEN not in text


@pytest.mark.parametrize("path", ["/", "/countries/PK"])
async def test_a_country_of_offline_vantages_is_not_called_free_of_blocks(path: str) -> None:
    """Each says that it is offline."""
    cycles = [undecided(point, "vantage.offline") for point in FIELD]
    text = (await get(shown(*cycles), path)).text
    assert "0 of 30 verdicts decided, because the vantage was offline" in words_of(text)
    assert GREEN not in text


@pytest.mark.parametrize("path", ["/", "/countries/PK"])
async def test_a_country_without_results_is_called_not_watched(path: str) -> None:
    """Before the first cycle, and when every vantage has been silent for too long."""
    clock = world.Clock()
    publisher = world.publisher(now=clock)
    assert "Not watched now" in words_of((await get(publisher, path)).text)
    for point in FIELD:
        publisher.publish(world.cycle(point), [])
    text = (await get(publisher, path)).text
    assert "No block in 30 of 30 verdicts on 3 networks" in words_of(text)
    assert GREEN in text
    clock.advance(3600)
    text = (await get(publisher, path)).text
    assert "Not watched now" in words_of(text)
    assert GREEN not in text


async def test_the_country_page_speaks_of_its_own_country() -> None:
    """What is decided elsewhere does not count here."""
    abroad = world.vantage("nbo-safaricom", "KE", 33771, "Safaricom")
    decided = [world.cycle(point) for point in FIELD]
    publisher = shown(
        *decided, undecided(abroad, "vantage.lossy"), vantages=(*FIELD, abroad, *CONTROL)
    )
    assert "No block in 30 of 30 verdicts" in words_of((await get(publisher, "/countries/PK")).text)
    kenya = words_of((await get(publisher, "/countries/KE")).text)
    assert "0 of 10 verdicts decided, because lost packets may explain what failed" in kenya
    assert "No block in the 30 verdicts that were decided, of 40, on 3 of 4 networks" in words_of(
        (await get(publisher)).text
    )


async def test_a_platform_that_is_partly_blocked_is_a_sign() -> None:
    """Degraded without an event: the page neither denies nor confirms a block."""
    cycles = [
        world.cycle(point, accusations={"x": (State.DEGRADED, "tls", "reset")}) for point in FIELD
    ]
    text = (await get(shown(*cycles))).text
    assert "No event of a block, but signs of one in 3 of 30 verdicts" in words_of(text)
    assert GREEN not in text


async def test_a_vantage_in_quarantine_does_not_count() -> None:
    """It makes no event, so that it saw none proves nothing."""
    publisher = shown(*(world.cycle(point) for point in FIELD))
    publisher.mark_outliers("PK", {}, lambda vantage: vantage == FIELD[0].id)
    assert "20 of 20 verdicts on 2 networks" in words_of((await get(publisher)).text)


@pytest.mark.parametrize("path", ["/", "/countries/PK", "/platforms/x"])
async def test_what_a_vantage_in_quarantine_found_is_shown_nowhere(path: str) -> None:
    """Neither what it found blocked nor what it reached: its network has no data that counts."""
    publisher = shown(
        world.cycle(FIELD[0], accusations={"x": world.TLS_RESET}),
        *(world.cycle(point) for point in FIELD[1:]),
    )
    publisher.mark_outliers("PK", {}, lambda vantage: vantage == FIELD[0].id)
    text = (await get(publisher, path)).text
    assert 'class="blocked"' not in text
    assert "No event yet" not in text
    if path == "/countries/PK":
        assert text.count('class="no-data"') == len(TITLES)
        assert "khi-ptcl · in quarantine · last test" in words_of(text)
    else:
        assert "ok <small>2 of 3 networks</small>" in words_of(text)


@pytest.mark.parametrize("lang", list(BY_CODE))
async def test_the_languages_tell_known_from_unknown(lang: str) -> None:
    """In each language the headline of all undecided differs from that of all decided."""
    unknown = shown(*(undecided(point, "control.missing") for point in FIELD))
    clear = shown(*(world.cycle(point) for point in FIELD))
    headlines = []
    for publisher in (unknown, clear):
        text = (await get(publisher, f"/?lang={lang}")).text
        headlines.append(text.split("<h1")[1].split("</h1>")[0].split(">", 1)[1])
    assert headlines[0] != headlines[1]
    assert words_in(BY_CODE[lang]).number(30) in headlines[0]


async def test_a_lost_vantage_is_not_counted_as_measured() -> None:
    """Captive: its verdicts are undecided; silent: they are missing."""
    captive = msgspec.structs.replace(
        undecided(FIELD[0], "vantage.captive_portal"),
        health=world.health(FIELD[0], NOW, VantageState.CAPTIVE_PORTAL, 0),
    )
    said = words_of((await get(shown(captive, world.cycle(FIELD[1])))).text)
    assert "No block in the 10 verdicts that were decided, of 20, on 1 of 3 networks" in said
    assert "Undecided: 10, because a login page or filter intercepted everything." in said
    assert "About 10 more were not measured." in said


async def test_a_list_without_events_says_what_was_decided() -> None:
    """Of the time and place that is listed, from what is stored."""
    store = MemoryStore()
    await store.open()
    for number in range(3):
        await store.save(cycle(number, platforms=("x",), endpoints=1))
    clock = world.Clock(at(3600))
    async with client(world.publisher(now=clock), store) as asking:
        seen = words_of((await asking.get("/events?country=PK&days=7")).text)
        nobody = words_of((await asking.get("/events?country=BR&days=7")).text)
        of_a_state = words_of((await asking.get("/events?country=PK&state=ended")).text)
    assert "That does not prove that nothing was blocked" in of_a_state
    assert "No events in this time. No block in 3 of 3 cycles on 1 network." in seen
    assert "more were not measured." in seen
    assert "No events in this time. Not watched in this time." in nobody
    assert "No block" not in nobody


@pytest.mark.parametrize("path", ["/", "/countries/PK"])
async def test_an_event_that_nobody_sees_now_is_marked(path: str) -> None:
    """It stays as it was last seen; beside it stands that there are no current results."""
    clock = world.Clock()
    publisher = world.x_blocked_on_two_of_three(now=clock)
    assert "Not watched now" not in words_of((await get(publisher, path)).text)
    clock.advance(3600)
    seen = words_of((await get(publisher, path)).text)
    assert "X is blocked in Pakistan" in seen
    assert "Not watched now: there are no current results." in seen


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        (("ok", "blocked", "throttled"), "blocked"),
        (("ok", "partial", "degraded"), "partial"),
        (("down", "ok"), "down"),
        (("insufficient", "ok"), "ok"),
        (("insufficient", "degraded"), "degraded"),
        (("no_data", "insufficient"), "insufficient"),
        ((), "no_data"),
    ],
)
def test_of_several_states_the_worst_is_shown(states: tuple[str, ...], shown: str) -> None:
    """An undecided network hides nothing that another one decided."""
    assert worst(states) == worst(reversed(states)) == shown
