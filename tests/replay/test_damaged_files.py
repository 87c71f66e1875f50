"""Files that cannot be replayed: a sentence names the file, and where it is wrong."""

import gzip
import os
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli.main import app
from monitor.config.catalog import shipped_catalog
from monitor.replay.formats import RowCounts, RowFilter
from monitor.replay.imported_row import ReplayError
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.row_files import rows_in

NAMES = PlatformLookup(shipped_catalog())
NO_SITE = "measurement_start_time,probe_asn,probe_cc,anomaly,note\n"
"""Of rows that do not say which site was measured."""


def test_other_files_are_told_what_they_are(tmp_path: Path) -> None:
    """Missing, packed with zstd, a damaged gzip file, no text."""
    cases = {
        "a.zst": (b"\x28\xb5\x2f\xfd1234", "unzstd"),
        "a.gz": (b"\x1f\x8b1234", "damaged gzip"),
        "a.bin": (b"t,asn\n\xff\xfe\xff", "not UTF-8"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ReplayError, match=message):
            rows_in(tmp_path / name, NAMES, RowFilter(), RowCounts())
    with pytest.raises(ReplayError, match="No such file"):
        rows_in(tmp_path / "none.csv", NAMES, RowFilter(), RowCounts())


def _no_site() -> bytes:
    return (NO_SITE + "2024-02-17 00:00:00,AS17557,PK,1,\n" * 60_000).encode()


DAMAGED = {
    "a download cut off": (gzip.compress(_no_site())[:-50], "a damaged gzip file"),
    "another encoding in its last line": (_no_site() + b"2024-02-17,AS1,PK,1,\xff\n", "not UTF-8"),
    "a cell of a book": (
        _no_site() + b"2024-02-17,AS1,PK,1," + b"a" * (2 << 20) + b"\n",
        ":60002: not CSV: field larger than field limit",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_beyond_rows_without_a_site_is_named(tmp_path: Path, case: str) -> None:
    """The whole file is read to find their platform. A traceback came of it, or `Aborted!`."""
    content, message = DAMAGED[case]
    path = tmp_path / "some.csv"
    path.write_bytes(content)
    done = CliRunner().invoke(app, ["replay", str(path)])
    assert (done.exit_code, message in done.stderr) == (2, True), done.output
    assert "some.csv" in done.stderr


def test_a_cell_longer_than_python_s_limit_is_read(tmp_path: Path) -> None:
    """Also where the platform of rows without a site is searched for."""
    path = tmp_path / "telegram.csv"
    path.write_text(NO_SITE + f"2024-02-17,AS1,PK,1,{'a' * 200_000}\n")
    (row,) = rows_in(path, NAMES, RowFilter(), RowCounts())
    assert row.platform == "telegram"


def test_objects_within_objects_without_end_are_no_json(tmp_path: Path) -> None:
    """They ended in a traceback."""
    path = tmp_path / "deep.json"
    path.write_text("[" * 100_000)
    with pytest.raises(ReplayError, match=r"deep.json:1: not JSON"):
        rows_in(path, NAMES, RowFilter(), RowCounts())


@pytest.mark.parametrize("packed", [False, True])
def test_what_another_program_writes_is_read_once(tmp_path: Path, packed: bool) -> None:
    """As `replay <(unzstd -c rows.csv.zst)`: what a pipe gave is gone."""
    path = tmp_path / "telegram.fifo"
    os.mkfifo(path)
    content = (NO_SITE + "2024-02-17,AS1,PK,1,\n" * 3).encode()
    content = gzip.compress(content) if packed else content
    writer = threading.Thread(target=path.write_bytes, args=(content,), daemon=True)
    writer.start()
    assert len(rows_in(path, NAMES, RowFilter(), RowCounts())) == 3
    writer.join(5)
