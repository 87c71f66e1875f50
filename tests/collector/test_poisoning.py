"""Forged signed batches through the real collector make and hide no more than docs/poisoning.md
says."""

import random

import pytest

from monitor.analysis.events.event import EventKind
from tests.collector.poisoning import (
    BLOCKED,
    DOCUMENT,
    HINDERED,
    LONG,
    NAMED,
    STORIES,
    THREE,
    Outcome,
    Story,
    document,
    field,
    play,
    sleeper,
)
from tests.contract.listing import EVERYTHING, flat

LASTING = sorted(name for name, story in STORIES.items() if story.turns == LONG)
SOAKED = frozenset(random.Random(8).sample(LASTING, len(LASTING) * 5 // 6))
"""Stories of two hours take seconds each: CI plays the same sixth of them, `make soak` the rest."""


@pytest.mark.parametrize(
    "story",
    [
        pytest.param(story, id=name, marks=[pytest.mark.soak] if name in SOAKED else [])
        for name, story in STORIES.items()
    ],
)
async def test_it_comes_out_as_the_table_says(story: Story) -> None:
    """What the collector makes of it, after two hours where weak signs could confirm by then."""
    outcome, store = await play(story)
    assert outcome == story.outcome
    hostile = [party for party in story.parties if party.says]
    await store.open()
    for event in await store.active_events():
        if event.platform and event.country and len(hostile) == 1 and story.truth not in HINDERED:
            # No surer on any surface than one key can make it.
            assert (event.confirmed_at, event.evidence != "conclusive") == (None, True)
            assert event.weight is not None
            assert event.weight < event.weight_needed
            assert event.doubts
    await store.close()


async def test_one_key_brings_no_confirmed_block_back() -> None:
    """A block was confirmed and is over. One key that says it is back makes a suspicion of the same
    event, and no message says that it is blocked; with a second network it is confirmed again."""
    block = (field(0), field(1), *THREE)
    liars = sleeper(2, 8)._replace(new=False), sleeper(3, 8)._replace(new=False)
    for hostile, state in ((liars[:1], "suspected"), (liars, "confirmed")):
        parties = (*hostile, *block)
        story = Story("", "", BLOCKED, parties, Outcome("confirmed"), turns=10, ends=4)
        _, store = await play(story)
        await store.open()
        (event,) = await store.active_events()
        assert (event.state.value, event.reopened) == (state, 1)
        assert event.confirmed_at is not None, "that it once was stays known"
        await store.close()


async def test_attack_a_key_puts_no_host_of_its_own_on_the_page() -> None:
    """What still answers where only a list of sites passes is shown to everybody. A key that says
    it reached somebody's host, or a host whose own file names a machine at home, put that name on
    the page, into files and into messages; what the collector's catalogue lists stays."""
    _, store = await play(STORIES["one_key_lets_a_list_pass"])
    await store.open()
    (event,) = [one for one in await store.active_events() if one.kind is EventKind.ALLOWLIST]
    assert {"x.com", "api.x.com"} <= set(event.passing)
    assert NAMED not in event.passing
    cycles = await flat(store.cycles(EVERYTHING))
    assert [one for one in cycles if one.health.passing]
    assert not [one for one in cycles if NAMED in one.health.passing]
    await store.close()


def test_the_document_is_fresh() -> None:
    """It is what these stories generate."""
    assert DOCUMENT.read_text("utf-8") == document()


def test_no_single_key_makes_a_block_and_no_single_control_hides_one() -> None:
    """By the table, which the stories above prove."""
    alone = [
        (story, [party for party in story.parties if party.says])
        for story in STORIES.values()
        if sum(bool(party.says) for party in story.parties) == 1
    ]
    making = [story for story, _ in alone if story.truth not in HINDERED]
    hiding = [story for story, (one,) in alone if story.truth in HINDERED and one.control]
    assert len(making) >= 9
    assert len(hiding) >= 8
    seen = {(story.outcome.block, story.outcome.allowlist) for story in making}
    assert "confirmed" not in {one for both in seen for one in both}
    assert ("none", "none") not in {(s.outcome.block, s.outcome.allowlist) for s in hiding}
