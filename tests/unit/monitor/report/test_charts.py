"""Charts whose words are longer than the English ones."""

from pathlib import Path

import pytest

from monitor.report.charts import figures, style
from monitor.report.collect import gather
from monitor.report.optional_libraries import library
from monitor.report.report_words import report_words
from monitor.wording.languages import BY_CODE
from tests.worlds.memory_store import MemoryStore
from tests.worlds.report_world import WANTED, story_cycle

_ROOM = 3
"""Pixels by which a text's box may be too large: letters have some room around them."""


@pytest.mark.parametrize("code", ["en", "ar", "es", "fa", "ru"])
async def test_no_text_leaves_the_picture(code: str, tmp_path: Path) -> None:
    """Title, axes and legend are inside, in languages with long words and in each direction."""
    store = MemoryStore()
    await store.open()
    for number in range(5):
        await store.save(story_cycle(number, blocked=number > 2), [], [])
    findings = await gather(store, WANTED, tmp_path, 300.0)
    words = report_words(BY_CODE[code])
    outside = []
    with style(words):
        for _, figure in figures(words, findings, "X"):
            figure.draw_without_rendering()
            for text in figure.findobj(library("matplotlib.text").Text):
                box, whole = text.get_window_extent(), figure.bbox
                across = box.x0 < -_ROOM or box.x1 > whole.x1 + _ROOM
                out = across or box.y0 < -_ROOM or box.y1 > whole.y1 + _ROOM
                # Numbers beyond the end of an axis are not drawn.
                if out and any(letter.isalpha() for letter in text.get_text()):
                    outside.append(text.get_text())
    assert outside == []
