"""The pictures of the dashboards: recorded during a real block, and drawn from the same queries."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from dashboards.grafana.pictures import draw
from dashboards.grafana.pictures.recording import FILE, Answer, Recording, load, save, series_of
from tests.e2e.running import wait_for
from tests.lab.hosts import Page, web_page
from tests.prometheus import lab_block
from tests.prometheus.boards import DOCUMENTS, QUERIES, filled
from tests.prometheus.lab_block import TIKTOK, Stage, X

STEP = 2.0


def test_the_recording_is_of_these_queries() -> None:
    """Each query of each panel was recorded as it is now, and had an answer."""
    recording = load()
    now = {
        (asked.shown.board, asked.shown.panel["title"], asked.target["refId"]): asked.target["expr"]
        for asked in QUERIES
    }
    then = {
        (board, title, ref): answer.expression
        for board, panels in recording.answers.items()
        for title, answers in panels.items()
        for ref, answer in answers.items()
    }
    assert then == now, (
        "record it anew: pytest -m soak tests/prometheus/test_dashboard_recording.py"
    )
    assert all(
        answer.series
        for panels in recording.answers.values()
        for answers in panels.values()
        for answer in answers.values()
    )


def test_pictures_say_what_they_are(tmp_path: Any) -> None:
    """A picture can be drawn from the recording, and each says itself that it is no Grafana."""
    path = tmp_path / "monitor.png"
    draw.draw(DOCUMENTS["shutwatch-monitor"], load(), path)
    assert draw.LABEL == "drawn by shutwatch from the same queries; not Grafana"
    assert draw.LABEL.encode() in path.read_bytes()
    for uid in DOCUMENTS:
        committed = FILE.parent / f"{uid.removeprefix('shutwatch-')}.png"
        assert draw.LABEL.encode() in committed.read_bytes()


def hold(seconds: float) -> None:
    """Let the story go on."""
    time.sleep(seconds)


@pytest.mark.soak
@pytest.mark.lab
@pytest.mark.prometheus
@pytest.mark.timeout(1800)
def test_record_and_draw() -> None:
    """A story of several minutes: blocked, lifted, blocked again, an outage, a vantage gone."""
    pages = {host: Page(body=web_page(host, 200 * 1024)) for host in BIG}
    with lab_block.staged(interval="10s", scrapes="5s", pages=pages) as stage:
        start = time.time()
        hold(20)
        tell(stage)
        recording = record(stage, start)
    save(recording)
    draw.draw_all(recording)


BIG = ("x.com", "www.youtube.com", "www.tiktok.com", "www.wikipedia.org")


def tell(stage: Stage) -> None:
    """What happens, in order; each step waits until the monitor has seen it."""
    lab = stage.lab

    def until(what: Callable[[], object], describe: str) -> None:
        wait_for(what, describe, 400)

    first = lab.network("ptcl").block(sni=X, how="reset")
    until(lambda: stage.event() == "confirmed", "the first block")
    hold(10)
    second = lab.network("zong").block(dns=X, how="nxdomain")
    until(lambda: stage.states("x")["zong"] == "blocked", "the second network")
    hold(20)
    first.lift()
    second.lift()
    stage.await_calm()
    hold(15)
    lab.network("jazz").block(sni=X, how="drop")
    lab.network("ptcl").block(sni=X, how="reset")
    lab.network("ptcl").throttle(kbit=2000, sni=["www.youtube.com", ".youtube.com"])
    until(lambda: stage.event() == "confirmed", "the second block")
    hold(20)
    lab.internet.down(*TIKTOK)
    until(lambda: "outage" in stage.circumstances(), "the outage")
    lab.network("zong").unplug()
    until(lambda: "vantage_silent" in stage.circumstances(), "the lost vantage")
    hold(25)


def record(stage: Stage, start: float) -> Recording:
    """Ask everything, over the whole story and as of now."""
    steps = int((time.time() - start) / STEP)
    end = start + STEP * (steps - 1)
    times = {"__rate_interval": "30s", "__range": f"{int(end - start)}s"}
    answers: dict[str, dict[str, dict[str, Answer]]] = {}
    ranged = [asked for asked in QUERIES if asked.target["range"]]
    instant = [asked for asked in QUERIES if not asked.target["range"]]
    window = {"start": start, "end": end, "step": STEP}
    found = [
        *stage.ask(
            "query_range",
            [{"query": filled(one.target["expr"], **times), **window} for one in ranged],
        ),
        *stage.ask(
            "query",
            [{"query": filled(one.target["expr"], **times), "time": end} for one in instant],
        ),
    ]
    for asked, result in zip([*ranged, *instant], found, strict=True):
        panel = answers.setdefault(asked.shown.board, {}).setdefault(asked.shown.panel["title"], {})
        series = series_of(result, start, STEP, steps)
        panel[asked.target["refId"]] = Answer(asked.target["expr"], series)
    return Recording(start, STEP, steps, answers)
