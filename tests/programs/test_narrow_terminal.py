"""Long lines on a terminal of 80 columns: whole words there, one line each in a pipe."""

import asyncio
import subprocess
import sys
from pathlib import Path

from monitor.wire.invitation import write_token
from storage.open_store import sql_store
from storage.values.private_file import PRIVATE
from tests.collector.test_invitations import token
from tests.contract.cycles import cycle, event, log_entry
from tests.worlds.terminal import ROOT, shown_on_terminal

INIT = ("init", "made.toml", "--country", "PK", "--line", "direct 17557 PTCL", "--no-follow")


def _piped(words: tuple[str, ...], folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *words],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout.splitlines()


def _whole_words(words: tuple[str, ...], folder: Path) -> None:
    """On a terminal no line is too long, and its words are those of a pipe."""
    wide = _piped(words, folder)
    assert any(len(line) > 80 for line in wide)
    narrow = shown_on_terminal(words, folder)
    assert max(map(len, narrow)) <= 80
    assert " ".join(" ".join(wide).split()) in " ".join(" ".join(narrow).split())


def test_what_init_says_is_left_to_do(tmp_path: Path) -> None:
    """After it wrote the file."""
    _whole_words((*INIT, "--force"), tmp_path)


def test_an_event(tmp_path: Path) -> None:
    """Each line about it goes on below its label."""

    async def fill() -> None:
        store = sql_store(f"sqlite:///{tmp_path}/shutwatch.db")
        await store.open()
        await store.save(cycle(1), [event()], [log_entry(1, event())])
        await store.close()

    asyncio.run(fill())
    _whole_words(("event", "show", "event-1"), tmp_path)


def test_what_a_host_agrees_to(tmp_path: Path) -> None:
    """Before the question."""
    words = ("agent", "join", write_token(token(interval=300.0)), "--folder", str(tmp_path / "a"))
    wide, narrow = _piped(words, tmp_path), shown_on_terminal(words, tmp_path)
    assert any(len(line) > 80 for line in wide)
    assert max(map(len, narrow)) <= 80


def test_a_code_to_scan_fits_or_is_a_file(tmp_path: Path) -> None:
    """A terminal would fold a wider one, so that nothing could read it."""
    _piped(("init", "c.toml", "--country", "PK", "--collector", "198.51.100.9"), tmp_path)
    where = ("--country", "PK", "--asn", "17557", "--network", "PTCL", "--config", "c.toml")
    words = ("vantage", "invite", "khi-ptcl", *where, "--qr")
    narrow = shown_on_terminal(words, tmp_path)
    picture = tmp_path / "khi-ptcl-invitation.png"
    assert not [line for line in narrow if set("▀▄█") & set(line)]
    assert any("wider than this terminal: scan khi-ptcl-invitation.png" in line for line in narrow)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_mode & 0o777 == PRIVATE
    picture.unlink()
    wide = shown_on_terminal(words, tmp_path, columns=120)
    assert len([line for line in wide if set("▀▄█") & set(line)]) > 20
    assert not picture.exists()
