"""Recorded and documented answers of every service, as they are, through what reads them.

Measurement data © OONI and its contributors, CC BY-NC-SA 4.0. Nothing of these files is here.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.config.catalog import shipped_catalog
from monitor.following import atlas_results, globalping_results
from monitor.following.atlas_results import Roots
from monitor.following.ooni_rows import ListReader, judged_row
from monitor.replay.annotations import annotations_in
from monitor.replay.formats import RowCounts, RowFilter
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.row_files import rows_in
from monitor.sources.atlas_client import AtlasClient
from monitor.sources.fault import SourceFault
from monitor.sources.globalping_client import GlobalpingClient, Question
from monitor.sources.ioda_client import IodaClient
from monitor.sources.ooni_client import OoniClient
from probes.layers.bogon import BogonList
from probes.sockets.http_client import httpx
from storage.values.sourced import SourcedRow
from tests.contract.test_store_sources import AT, row

DATA = Path(os.environ.get("SHUTWATCH_OONI_DATA", "")) / "sources"
NAMES = PlatformLookup(shipped_catalog())
NAME = "platform.example"

pytestmark = [
    pytest.mark.ooni,
    pytest.mark.skipif(
        not os.environ.get("SHUTWATCH_OONI_DATA") or not DATA.is_dir(),
        reason="SHUTWATCH_OONI_DATA names no folder with sources/",
    ),
]


def _files(pattern: str) -> list[Path]:
    return sorted(DATA.glob(pattern))


def _answers(file: Path, status: int = 200) -> httpx.MockTransport:
    """A server that has one answer to everything."""
    return httpx.MockTransport(
        lambda request: httpx.Response(status, content=file.read_bytes(), request=request)
    )


@pytest.mark.parametrize("file", _files("ooni/recorded*/measurements-page-*"), ids=lambda f: f.stem)
async def test_lists_of_ooni(file: Path) -> None:
    """Every line can be read, and the file replays."""
    client = OoniClient("https://ooni.test", _answers(file))
    page = await client.page({})
    await client.close()
    assert page.results
    reader = ListReader(NAMES, {str(one["probe_cc"]) for one in page.results})
    always = (datetime(year, 1, 1, tzinfo=UTC) for year in (2000, 2100))
    reader.rows(page.results, AT, *always)
    assert reader.malformed == 0
    rows_in(file, NAMES, RowFilter(), RowCounts())


def _judged(file: Path) -> SourcedRow:
    raw = file.read_bytes()
    test = msgspec.json.decode(raw)["test_name"]
    platform = {"web_connectivity": "instagram"}.get(test, test)
    made = row(0, failed=1.0, platform=platform, test=test)
    return judged_row(made, raw, shipped_catalog(), BogonList())


@pytest.mark.parametrize("file", _files("ooni/recorded*/raw_measurement-*"), ids=lambda f: f.stem)
def test_whole_measurements_of_ooni(file: Path) -> None:
    """Each is judged by our rules, names its version, and one over a VPN is left out."""
    judged = _judged(file)
    if "vpn" in file.stem:
        assert judged.left_out == "vpn"
        return
    assert judged.version
    known = {"signal-IR": "insufficient", "telegram-RU": "ok", "instagram-US": "ok"}
    for name, state in known.items():
        if name in file.stem:
            assert judged.judged == state


def test_counts_and_scores_of_ooni() -> None:
    """As MAT and the API give them; counts of everything need to be told of what."""
    wanted = RowFilter(country="IR", platform="x")
    (counts,) = _files("ooni/recorded*/aggregation-by-day.json")
    assert len(rows_in(counts, NAMES, wanted, RowCounts())) == 3
    (scores,) = _files("ooni/constructed/aggregation-analysis.json")
    read = RowCounts()
    rows_in(scores, NAMES, RowFilter(), read)
    assert read.rows == read.unknown == 2


@pytest.mark.parametrize(
    ("pattern", "least"),
    [
        ("ooni/derived*/detector-changepoints.json", 1),
        ("ioda/constructed/outages-alerts.json", 1),
        ("ioda/constructed/outages-events-codf.json", 1),
        ("ioda/constructed/outages-events-ioda.json", 1),
        ("cloudflare_radar/constructed/annotations-outages.json", 1),
    ],
)
def test_findings_of_others_are_annotations(pattern: str, least: int) -> None:
    """`--annotate` reads each as it is."""
    (file,) = _files(pattern)
    assert len(annotations_in(file, NAMES)) >= least


async def _problem(client: Any, asked: Any) -> str:
    try:
        with pytest.raises(SourceFault) as caught:
            await asked
    finally:
        await client.close()
    return caught.value.problem


@pytest.mark.parametrize(
    ("name", "status", "problem"),
    [
        ("error-429", 429, "limited"),
        ("error-400-range", 400, "refused"),
        ("error-422-validation", 422, "refused"),
        ("aggregation-error-with-200", 200, "malformed"),
    ],
)
async def test_errors_of_ooni(name: str, status: int, problem: str) -> None:
    """Each by what follows from it."""
    client = OoniClient("https://o.test", _answers(DATA / f"ooni/constructed/{name}.json", status))
    assert await _problem(client, client.page({})) == problem


async def test_a_measurement_that_is_not_stored_yet_is_no_fault() -> None:
    """It is asked for again later."""
    file = DATA / "ooni/constructed/error-500-not-found.json"
    client = OoniClient("https://ooni.test", _answers(file, 500))
    assert await client.raw("20240217") == b""
    await client.close()


@pytest.mark.parametrize("file", _files("globalping/*/get-measurement-[dh]*"), ids=lambda f: f.stem)
async def test_results_of_globalping(file: Path) -> None:
    """Every probe's result is read, and each that says something is a measurement."""
    client = GlobalpingClient("https://globalping.test", _answers(file))
    done = await client.finished("any")
    await client.close()
    assert done.results
    for one in done.results:
        assert one is not None
        if not globalping_results.usable(one.result):
            continue
        if "dns" in file.stem:
            globalping_results.looked_up(NAME, one.result, BogonList())
        else:
            found, untold, reached = globalping_results.fetched(
                f"https://{NAME}/", NAME, 443, one.result
            )
            assert found or untold
            assert not reached or one.result.status == "finished"


@pytest.mark.parametrize(
    ("name", "status", "problem"),
    [
        ("documented-osl3/error-400-validation", 400, "refused"),
        ("documented-osl3/error-404", 404, "refused"),
        ("documented-osl3/post-measurements-429-rate", 429, "limited"),
        ("documented-osl3/post-measurements-429-credits", 429, "limited"),
        ("constructed/error-403-refused-client", 403, "refused"),
        ("constructed/error-500", 500, "failing"),
    ],
)
async def test_refusals_of_globalping(name: str, status: int, problem: str) -> None:
    """Each by what follows from it."""
    file = DATA / f"globalping/{name}.json"
    client = GlobalpingClient("https://globalping.test", _answers(file, status))
    question = Question(type="dns", target=NAME, locations=(), options={})
    assert await _problem(client, client.ask(question)) == problem


async def test_globalping_s_other_answers() -> None:
    """A quota, an accepted question, and a country without a probe."""
    folder = DATA / "globalping/documented-osl3"
    question = Question(type="dns", target=NAME, locations=(), options={})
    client = GlobalpingClient("https://g.test", _answers(folder / "get-limits-anonymous.json"))
    await client.limits()
    assert client.remaining is not None
    accepted = GlobalpingClient(
        "https://g.test", _answers(folder / "post-measurements-202.json", 202)
    )
    assert await accepted.ask(question)
    nobody = GlobalpingClient("https://g.test", _answers(folder / "error-422-no-probes.json", 422))
    assert await nobody.ask(question) == ""
    for one in (client, accepted, nobody):
        await one.close()


async def test_answers_of_ioda() -> None:
    """Alerts and signals are read, refusals are refusals."""
    folder = DATA / "ioda/constructed"
    client = IodaClient("https://ioda.test", _answers(folder / "outages-alerts.json"))
    assert await client.alerts(["ZZ"], AT, AT, 0)
    signals = IodaClient("https://ioda.test", _answers(folder / "signals-raw.json"))
    assert await signals.signals(["ZZ"], "bgp", AT, AT)
    for one in (client, signals):
        await one.close()
    for file in folder.glob("error-*"):
        refusing = IodaClient("https://ioda.test", _answers(file, 400))
        assert await _problem(refusing, refusing.alerts(["ZZ"], AT, AT, 0)) == "refused"


@pytest.mark.parametrize(
    "file", _files("ripe_atlas/[cr]*/[ds][ns][sl]*"), ids=lambda file: file.stem
)
async def test_results_of_ripe_atlas(file: Path) -> None:
    """Every result is read, and says what it shows without a word of its host."""
    client = AtlasClient("https://atlas.test", _answers(file))
    results, malformed = await client.results(1)
    await client.close()
    assert results
    assert malformed == 0
    for one in results:
        if one.type == "dns":
            atlas_results.looked_up(one, NAME, BogonList())
        else:
            found = atlas_results.greeted(one, NAME, Roots(), None, AT)
            assert found is None or "192.0.2.1" not in str(found)


async def test_a_refusal_of_ripe_atlas() -> None:
    """In its documented form."""
    file = DATA / "ripe_atlas/documented/error-400.json"
    client = AtlasClient("https://atlas.test", _answers(file, 400))
    assert await _problem(client, client.balance()) == "refused"
