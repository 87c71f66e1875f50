"""Where a strip begins and ends, on a phone: in words that fit, in every direction of writing."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.browser.chromium import Chromium, Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LANGUAGES = ("en", "ur", "fa", "ar")
SPANS = ("day", "week", "month", "year")
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


@pytest.fixture(scope="module")
def phone(chromium: Chromium) -> Iterator[Visit]:
    """One page after the other on the same phone."""
    viewport = {"width": 390, "height": 844}
    context = chromium.run(chromium.screen("phone", viewport=viewport))
    yield chromium.run(chromium.visit(context, "/vantages"))
    chromium.run(context.close())


@pytest.mark.parametrize(("span", "count"), [*((one, 2) for one in SPANS[:-1]), ("year", 3)])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_ends_of_strips_are_named(
    lang: str, span: str, count: int, chromium: Chromium, phone: Visit
) -> None:
    """Above the strips and as wide as they are, side by side in the order of time, and large enough
    to read; they stay in sight when the page is scrolled. Every page is shown in each language, and
    with each span."""
    path = PATHS[(LANGUAGES.index(lang) + SPANS.index(span)) % len(PATHS)]

    async def look(visit: Visit) -> tuple[list[dict[str, Any]], dict[str, float], float]:
        await chromium.go(visit, f"{path}&span={span}&lang={lang}")
        marks = await visit.page.evaluate(MARKS)
        strip = await visit.page.evaluate(STRIP)
        last = visit.page.locator("svg.strip").last
        await last.scroll_into_view_if_needed()
        top = (await visit.page.evaluate(MARKS))[0]["top"]
        return marks, strip, top

    marks, strip, top = chromium.run(look(phone))
    assert len(marks) == count, path
    assert len({one["text"] for one in marks}) == count
    assert min(one["size"] for one in marks) >= 14
    assert len({one["top"] for one in marks}) == 1, "on one line"
    assert abs(marks[0]["left"] - strip["left"]) < 2, path
    assert abs(marks[-1]["right"] - strip["right"]) < 2, path
    for one, after in pairwise(marks):
        assert one["right"] + 6 < after["left"], path
    assert 0 <= top < 844, path
