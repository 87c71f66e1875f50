"""docs/notifications.md says what is so."""

import re
from pathlib import Path

from monitor.analysis.events.event import EventKind
from monitor.notify.message import message, section
from monitor.notify.names_without_markup import message_words
from monitor.notify.notice_kinds import NoticeKind
from monitor.notify.settings import NotifySettings, Route
from monitor.notify.timing import FIRST_RETRY, LONGEST_RETRY
from tests.worlds.notify_world import TITLES, block, told

TEXT = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())


def test_every_occasion_is_explained_and_no_other() -> None:
    """The rows of the table are the words of the outbox."""
    assert re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE) == [one.value for one in NoticeKind]


def test_the_message_shown_is_the_one_sent() -> None:
    """Word by word, but for its last line."""
    words = message_words("en")
    sent = message(words, [section(words, told(NoticeKind.CONFIRMED, block()), TITLES)])
    shown = " ".join(re.sub(r"^> ?", "", TEXT, flags=re.MULTILINE).split())
    body = sent.body.rpartition("\n")[0]
    assert f"**{sent.title}** {' '.join(body.split())} " in shown


def test_the_defaults_it_names_are_in_force() -> None:
    """Times in the text are those of the settings."""
    route = Route(name="x", urls=())
    assert f"waits `gather` ({route.gather:g} s)" in WORDS
    assert f"`digest` ({route.digest / 3600:g} h)" in WORDS
    assert f"`give_up` ({NotifySettings().give_up / 86400:g} days)" in WORDS
    retries = [f"{FIRST_RETRY * 2**n:g} s" for n in range(3)]
    assert f"after {', '.join(retries[:2])}, {retries[2]} and so on up to half an hour" in WORDS
    assert LONGEST_RETRY == 1800
    assert EventKind.VANTAGE_SILENT not in route.kinds
    assert EventKind.INSTRUMENT not in route.kinds


def test_what_the_log_says_is_named() -> None:
    """The words to look for in the log are those that are logged."""
    source = (Path(__file__).parents[2] / "monitor" / "notify" / "delivery.py").read_text()
    for words in ("notification failed", "notification given up"):
        assert f"`{words}`" in WORDS
        assert f'"{words}"' in source
