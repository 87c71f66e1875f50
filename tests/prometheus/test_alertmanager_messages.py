"""Alertmanager's messages: what they say, in each form, and that they fit."""

import re

import pytest

from tests.prometheus.alertmanager import FOLDER, alerts
from tests.prometheus.stories import (
    ALLOWLIST,
    CONFIRMED,
    CUT,
    FORMS,
    LONG,
    LONG_END,
    MESSAGES,
    SHUTDOWN,
    STORIES,
    Alert,
    about,
    other,
    over,
    render,
    unheard,
)

pytestmark = pytest.mark.alertmanager

TEMPLATES = FOLDER / "shutwatch.tmpl"
NATIONAL = (SHUTDOWN, CUT, ALLOWLIST)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("story", STORIES)
def test_messages_read_as_committed(story: str, form: str) -> None:
    """Each message is the committed text, which a person has read."""
    assert render(STORIES[story], form) == (MESSAGES / f"{story}.{form}").read_text("utf-8")


@pytest.mark.parametrize("form", ["text", "telegram", "slack", "email"])
def test_every_form_states_what_a_message_must(form: str) -> None:
    """Each has the country, platforms, networks, methods, onset on both clocks and evidence."""
    said = render(STORIES["one-confirmed"], form)
    if form == "slack":  # the title is a field of its own there
        said += render(STORIES["one-confirmed"], "subject")
    for fact in (
        "Pakistan",
        "X: blocked (confirmed)",
        "PTCL (AS17557)",
        "Nayatel (AS23674)",
        "tls.reset",
        "DNS says the name does not exist",
        "2 of 3 networks",
        "2026-03-01 11:48 UTC",
        "2026-03-01 16:48 local time",
        "last seen open 2026-03-01 11:43 UTC",
        "https://watch.example.org/events/pk-x",
        "OONI agrees: 2 of 3 tests failed, 1 network (Data: OONI (ooni.org), CC BY-NC-SA 4.0)",
    ):
        assert fact in said, fact
    assert "IODA agrees: routes (BGP) -60%" in render(STORIES["shutdown"], form)


def test_stories_have_the_annotations_of_the_rules() -> None:
    """The alerts of the stories have the same annotations as those of the rules."""
    for told in (alert for story in STORIES.values() for alert in story):
        rule = alerts()[told["labels"]["alertname"]]
        assert set(told["annotations"]) == set(rule["annotations"])


def test_markup_in_names_is_harmless() -> None:
    """HTML in the name of a network or a platform stays text, in Telegram and in mail."""
    hostile = about(
        "ShutwatchPlatformBlockConfirmed",
        "<script>alert(1)</script>",
        networks='<a href="https://evil.example">PTCL</a>',
        event_url="javascript:alert(1)",
    )
    for form in ("telegram", "email"):
        said = render([hostile], form)
        assert "<script" not in said
        assert '<a href="https://evil.example"' not in said
        assert 'href="javascript:' not in said


def test_the_templates_know_alerts_about_a_country_by_name() -> None:
    """The pattern in the templates matches those that end by `until` and are about no platform."""
    (pattern,) = set(
        re.findall(r'match "([\w|]+)" \.Labels\.alertname', TEMPLATES.read_text("utf-8"))
    )
    ending = {
        name
        for name, rule in alerts().items()
        if "until" in rule["annotations"] and "platform_name" not in rule["annotations"]
    }
    assert {name for name in alerts() if re.search(pattern, name)} == ending == set(NATIONAL)


@pytest.mark.parametrize("form", ["subject", "text", "telegram", "slack", "email"])
@pytest.mark.parametrize("alertname", NATIONAL)
def test_without_an_end_nothing_is_over(alertname: str, form: str) -> None:
    """Attack: the monitor stops during a shutdown, and a day later its alert resolves. What goes on
    for all that is known is not over."""
    said = render([unheard(other(alertname, "Iran may be cut off", "", country="IR"))], form)
    assert "no longer known" in said
    assert not re.search(r"\bover\b", said, re.IGNORECASE)
    assert "The alert ended" not in said
    fault = over(other("ShutwatchStorageErrors", "Errors", "", job="j"))
    assert re.search(r"\bover: ", render([fault], "text"))


def test_the_first_line_says_what_is_known_now() -> None:
    """Attack: a platform that nobody tests any more, or that seems to work again, is headed
    “blocked”. One of an owner's is enough for not “all of” it."""

    def heading(*alerts: Alert) -> str:
        return render(alerts, "subject").removeprefix("Pakistan – ")

    unseen = about(CONFIRMED, "X", "X Corp.", state="unobserved")
    opening = about(CONFIRMED, "TikTok", "ByteDance", state="recovering")
    assert heading(unseen) == "no longer observed: X"
    assert heading(opening) == "seem to work again: TikTok"
    assert heading(STORIES["slowed"][0], unseen) == "slowed down: YouTube; no longer observed: X"
    assert heading(*STORIES["partly-open"]) == (
        "blocked: Facebook, Messenger; seem to work again: Instagram, YouTube; "
        "no longer observed: Threads"
    )


@pytest.mark.parametrize("form", ["text", "telegram", "slack"])
def test_what_a_correction_left_of_a_block_is_a_suspicion(form: str) -> None:
    """Attack: later results make a confirmed block a suspicion. While the alert is held, and when
    it ends, the message must neither accuse nor say that nothing is known."""
    doubted = about(CONFIRMED, "X", "X Corp.", state="suspected")
    for alert in (doubted, unheard(doubted)):
        said = render([alert], form)
        assert "X: no longer confirmed, only suspected" in said
        assert "no longer known" not in said
        assert "blocked (confirmed" not in said
        heading = render([alert], "subject").removeprefix("Pakistan – ")
        assert heading == "no longer confirmed, only suspected: X"


@pytest.mark.parametrize("end", ["", LONG_END])
@pytest.mark.parametrize(("platforms", "shown"), [(1, 1), (3, 3), (5, 5), (6, 6), (12, 6), (40, 3)])
def test_long_messages_fit_into_telegram(platforms: int, shown: int, end: str) -> None:
    """Attack: a mass block on many networks with long names. Alertmanager cuts what is longer than
    4096 characters inside a tag, and Telegram refuses it."""
    titles = [f"Public encrypted {n:02}" for n in range(platforms)]
    state = "ended" if end else "confirmed"
    many = [about(CONFIRMED, title, **LONG, until=end, state=state) for title in titles]
    said = render(many, "telegram")
    assert len(said) < 4096
    assert all(title in said for title in titles)
    assert said.count("20 of 20 networks tested") == said.count(">Evidence</a>") == shown
    detailed = 2 if platforms in (3, 5) else 1
    assert said.count("; and 18 more") == said.count("OONI agrees") == detailed
    assert said.count("what its apps connect to, pictures, and 2 more\n") == detailed
    assert (said.count("Since "), said.count("Until ")) == (
        (detailed, shown) if end else (shown, 0)
    )
    assert (f"All {platforms} are named above" in said) == (shown < platforms)


def test_short_lists_are_whole_in_telegram() -> None:
    """Two networks and four functions are named, and no number stands behind them."""
    functions = "calls, messages, pictures, website"
    said = render([about(CONFIRMED, "X", functions=functions)], "telegram")
    assert f"Functions: {functions}\n" in said
    assert "(tls.reset)\n" in said
    assert " more" not in said
