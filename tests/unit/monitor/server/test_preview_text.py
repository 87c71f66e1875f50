"""What a picture of an event says, in each language: the page's own words, and no surer."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from monitor.analysis.events.event import Event, EventState
from monitor.notify.names_without_markup import message_words
from monitor.server.preview_text import NETWORKS_NAMED, Shape
from monitor.wording.events import Certainty, claim, ending, onset, what_happened
from monitor.wording.languages import BY_CODE, ENGLISH, LANGUAGES, Language
from monitor.wording.reviews import MARKS
from monitor.wording.states import EVENT_STATE_MEANINGS, EVENT_STATES
from storage.values.reviews import Mark
from tests.browser import seed
from tests.worlds.notify_world import unseen_shutdown
from tests.worlds.preview_world import BLOCK, REJECTED, STATES, TITLES, named, preview, review

EACH_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES, ids=lambda one: one.code)


@EACH_LANGUAGE
@pytest.mark.parametrize("state", list(STATES))
def test_it_says_what_the_page_says(language: Language, state: str) -> None:
    """What, where, since when, until when, how sure and on which networks, in whole minutes."""
    words, event = message_words(language.code), STATES[state]
    shown = preview(language, event)
    assert shown.title == what_happened(words, event, TITLES)
    assert shown.tags[0] == words.gettext(EVENT_STATES[state])
    assert shown.meaning == words.gettext(EVENT_STATE_MEANINGS[state])
    facts = dict(shown.facts)
    begun = words.gettext("Since" if event.active else "Began")
    assert facts[begun] == onset(words, event)
    assert facts.get(words.gettext("Ended")) == ending(words, event)
    assert (words.gettext("Ended") in facts) == (not event.active)
    for name in ("PTCL", "Nayatel", "Jazz"):
        assert name in facts[words.gettext("Networks")]
    assert "Zong" not in facts[words.gettext("Networks")]
    assert "watch.example.org" in shown.site
    assert all(text in shown.texts for text in (shown.title, shown.as_of, *shown.tags))


@EACH_LANGUAGE
def test_a_suspicion_reads_as_one(language: Language) -> None:
    """The sentence, the tag, the mark and the colour: none is that of a confirmed block."""
    sure, unsure = (preview(language, STATES[state]) for state in ("confirmed", "suspected"))
    words = message_words(language.code)
    blocked, may_be = (claim(words, BLOCK, TITLES, one) for one in (Certainty.IS, Certainty.MAY))
    assert blocked in sure.title
    assert blocked not in unsure.title
    assert may_be in unsure.title
    assert sure.tags[0] != unsure.tags[0]
    assert (sure.colour, sure.shape) == ("blocked", Shape.BARRED)
    assert (unsure.colour, unsure.shape) == ("suspected", Shape.ASKED)


@EACH_LANGUAGE
@pytest.mark.parametrize("state", [EventState.ENDED, EventState.DISMISSED, EventState.WITHDRAWN])
def test_what_is_over_is_neither_red_nor_yellow(language: Language, state: EventState) -> None:
    """And has another mark than what lasts."""
    shown = preview(language, STATES[state])
    assert shown.colour == "grey"
    assert shown.shape in (Shape.STOPPED, Shape.CROSSED)


@EACH_LANGUAGE
def test_what_a_person_rejects_reads_as_rejected(language: Language) -> None:
    """The sentence begins with it, and nothing says that it is certain; the last review counts."""
    words = message_words(language.code)
    rejects = words.gettext(MARKS[Mark.REJECTED])
    shown = preview(language, BLOCK, *REJECTED)
    assert shown.title.startswith(rejects)
    assert shown.tags == (rejects,)
    assert (shown.colour, shown.shape) == ("grey", Shape.CROSSED)
    assert words.gettext(EVENT_STATES[EventState.CONFIRMED]) not in shown.texts
    assert words.gettext(EVENT_STATE_MEANINGS[EventState.CONFIRMED]) not in shown.texts
    assert words.gettext(EVENT_STATE_MEANINGS[EventState.CONFIRMED]) not in shown.description
    after = preview(language, BLOCK, *REJECTED, review(Mark.CONFIRMED), review(Mark.NOTE))
    assert after.title == what_happened(words, BLOCK, TITLES)
    assert words.gettext(MARKS[Mark.CONFIRMED]) in after.tags
    assert after.colour == "blocked"


@EACH_LANGUAGE
def test_a_draft_says_so(language: Language) -> None:
    """On the picture and in the text beside it."""
    shown = preview(language)
    assert (language is ENGLISH) == (not shown.draft)
    assert shown.draft in shown.description
    assert shown.draft in ("", *shown.texts)


def test_it_says_which_time_it_is_of() -> None:
    """A service keeps it for days: it is of the last time that anything was found out."""
    assert preview(ENGLISH).as_of == "As of 15:00 UTC on 17 Feb 2024 (20:00 in Karachi)"
    early = replace(BLOCK, updated_at=seed.ONSET - timedelta(minutes=1))
    assert "14:12 UTC" in preview(ENGLISH, early).as_of, "it was confirmed then"


def test_moments_within_a_minute_look_the_same() -> None:
    """The attack: read the second of an onset off a picture, or off what it is cached by."""

    def at(seconds: float) -> Event:
        later = timedelta(seconds=seconds)
        return replace(BLOCK, onset_latest=BLOCK.onset_latest + later - timedelta(seconds=59.9))

    assert preview(ENGLISH, at(7.1)) == preview(ENGLISH, at(51.7))


@EACH_LANGUAGE
@pytest.mark.parametrize("state", list(STATES))
def test_it_says_how_sure_it_is(language: Language, state: str) -> None:
    """Beside its state; what was never confirmed, or is withdrawn, has no evidence to speak of."""
    words = message_words(language.code)
    grade = words.gettext("evidence: %(grade)s", grade=words.gettext("conclusive"))
    never = state in (EventState.DISMISSED, EventState.WITHDRAWN)
    assert (grade in preview(language, STATES[state]).tags) != never


@pytest.mark.parametrize("state", [EventState.CONFIRMED, EventState.ENDED])
def test_the_networks_are_those_that_the_title_counts(state: EventState) -> None:
    """While it lasts those that block now; once it is over each that blocked."""
    lasts = state is EventState.CONFIRMED
    first, *others = named("PTCL", "Jazz", "Cyber").networks
    open_again = [replace(one, blocked_now=False) for one in others]
    networks = (first if lasts else replace(first, blocked_now=False), *open_again)
    shown = preview(ENGLISH, replace(STATES[state], networks=networks))
    assert f"on {1 if lasts else 3} of 3 networks" in shown.title
    told = dict(shown.facts)["Networks"]
    assert [name in told for name in ("PTCL", "Jazz", "Cyber")] == [True, not lasts, not lasts]


def test_of_many_networks_the_rest_is_counted() -> None:
    """The picture stays readable."""
    names = [f"Network {number}" for number in range(NETWORKS_NAMED + 3)]
    said = dict(preview(ENGLISH, named(*names)).facts)["Networks"]
    assert said.endswith("and 3 more")
    assert said.count("(AS") == NETWORKS_NAMED


def test_a_name_cannot_wish_its_reader_ill() -> None:
    """No line end, no change of direction, no link."""
    ill = "\u202eevil\u2066\nhttps://x.example/ <b>*_"
    for code in ("en", "ar"):
        said = preview(BY_CODE[code], named(ill)).facts[-1][1]
        assert "evil" in said
        assert not set(said) & set("\u202e\n<>*_")
        assert "//" not in said


def test_without_a_public_address_it_names_the_program_alone() -> None:
    """No host is made up."""
    assert preview(ENGLISH, url="").site == "shutwatch"
    assert "." not in preview(BY_CODE["ur"], url="").site


def test_what_is_no_block_has_no_grade() -> None:
    """An outage accuses nobody."""
    outage = next(one for one in seed.events() if one.kind == "outage")
    shown = preview(ENGLISH, outage)
    assert shown.tags == ("confirmed",)
    assert shown.colour == "suspected", "as its tag on the page"
    assert [name for name, _ in shown.facts] == ["Since"]


def test_a_shutdown_of_which_no_vantage_can_tell_has_no_mark_of_one_that_lasts() -> None:
    """Its state is confirmed all the same."""
    shown = preview(ENGLISH, unseen_shutdown())
    assert (shown.colour, shown.shape) == ("suspected", Shape.DASHED)
