"""A report says what others measured while a block lasted, and whose data that is."""

from pathlib import Path
from zipfile import ZipFile

from storage.values.sourced import SourcedRow, SourceState
from tests.contract.cycles import at
from tests.worlds.memory_store import MemoryStore
from tests.worlds.report_world import made, told


async def _report(
    folder: Path, *failed: float, source: str = "ooni", methods: tuple[str, ...] = ()
) -> str:
    store = MemoryStore(page=5)
    await store.open()
    await told(store)
    rows = [
        SourcedRow(
            country="PK",
            source=source,
            uid=f"u{number}",
            measured_at=at(1500 + number),
            received_at=at(1600),
            asn=17557,
            platform="x",
            test="web_connectivity",
            failed=one,
            methods=methods,
            licence="CC BY-NC-SA 4.0",
        )
        for number, one in enumerate(failed)
    ]
    if rows:
        await store.add_sourced(rows, source, SourceState())
    out = folder / "report.zip"
    await made(out, store=store)
    await store.close()
    with ZipFile(out) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith("report.html")]
        assert not [one for one in archive.namelist() if "sourced" in one]
        return archive.read(name).decode()


async def test_a_second_witness_stands_beside_what_was_detected(tmp_path: Path) -> None:
    """With the credit that its data asks for; none of its rows is in a file."""
    text = await _report(tmp_path, 1.0, 1.0, 0.0)
    assert "OONI agrees: 2 of 3 tests failed, 1 network" in text
    assert "Data: OONI (ooni.org), CC BY-NC-SA 4.0" in text


async def test_a_report_without_a_source_says_nothing_of_others(tmp_path: Path) -> None:
    """Whoever follows nobody has no second witness."""
    assert "What others measured" not in await _report(tmp_path)


async def test_a_second_opinion_stands_there_with_its_grade(tmp_path: Path) -> None:
    """What probes of strangers found on one network alone is weak, however often."""
    text = await _report(tmp_path, 1.0, 1.0, 1.0, source="globalping", methods=("tls.reset",))
    assert "Globalping agrees (evidence: weak): 3 of 3 tests failed, 1 network" in text
    assert "measured with Globalping (globalping.io)" in text
