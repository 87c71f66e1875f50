"""The page about what platforms themselves withhold."""

from typing import Any

from monitor.metrics.snapshot import Snapshot
from monitor.server.page import Reader
from monitor.wording.withheld import EXPLANATION, LABEL, SAID, withheld_sentence


def withheld_shown(reader: Reader, snapshot: Snapshot) -> dict[str, Any]:
    """The values of the page's template."""
    words = reader.words
    return {
        "label": LABEL,
        "explanation": EXPLANATION,
        "withheld": [(one, withheld_sentence(words, one)) for one in snapshot.withheld],
        "looks": [
            (
                one,
                words.country(one.country),
                words.gettext(SAID[one.said]),
            )
            for one in sorted(snapshot.page_looks, key=lambda one: (one.url, one.country))
        ],
    }
