"""`replay FILE`: words, CSV, JSON and a picture of the same events."""

import csv
import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from monitor.cli.main import app
from monitor.export.columns import EVENT_COLUMNS

BEGUN = datetime(2024, 2, 17, tzinfo=UTC)
HEADER = (
    "domain,probe_cc,probe_asn,probe_as_org_name,measurement_start_time,dns_blocked,dns_down,"
    "dns_ok,tcp_blocked,tcp_down,tcp_ok,tls_blocked,tls_down,tls_ok,top_tls_failure\n"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """X blocked by SNI on two networks of Pakistan, in rows of OONI's analysis; a third is open."""
    lines = [HEADER]
    for step in range(24 * 20):
        at = BEGUN - timedelta(days=10) + timedelta(hours=step)
        for asn, name in ((17557, "PTCL"), (9541, "Cybernet"), (38193, "Transworld")):
            blocked = at >= BEGUN and asn != 38193
            scores = "0,0,0.9,0,0,1,0.8,0.2,0,connection_reset"
            if not blocked:
                scores = "0,0,0.9,0,0,1,0,0,1,"
            lines.append(f"twitter.com,PK,{asn},{name},{at:%Y-%m-%d %H:%M:%S}.000,{scores}\n")
    path = tmp_path_factory.mktemp("data") / "analysis.csv"
    path.write_text("".join(lines))
    return path


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, arguments)])


def test_json_has_what_the_interface_promises(data: Path) -> None:
    """One object an event on standard output, and nothing else there."""
    done = _run(data, "--json")
    assert done.exit_code == 0, done.output
    (event,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert event["networks"] == [9541, 17557]
    assert event["methods"] == ["tls.reset"]
    assert (event["state"], event["scope"]) == ("confirmed", "full")
    assert event["onset_earliest"] == "2024-02-16T23:00:00Z"
    assert event["onset_latest"] == "2024-02-17T00:00:00Z"
    assert "2024-02-17T00:00:00Z" < event["detected_at"] <= event["confirmed_at"]
    assert event["confirmed_at"] < "2024-02-17T06:00:00Z"
    assert (event["end_earliest"], event["end_latest"]) == (None, None)
    assert "1,440 of 1,440 rows" in done.stderr


def test_words_and_a_timeline(data: Path) -> None:
    """When, how, on which networks, and a line for each."""
    done = _run(data)
    assert done.exit_code == 0
    assert "PK x: confirmed, full, tls.reset, 2 of 3 networks" in done.stdout
    assert "onset 2024-02-16 23:00 … 2024-02-17 00:00; end not seen to end" in done.stdout
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if "─" in line}
    assert lines["AS9541"].endswith("█")
    assert lines["AS17557"].count("█") > 20
    assert "█" not in lines["AS38193"]
    assert "CC BY-NC-SA 4.0" in done.stdout


def test_csv_has_the_columns_of_exported_events(data: Path, tmp_path: Path) -> None:
    """In a file, whole or not at all, or on standard output."""
    path = tmp_path / "events.csv"
    done = _run(data, "--csv", path, "--json")
    assert done.exit_code == 0
    with path.open(newline="") as file:
        header, row = list(csv.reader(file))
    assert header == [column.name for column in EVENT_COLUMNS]
    assert dict(zip(header, row, strict=True))["platform"] == "x"
    assert [one.name for one in tmp_path.iterdir()] == ["events.csv"]
    program = [sys.executable, "-m", "monitor", "replay", str(data), "--csv", "-"]
    printed = subprocess.run(program, capture_output=True, check=True).stdout.decode()
    assert list(csv.reader(io.StringIO(printed))) == [header, row]


def test_a_picture_is_drawn(data: Path, tmp_path: Path) -> None:
    """A PNG, with red where it was blocked, blue where open, and grey without data."""
    path = tmp_path / "timeline.png"
    done = _run(data, "--plot", path)
    assert done.exit_code == 0, done.output
    image = Image.open(path).convert("RGB")
    assert image.width > 1500
    counted = {colour: count for count, colour in image.getcolors(1 << 20) or ()}
    whole = image.width * image.height
    assert counted[0xB2, 0x18, 0x2B] > 0.05 * whole
    assert counted[0x43, 0x93, 0xC3] > 0.05 * whole


@pytest.mark.parametrize("missing", ["resvg_py", "uharfbuzz"])
def test_a_picture_without_a_library_says_what_to_install(
    missing: str, data: Path, tmp_path: Path
) -> None:
    """In an interpreter that cannot import it."""
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from monitor.cli.main import app\n"
        f"app(['replay', {str(data)!r}, '--plot', {str(tmp_path / 'a.png')!r}])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 2
    assert missing.encode() in done.stderr
    assert b"-m pip install 'resvg-py>=" in done.stderr


def test_what_cannot_be_done_is_said(data: Path, tmp_path: Path) -> None:
    """Unknown platform, zone, moment, file: exit 2 and the reason."""
    for arguments, word in (
        ([data, "--platform", "myspace"], "myspace"),
        ([data, "--timezone", "Mars/Olympus"], "Mars/Olympus"),
        ([data, "--since", "soon"], "--since"),
        ([tmp_path / "none.csv"], "No such file"),
        ([data, "--json", "--csv", "-"], "standard output"),
        ([data, "--country", "BR", "--plot", tmp_path / "a.png"], "no data"),
    ):
        done = _run(*arguments)
        assert (done.exit_code, word in done.stderr) == (2, True), done.output


def test_the_same_rows_in_any_order_give_the_same_events(data: Path, tmp_path: Path) -> None:
    """Files need not be sorted, and rows that stand there twice count once."""
    header, *lines = data.read_text().splitlines(keepends=True)
    with_ids = [f"{line.rstrip()},id-{number}\n" for number, line in enumerate(lines)]
    top = header.rstrip() + ",measurement_uid\n"
    sorted_once, shuffled = tmp_path / "sorted.csv", tmp_path / "shuffled.csv"
    sorted_once.write_text("".join([top, *with_ids]))
    shuffled.write_text("".join([top, *reversed(with_ids), *with_ids[:700]]))
    assert _run(shuffled, "--json").stdout == _run(sorted_once, "--json").stdout
