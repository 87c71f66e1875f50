"""The charts of a report."""

from pathlib import Path

import pytest

from monitor.charts.time_chart import draw
from monitor.report.charts import charts
from monitor.report.collect import gather
from monitor.report.names_between_marks import report_words
from monitor.wording.languages import BY_CODE
from tests.unit.monitor.charts.test_time_chart import check
from tests.worlds.memory_store import MemoryStore
from tests.worlds.report_world import WANTED, story_cycle, told


@pytest.mark.parametrize("code", ["en", "ar", "es", "fa", "ru"])
async def test_no_text_leaves_the_picture(code: str, tmp_path: Path) -> None:
    """Title, axes and legend are inside, in languages with long words and in each direction."""
    store = MemoryStore()
    await store.open()
    for number in range(5):
        await store.save(story_cycle(number, blocked=number > 2), [], [])
    findings = await gather(store, WANTED, tmp_path, 300.0)
    words = report_words(BY_CODE[code])
    drawn = {name: check(draw(chart, words)) for name, chart in charts(words, findings, "X")}
    assert words.gettext("failed at times or for a part") in drawn["timeline"]
    assert words.percent(1) in drawn["availability"]


async def test_the_onset_is_dashed_and_the_end_dotted(tmp_path: Path) -> None:
    """In both charts, each with the time between its bounds."""
    store = MemoryStore()
    await store.open()
    await told(store)
    findings = await gather(store, WANTED, tmp_path, 300.0)
    words = report_words()
    for _, chart in charts(words, findings, "X"):
        svg = draw(chart, words)
        assert svg.count('stroke-dasharray="3.7 1.6"') == 1
        assert svg.count('stroke-dasharray="1 1.65"') == 1
        assert svg.count('fill-opacity="0.15"') == 2
