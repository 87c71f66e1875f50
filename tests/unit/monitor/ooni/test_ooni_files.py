"""OONI's files: in any layout, and one broken line loses no other."""

import bz2
import codecs
import gzip
import lzma
import os
import tarfile
import threading
import zipfile
from pathlib import Path

import msgspec
import pytest

from monitor.ooni.ooni_files import measurements_in
from monitor.ooni.ooni_format import OoniError, decode
from monitor.replay.imported_row import ReplayError
from monitor.replay.row_files import text_of
from tests.worlds.ooni_reports import connect, report

TELEGRAM = msgspec.json.encode(report("telegram", tcp_connect=[connect("149.154.167.51")]))


def _in(path: Path, data: bytes) -> list[tuple[str, bytes]]:
    path.write_bytes(data)
    return list(measurements_in(path))


def test_one_object_a_file_in_any_layout(tmp_path: Path) -> None:
    """On one line or on many, plain or packed."""
    plain = TELEGRAM
    pretty = msgspec.json.format(plain, indent=2)
    marked = codecs.BOM_UTF8 + plain
    several = (plain, plain + b"\n", pretty, gzip.compress(pretty), marked, gzip.compress(marked))
    for number, data in enumerate(several):
        ((source, text),) = _in(tmp_path / f"{number}.json", data)
        assert source == str(tmp_path / f"{number}.json")
        assert decode(text) == decode(plain)


def test_one_object_a_line(tmp_path: Path) -> None:
    """Each with the line it stands on; empty lines count and are left out."""
    data = TELEGRAM + b"\n\n" + TELEGRAM + b"\n"
    for packed in (data, gzip.compress(data)):
        found = _in(tmp_path / "many.jsonl.gz", packed)
        assert [source.rpartition(":")[2] for source, _ in found] == ["1", "3"]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"{}", b'{"raw_measurement": ""}'])
def test_an_answer_without_a_measurement_says_so(tmp_path: Path, data: bytes) -> None:
    """OONI has none of that id, or nothing was saved."""
    ((_, text),) = _in(tmp_path / "none.json", data)
    with pytest.raises(OoniError, match="holds no measurement"):
        decode(text)


def test_damaged_gzip_is_an_error_in_words(tmp_path: Path) -> None:
    """The message names the damaged file, not a bad measurement."""
    half = gzip.compress(TELEGRAM)[:-20]
    with pytest.raises(OoniError, match="damaged gzip"):
        _in(tmp_path / "half.gz", half)


@pytest.mark.parametrize(
    ("before", "numbers"),
    [
        (b"\n", "23"),
        (b" \r\n\n", "34"),
        (TELEGRAM[:30] + b"\n", "123"),
        (TELEGRAM[:30] + b"\n\n" + TELEGRAM[9:50] + b"\n", "1345"),
        (b'{"\xff": 1}\n', "123"),
        (b'{"a":' * 100_000 + b"\n", "123"),
    ],
)
def test_first_lines_that_are_blank_or_broken_lose_no_other(
    tmp_path: Path, before: bytes, numbers: str
) -> None:
    """Only what is blank is left out; what is broken keeps its number for the message."""
    data = before + TELEGRAM + b"\n" + TELEGRAM
    found = _in(tmp_path / "some.jsonl", data)
    assert [source.rpartition(":")[2] for source, _ in found] == list(numbers)
    assert [decode(text) for _, text in found[-2:]] == [decode(TELEGRAM)] * 2


@pytest.mark.parametrize("indent", [0, 2])
def test_a_damaged_object_of_many_lines_is_one(tmp_path: Path, indent: int) -> None:
    """Some of its lines are objects, but no measurements."""
    pretty = msgspec.json.format(TELEGRAM, indent=2).replace(
        b'"queries": null', b'"queries":\n[\n{}\n]'
    )
    lines = [line if indent else line.lstrip() for line in pretty.splitlines()]
    ((source, text),) = _in(tmp_path / "pretty.json", b"\n".join(lines))
    assert decode(text) == decode(TELEGRAM)
    ((source, _),) = _in(tmp_path / "pretty.json", b"\n".join(lines[:-3]))
    assert source == str(tmp_path / "pretty.json")


def test_a_list_of_measurements_is_one_mistake(tmp_path: Path) -> None:
    """A measurement on each line, but between brackets and commas."""
    data = b"[\n" + TELEGRAM + b",\n" + TELEGRAM + b"\n]\n"
    assert len(_in(tmp_path / "list.json", data)) == 1


def test_packed_with_zstd_says_what_to_do(tmp_path: Path) -> None:
    """As in a replay."""
    with pytest.raises(OoniError, match=r"packed with zstd: unpack it first, `unzstd some.zst`"):
        _in(tmp_path / "some.zst", b"\x28\xb5\x2f\xfd1234")


@pytest.mark.parametrize("packing", ["tar", "tar.gz", "zip", "xz", "bz2"])
def test_other_packing_says_what_to_do(tmp_path: Path, packing: str) -> None:
    """OONI's archive has tar files, and spreadsheets come as zip."""
    measured, packed = tmp_path / "one.json", tmp_path / f"one.{packing}"
    measured.write_bytes(b"{}" * 400)
    match packing:
        case "tar" | "tar.gz":
            with tarfile.open(packed, "w:gz" if packing == "tar.gz" else "w") as archive:
                archive.add(measured, "2024021700/one.json")
            tool = "tar -xf"
        case "zip":
            with zipfile.ZipFile(packed, "w") as several:
                several.write(measured, "one.json")
            tool = "unzip"
        case "xz":
            packed.write_bytes(lzma.compress(measured.read_bytes()))
            tool = "unxz"
        case _:
            packed.write_bytes(bz2.compress(measured.read_bytes()))
            tool = "bunzip2"
    with pytest.raises(OoniError, match=f"unpack it first, `{tool} {packed.name}`"):
        list(measurements_in(packed))
    with pytest.raises(ReplayError, match=f"unpack it first, `{tool} "), text_of(packed) as text:
        text.read()


@pytest.mark.parametrize("packed", [False, True])
def test_a_pipe_is_read_once(tmp_path: Path, packed: bool) -> None:
    """As `judge ooni <(unzstd -c some.jsonl.zst)`: what it gave is gone."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    content = (TELEGRAM + b"\n") * 2
    content = gzip.compress(content) if packed else content
    writer = threading.Thread(target=path.write_bytes, args=(content,), daemon=True)
    writer.start()
    assert len(list(measurements_in(path))) == 2
    writer.join(5)
