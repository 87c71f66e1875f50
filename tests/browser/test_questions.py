"""A stranger's twelve questions, each answered in at most two clicks from the first page, without
scripts, on a phone."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from msgspec.structs import replace

from monitor.analysis.verdict import State
from storage.values.sourced import SourcedRow, SourceState
from tests.browser import seed
from tests.browser.chromium import Chromium, Visit
from tests.contract.test_store_availability import judged

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

EVENT = "a[href*='events/3f1c9a7be0d24c55']"
PAKISTAN = "a[href*='countries/PK']"
QUESTIONS = {
    "Is it blocked now?": ([], "X is blocked in Pakistan on 3 of 4 networks"),
    "Since when?": ([], "since between 14:02 and 14:07 UTC on 17 Feb 2024"),
    "On whose network?": ([], "PTCL (AS17557): blocked"),
    "How do you know?": (["text=How do we know?"], "the connection was reset"),
    "Was it blocked last month?": ([PAKISTAN], "7 Feb: mostly found blocked"),
    "How much of the time?": ([PAKISTAN], "reachable in 50% of decided tests"),
    "Who else saw it?": ([EVENT], "OONI agrees: 3 of 3 tests failed"),
    "Send me the data": ([EVENT, "text=Measurements (CSV)"], "measurement_id,"),
    "Tell me when it ends": ([EVENT, "text=Follow until it ends (Atom)"], "<feed"),
    "Is it the platform's fault?": ([EVENT], "At the control"),
    "Can I trust this vantage?": (["nav >> text=Vantage points"], "the references answer"),
    "What does this word mean?": (["summary >> text=What the words mean"], "ok"),
}
"""What to click from the first page, and what the answer holds."""


async def _fill(chromium: Chromium) -> None:
    """A day ten days ago, half of it blocked, and volunteers who see the same block."""
    for number in range(2):
        at = seed.NOW - timedelta(days=10, minutes=5 * number)
        made = judged(9000 + number, (State.OK, State.BLOCKED)[number])
        platforms = tuple(replace(one, judged_at=at, network="PTCL") for one in made.platforms)
        await chromium.store.save(replace(made, platforms=platforms))
    rows = [
        SourcedRow(
            country="PK",
            source="ooni",
            uid=f"question-{number}",
            measured_at=seed.ONSET + timedelta(minutes=5 + number),
            received_at=seed.NOW,
            asn=17557,
            platform="x",
            test="web_connectivity",
            failed=1.0,
            licence="CC BY-NC-SA 4.0",
        )
        for number in range(3)
    ]
    await chromium.store.add_sourced(rows, "ooni", SourceState(answered_at=seed.NOW))


@pytest.fixture(scope="module")
def reader(chromium: Chromium) -> Iterator[Visit]:
    """Somebody on a phone, without scripts, who comes back to the first page for each question."""
    chromium.run(_fill(chromium))
    context = chromium.run(chromium.screen("phone", scripts=False))
    yield chromium.run(chromium.visit(context, "/"))
    chromium.run(context.close())


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_stranger_gets_an_answer_in_two_clicks(
    question: str, chromium: Chromium, reader: Visit
) -> None:
    """The answer is on the page, or in the file, that at most two clicks lead to."""

    async def ask() -> str:
        clicks, _ = QUESTIONS[question]
        assert len(clicks) <= 2
        page = reader.page
        await chromium.go(reader, "/")
        text = await page.locator("main").inner_text()
        for where in clicks:
            one = page.locator(where).first
            href = await one.get_attribute("href")
            if href and ("api/" in href or "feed." in href):
                url = await one.evaluate("one => one.href")
                answer = await page.context.request.get(url)
                text = await answer.text()
            else:
                await one.click()
                await page.wait_for_load_state("load")
                text = await page.locator("main").inner_text()
        return text

    assert QUESTIONS[question][1] in chromium.run(ask())


def test_there_are_twelve() -> None:
    """As many as strangers ask."""
    assert len(QUESTIONS) == 12
