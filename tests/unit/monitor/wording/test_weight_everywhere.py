"""The weight of the evidence, and why it is not more: the same on page, report and message."""

import re
from pathlib import Path

import msgspec

from monitor.analysis.events.event import EventState
from monitor.analysis.events.support import DOUBTS as NAMES
from monitor.wording.languages import ENGLISH, Language
from monitor.wording.support import DOUBTS, doubts, network_weight, weight
from monitor.wording.words import words_in
from tests.unit.monitor.wording.test_same_words_everywhere import (
    command,
    findings_of,
    in_every_language,
    in_file,
    mail,
    page,
    report,
)
from tests.worlds.notify_world import CYBER, JAZZ, PTCL, block

WEIGHED = block(
    EventState.SUSPECTED,
    weight=1.25,
    weight_needed=2,
    doubts=("one_source", "new_keys", "controls_unsettled"),
    networks=(
        CYBER,
        msgspec.structs.replace(PTCL, weight=1.0),
        msgspec.structs.replace(JAZZ, weight=0.25),
    ),
)


@in_every_language
async def test_every_surface_has_the_weight_and_its_reasons(
    language: Language, tmp_path: Path
) -> None:
    """With what is needed, and a sentence for each doubt."""
    words = words_in(language)
    shown = [
        await page(language, WEIGHED),
        report(language, await findings_of(tmp_path, WEIGHED)),
        mail(language, WEIGHED),
    ]
    for text in shown:
        assert weight(words, WEIGHED) in re.sub("[\u2066-\u2069]", "", text)
        assert all(reason in text for reason in doubts(words, WEIGHED))
    for network in WEIGHED.networks[1:]:
        assert network_weight(words, network) in shown[0]


async def test_nothing_is_weighed_where_no_agents_are() -> None:
    """A monitor of one's own lines says nothing of weights."""
    words = words_in(ENGLISH)
    assert weight(words, block()) == ""
    assert network_weight(words, PTCL) == ""
    assert words.gettext("Weight of the evidence") not in await page(ENGLISH, block())
    assert "Weight" not in mail(ENGLISH, block())


def test_every_doubt_has_a_sentence() -> None:
    """And files have its name."""
    assert set(DOUBTS) == set(NAMES)
    row = in_file(WEIGHED)
    assert (row["weight"], row["weight_needed"]) == ("1.25", "2")
    assert row["doubts"].split(" ") == list(WEIGHED.doubts)
    assert weight(words_in(ENGLISH), WEIGHED) in command(WEIGHED)
