"""Forged signed batches through the real collector make and hide no more than docs/poisoning.md
says."""

import pytest

from tests.collector.poisoning import BLOCKED, DOCUMENT, STORIES, Story, document, play


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
