"""The first screen says what to do next while nothing can be decided, to operators alone."""

import msgspec
import pytest

from monitor.analysis.vantage.health import HEALTH_RULES
from monitor.analysis.verdict import VantageState
from monitor.config.load import default_settings
from monitor.config.settings import ServerSettings
from monitor.measuring.weaknesses import untold, weaknesses
from monitor.metrics.publisher import Publisher
from monitor.server.access import Access
from monitor.wording.findings import (
    HEALTH_REMEDIES,
    SENTENCES,
    Finding,
    What,
    finding_sentences,
)
from monitor.wording.languages import LANGUAGES, Language
from monitor.wording.words import words_in
from storage.values.cycle import Cycle
from tests.prometheus import world
from tests.prometheus.world import CONTROL, FIELD
from tests.unit.monitor.server.test_page_coverage import undecided
from tests.unit.monitor.server.test_pages import client, get, words_of

LEFT = "What is left to do"
FOLDED = '<details class="checklist">'


def fresh() -> Publisher:
    """What `make run` shows before its first cycle: the settings without a file."""
    settings = default_settings()
    return Publisher(
        settings.vantages,
        settings.catalog,
        world.Clock(),
        weaknesses=(*weaknesses(settings), *untold(settings)),
    )


def unwell(rule: str, state: VantageState) -> list[Cycle]:
    """A cycle of each field vantage whose health is of that rule."""
    cycles = [undecided(point, rule) for point in FIELD]
    return [
        msgspec.structs.replace(
            one, health=msgspec.structs.replace(one.health, rule_id=rule, state=state)
        )
        for one in cycles
    ]


async def test_a_newcomer_is_told_the_next_step_of_each_thing() -> None:
    """Grey cells under an unknown country were all there was."""
    text = (await get(fresh())).text
    said = words_of(text)
    assert LEFT in said
    assert "No configuration is in use" in said
    assert "init”. It asks, writes a file" in said
    assert 'Add a vantage with role = "control" outside the country.' in said
    assert "Vantage local has not finished its first cycle." in said
    assert "no [[notify.route]] is configured" in said
    assert "“shutwatch doctor” tries everything" in said
    assert text.index(LEFT) < text.index("Platforms by country")


async def test_problems_come_before_what_is_advisable_and_what_only_needs_time() -> None:
    """So that the first line is the first step."""
    said = words_of((await get(fresh())).text)
    places = [said.index(words) for words in ("No configuration", "No control", "not finished")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("rule", "state", "words"),
    [
        ("vantage.offline", VantageState.OFFLINE, "Check cable, modem and credit"),
        ("vantage.captive_portal", VantageState.CAPTIVE_PORTAL, "Sign in on that line once"),
        ("vantage.egress_failed", VantageState.OFFLINE, "See whether the proxy runs"),
        ("vantage.elsewhere", VantageState.UNKNOWN, "Turn off the VPN there"),
    ],
)
async def test_each_vantage_that_does_not_work_has_its_remedy(
    rule: str, state: VantageState, words: str
) -> None:
    """And one that works is on the list as done."""
    publisher = world.publisher()
    for one in (*unwell(rule, state), world.cycle(CONTROL[0])):
        publisher.publish(one, [])
    said = words_of((await get(publisher)).text)
    assert LEFT in said
    assert said.count(words) == len(FIELD)
    assert f"Vantage {FIELD[0].id}: " in said
    assert f"done Vantage {CONTROL[0].id} works." in said
    assert "“shutwatch doctor --config FILE” tries everything" in said


async def test_a_silent_vantage_is_no_longer_waited_for() -> None:
    """After three intervals its first cycle is not merely late."""
    clock = world.Clock()
    publisher = world.publisher(now=clock)
    assert "has not finished its first cycle" in words_of((await get(publisher)).text)
    clock.advance(3600)
    said = words_of((await get(publisher)).text)
    assert "has not finished its first cycle" not in said
    assert f"Vantage {FIELD[0].id} has no current results." in said


async def test_a_decision_folds_it_away() -> None:
    """The states are what people come for then; what could be better is one click away."""
    settings = default_settings()
    publisher = world.publisher()
    for point in (*FIELD, *CONTROL):
        publisher.publish(world.cycle(point), [])
    text = (await get(publisher)).text
    assert LEFT not in words_of(text)
    assert FOLDED not in text
    publisher.use(
        (*FIELD, *CONTROL),
        publisher.snapshot.catalog,
        [],
        interval=300.0,
        daily_bytes=1,
        public_url="",
        runbooks_url="",
        weaknesses=untold(settings),
    )
    text = (await get(publisher)).text
    assert LEFT not in words_of(text)
    assert "Set-up: 1 thing to improve" in words_of(text)
    assert text.index("Platforms by country") < text.index(FOLDED)


async def test_the_public_sees_nothing_of_it() -> None:
    """It names vantages, and what is weak about them."""
    access = Access(ServerSettings(public=True))
    async with client(fresh(), access=access) as asking:
        text = (await asking.get("/")).text
    assert LEFT not in words_of(text)
    assert "local" not in words_of(text)
    assert FOLDED not in text


async def test_trouble_of_the_monitor_itself_is_on_the_list() -> None:
    """Results that were not stored, messages that are overdue, a file that was refused."""
    publisher = world.publisher()
    for point in (*FIELD, *CONTROL):
        publisher.publish(world.cycle(point), [], stored=False)
    publisher.notifications_pending({"newsroom": [world.NOW]})
    publisher.config_refused()
    text = (await get(publisher)).text
    assert "Set-up: 3 things to improve" in words_of(text)
    for words in (
        "Results could not be stored. Type “shutwatch doctor”",
        "Messages of route newsroom are overdue. Type “shutwatch notify list”",
        "so the earlier settings stay in use.",
    ):
        assert words in words_of(text)


# -- the words -----------------------------------------------------------------------------------


def test_every_finding_has_its_sentences_and_a_rule_its_remedy() -> None:
    """Nobody can find what nobody can say."""
    assert set(SENTENCES) == set(What)
    assert set(HEALTH_REMEDIES) == {rule.id for rule in HEALTH_RULES} - {"vantage.ok"}


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda one: one.code)
def test_every_finding_can_be_said_in_every_language(language: Language) -> None:
    """With no value left out, and no two alike."""
    words = words_in(language)
    said = [
        finding_sentences(words, Finding(what=what, values={name: name.upper() for name in NAMES}))
        for what in (*What, *HEALTH_REMEDIES)
    ]
    assert all(problem and remedy for problem, remedy in said)
    assert not [one for one in said if "%(" in "".join(one) or "%%" in "".join(one)]
    problems = [problem for problem, _ in said]
    assert len(set(problems)) == len(problems)


NAMES = (
    *("vantage", "vantages", "country", "one", "other", "address", "folder", "key", "value"),
    *("length", "interval", "needed", "route", "seconds", "resolver", "failure", "interface"),
    *("proxy", "references", "why", "free", "days", "remedy", "found", "newest", "target"),
    *("port", "collector", "way", "command", "source", "wanted", "bytes", "fit"),
    *("kind", "file", "date", "own"),
)
"""Every value that a finding may have."""
