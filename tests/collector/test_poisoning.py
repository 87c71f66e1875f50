"""Forged signed batches through the real collector make and hide no more than docs/poisoning.md
says."""

import pytest

from tests.collector.poisoning import (
    BLOCKED,
    DOCUMENT,
    STORIES,
    THREE,
    Outcome,
    Story,
    document,
    field,
    play,
    sleeper,
)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
async def test_it_comes_out_as_the_table_says(story: Story) -> None:
    """What the collector makes of it, after two hours where weak signs could confirm by then."""
    outcome, store = await play(story)
    assert outcome == story.outcome
    hostile = [party for party in story.parties if party.says]
    await store.open()
    for event in await store.active_events():
        if event.platform and event.country and len(hostile) == 1 and story.truth != BLOCKED:
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
    liars = sleeper(2, 18)._replace(new=False), sleeper(3, 18)._replace(new=False)
    for hostile, state in ((liars[:1], "suspected"), (liars, "confirmed")):
        parties = (*hostile, *block)
        story = Story("", "", BLOCKED, parties, Outcome("confirmed"), turns=22, ends=6)
        _, store = await play(story)
        await store.open()
        (event,) = await store.active_events()
        assert (event.state.value, event.reopened) == (state, 1)
        assert event.confirmed_at is not None, "that it once was stays known"
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
    making = [story for story, _ in alone if story.truth != BLOCKED]
    hiding = [story for story, (one,) in alone if story.truth == BLOCKED and one.control]
    assert len(making) >= 5
    assert len(hiding) >= 5
    assert {story.outcome.block for story in making} <= {"none", "suspected"}
    assert {story.outcome.block for story in hiding} <= {"suspected", "confirmed"}
