"""Where a strip begins and ends, on a phone: in words that fit, in every direction of writing."""

from itertools import pairwise
from typing import Any

import pytest

from tests.browser.chromium import Chromium

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LANGUAGES = ("en", "ur", "fa", "ar")
PATHS = ("/countries/PK?by=network", "/platforms/x?by=network", "/compare?country=PK&platform=x")
MARKS = """[...document.querySelectorAll('.ends bdi')].map(one => {
    const {left, right, top} = one.getBoundingClientRect();
    const size = parseFloat(getComputedStyle(one).fontSize);
    return {text: one.textContent, left, right, top, size};
})"""
STRIP = """(() => {
    const {left, right} = document.querySelector('svg.strip').getBoundingClientRect();
    return {left, right};
})()"""


@pytest.mark.parametrize(("span", "count"), [("day", 2), ("week", 2), ("month", 2), ("year", 3)])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_ends_of_strips_are_named(lang: str, span: str, count: int, chromium: Chromium) -> None:
    """Above the strips and as wide as they are, side by side in the order of time, and large enough
    to read; they stay in sight when the page is scrolled."""

    async def look(path: str) -> tuple[list[dict[str, Any]], dict[str, float], float]:
        viewport = {"width": 390, "height": 844}
        context = await chromium.screen("phone", viewport=viewport)
        visit = await chromium.visit(context, f"{path}&span={span}&lang={lang}")
        marks = await visit.page.evaluate(MARKS)
        strip = await visit.page.evaluate(STRIP)
        last = visit.page.locator("svg.strip").last
        await last.scroll_into_view_if_needed()
        top = (await visit.page.evaluate(MARKS))[0]["top"]
        await context.close()
        return marks, strip, top

    for path in PATHS:
        marks, strip, top = chromium.run(look(path))
        assert len(marks) == count, path
        assert len({one["text"] for one in marks}) == count
        assert min(one["size"] for one in marks) >= 14
        assert len({one["top"] for one in marks}) == 1, "on one line"
        assert abs(marks[0]["left"] - strip["left"]) < 2, path
        assert abs(marks[-1]["right"] - strip["right"]) < 2, path
        for one, after in pairwise(marks):
            assert one["right"] + 6 < after["left"], path
        assert 0 <= top < 844, path
