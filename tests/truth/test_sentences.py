"""No phrase that claims something of a block goes unread: a new one needs a line in the table."""

import re

from babel.messages.pofile import read_po

from monitor.wording.languages import LOCALES
from tests.truth.circumstances import CIRCUMSTANCES, SINCE
from tests.truth.coverage import EVENTS_PAGE
from tests.truth.sentences import LENGTHS, LINES, MESSAGE_LINES, NOT_ENDED, SENTENCES

_PLACES = re.compile(r"%\((platform|when|least|most|x|n|decided|all|signs)\)s")
_CLAIMS = re.compile(
    r"\b(block|blocked|open|since|until|lasted|detected|ended|began|again|decided|watched|known)\b",
    re.IGNORECASE,
)
_UNREAD = {
    "Ended %(when)s.": "read with the sentence before it, which says when it began",
    "Ended: %(when)s.": "the same, in a report",
    "No event yet, but %(n)s vantages saw a block in the last cycle": "of one cycle, soon over",
    "until %(when)s": "of mutes and quarantines, which people decide",
    "Nothing is known about %(platform)s in %(country)s in this time.": (
        "begins as the report's title, which is read"
    ),
    "%(platform)s in %(country)s: share of verdicts that found it open, wholly or in part": (
        "the title of a chart"
    ),
    "One line for each network: the share of verdicts that found %(platform)s open, wholly or in "
    "part, over time.": ("what a chart shows"),
    "Report on %(platform)s in %(country)s, %(since)s to %(until)s UTC": "what was asked for",
    "OONI's analysis scores %(n)s tests on %(network)s as blocked with %(score)s, %(when)s": (
        "what others conclude from their own tests"
    ),
    "%(mark)s: %(reviewer)s, %(when)s UTC. The reviews are under “What people said”; they change "
    "nothing of what was detected.": "of reviews by people",
    "This is a test of the route %(route)s, sent by hand at %(when)s. Nothing is blocked. If you "
    "can read it, real messages will reach you here.": "of a test message",
}
"""Phrases that look like claims of a block, and why the table leaves them out."""


def test_every_phrase_that_claims_something_is_read() -> None:
    """Of a phrase with two forms, the one of many counts."""
    with (LOCALES / "ur.po").open("rb") as source:
        ids = [one.id for one in read_po(source, locale="ur") if one.id]
    phrases = {one if isinstance(one, str) else str(one[-1]) for one in ids}
    read = {*SENTENCES, *LINES, *MESSAGE_LINES, *EVENTS_PAGE, *LENGTHS, *NOT_ENDED}
    read |= {*CIRCUMSTANCES, SINCE}
    claiming = {one for one in phrases if _PLACES.search(one) and _CLAIMS.search(one)}
    assert claiming - read == set(_UNREAD)
