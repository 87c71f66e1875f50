"""What an agent learnt of its network, over its restarts and not beyond the machine's."""

import base64
from pathlib import Path

import pytest

from monitor.agent.encrypted_memory import EncryptedMemory
from monitor.agent.saved_state import NETWORK
from storage.agent.spool import Spool
from storage.values.verified_before import VerifiedBefore
from tests.worlds.agent_world import BOOT_KEY, VANTAGE

KNOWN = VerifiedBefore(
    vantage=VANTAGE, country="PK", asn=17557, addresses={"x.com": ("10.9.8.7", "192.0.2.1")}
)


async def _kept(file: Path) -> dict[str, str]:
    """The notes of a spool in which it was kept."""
    spool = Spool(file, limit=10_000_000)
    await spool.open()
    try:
        memory = EncryptedMemory(spool, BOOT_KEY, "first")
        await memory.keep(KNOWN)
        await memory.keep(KNOWN)
        return await spool.notes()
    finally:
        await spool.close()


def _all_of(folder: Path) -> bytes:
    return b"".join(one.read_bytes() for one in folder.iterdir())


def _reader(spool: Path, key: bytes = BOOT_KEY, boot: str = "first") -> EncryptedMemory:
    return EncryptedMemory(Spool(spool, limit=1), key, boot)


async def test_an_agent_that_is_started_anew_goes_on_with_it(tmp_path: Path) -> None:
    """As an update starts it."""
    notes = await _kept(tmp_path / "spool.db")
    assert _reader(tmp_path / "spool.db").read(notes) == (KNOWN,)


async def test_attack_a_machine_that_was_taken_away_does_not_tell_it(tmp_path: Path) -> None:
    """The key went with the power. Neither the file nor the note names what was measured."""
    file = tmp_path / "spool.db"
    notes = await _kept(file)
    assert _reader(file, key=b"another".ljust(32, b".")).read(notes) == ()
    assert _reader(file, boot="second").read(notes) == ()
    written = _all_of(tmp_path)
    assert notes[NETWORK].encode() in written
    for said in (b"x.com", b"10.9.8.7", base64.b64encode(b"x.com")[:6]):
        assert said not in written


@pytest.mark.parametrize("note", ["", "é", "AAAA", base64.b64encode(bytes(40)).decode()])
def test_a_damaged_note_is_none(note: str, tmp_path: Path) -> None:
    """The agent starts and learns anew."""
    assert _reader(tmp_path / "spool.db").read({NETWORK: note}) == ()
    assert _reader(tmp_path / "spool.db").read({}) == ()
