"""Where commands write. No test touches a device of this machine: those here are made for it."""

import gzip
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli.main import app
from monitor.export.output_file import filled_file, written_file


def _write(path: Path, data: bytes = b"new") -> None:
    with written_file(path) as out:
        out.write(data)


def _fill(path: Path, data: bytes = b"new") -> None:
    with filled_file(path) as name:
        name.write_bytes(data)


both = pytest.mark.parametrize("write", [_write, _fill])
Write = Callable[..., None]


@both
def test_a_new_file_has_the_usual_permissions(tmp_path: Path, write: Write) -> None:
    """Those that the process gives, and nothing else is left in the folder."""
    write(tmp_path / "new.csv")
    (tmp_path / "usual").touch()
    assert (tmp_path / "new.csv").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert sorted(one.name for one in tmp_path.iterdir()) == ["new.csv", "usual"]


@both
def test_an_old_file_is_replaced_and_keeps_its_permissions(tmp_path: Path, write: Write) -> None:
    """Whoever has it open goes on reading the old one."""
    file = tmp_path / "old.csv"
    file.write_bytes(b"old")
    file.chmod(0o600)
    with file.open("rb") as reading:
        write(file)
        assert (file.read_bytes(), reading.read()) == (b"new", b"old")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@both
def test_a_symlink_stays_and_its_target_is_replaced(tmp_path: Path, write: Write) -> None:
    """Through several links, into another folder, and where the target does not exist yet."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/latest").symlink_to("2024.csv")
    (tmp_path / "out.csv").symlink_to("data/latest")
    for data in (b"first", b"second"):
        write(tmp_path / "out.csv", data)
        assert (tmp_path / "data/2024.csv").read_bytes() == data
        assert not (tmp_path / "data/2024.csv").is_symlink()
    assert (tmp_path / "out.csv").is_symlink()
    assert (tmp_path / "data/latest").is_symlink()
    assert len(list(tmp_path.iterdir())) == len(list((tmp_path / "data").iterdir())) == 2


@both
def test_a_fifo_stays_a_fifo(tmp_path: Path, write: Write) -> None:
    """Its reader gets every byte, and then the end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write(pipe, b"x" * 200_000)
    reader.join(10)
    assert got == [b"x" * 200_000]
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


@both
def test_a_device_is_written_to_and_stays(tmp_path: Path, write: Write) -> None:
    """As root a rename would put a file in the place of /dev/null."""
    null = tmp_path / "null"
    try:
        os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        null.open("wb").close()
    except PermissionError:
        pytest.skip("devices cannot be made here")
    write(null)
    assert stat.S_ISCHR(null.lstat().st_mode)
    (tmp_path / "link").symlink_to("null")
    write(tmp_path / "link")
    assert stat.S_ISCHR(null.lstat().st_mode)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "null"]


@both
def test_a_terminal_is_written_to(write: Write) -> None:
    """Also by its name."""
    ours, theirs = os.openpty()
    try:
        write(Path(os.ttyname(theirs)))
        assert os.read(ours, 10) == b"new"
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_by_its_name_is_added_to(tmp_path: Path, name: str) -> None:
    """Where it is a file, what was in it stays, and the file stays the same one."""
    out = tmp_path / "out.csv"
    out.write_bytes(b"before\n")
    number = out.stat().st_ino
    with out.open("ab") as appended:
        _run(["export", "dictionary", "-o", name], stdout=appended.fileno())
    lines = out.read_text().splitlines()
    assert (lines[:2], out.stat().st_ino) == (["before", "file,column,unit,meaning"], number)
    assert list(tmp_path.iterdir()) == [out]


def test_a_shells_process_substitution_gets_the_file(tmp_path: Path) -> None:
    """`-o >(gzip > file)`."""
    out = tmp_path / "out.gz"
    command = '"$0" -m monitor export dictionary -o >(gzip > "$1"); wait $!'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, str(out)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert gzip.decompress(out.read_bytes()).startswith(b"file,column,unit,meaning\r\n")


def _run(arguments: list[str], stdout: int) -> None:
    command = [sys.executable, "-m", "monitor", *arguments]
    subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, check=True, timeout=60)


@both
def test_a_failure_leaves_the_old_file_alone(tmp_path: Path, write: Write) -> None:
    """Nothing half-written is left, neither under its name nor beside it."""
    file = tmp_path / "old.csv"
    file.write_bytes(b"old")
    for name in ("old.csv", "new.csv"):
        with pytest.raises(KeyboardInterrupt):
            _fails(tmp_path / name, written=write is _write)
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def _fails(path: Path, *, written: bool) -> None:
    if written:
        with written_file(path) as out:
            out.write(b"half")
            out.flush()
            raise KeyboardInterrupt
    with filled_file(path) as name:
        name.write_bytes(b"half")
        raise KeyboardInterrupt


@both
def test_a_folder_is_refused(tmp_path: Path, write: Write) -> None:
    """It is no file, and nothing is made in it."""
    with pytest.raises(IsADirectoryError):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_cannot_read_keeps_the_old_file(tmp_path: Path) -> None:
    """The export fails after its file was begun."""
    config, file = tmp_path / "shutwatch.toml", tmp_path / "old.csv"
    config.write_text('database = "sqlite:///none.db"\n[[vantage]]\nid = "a"\ncountry = "PK"\n')
    file.write_bytes(b"old")
    arguments = ["export", "csv", "events", "-o", str(file), "-c", str(config)]
    assert CliRunner().invoke(app, arguments).exit_code == 2
    assert file.read_bytes() == b"old"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["old.csv", "shutwatch.toml"]
