"""From a cycle to what waits in the spool."""

import gzip
import os
import struct
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from monitor.agent.batch_body import BatchMaker
from monitor.agent.boot_key import boot_key, boot_key_file, boot_key_files
from monitor.agent.collector_clock import AgentClock
from monitor.agent.saved_state import TrafficOfDay
from monitor.agent.spooling import SpoolRecorder
from monitor.config.load import default_settings
from monitor.keys.sealing import sealing_text
from monitor.wire.batch import MOST_PACKED, Batch, CycleReport
from monitor.wire.envelope import open_body
from probes.measurement import HttpObservation
from storage.agent.spool import Spool, Waiting
from tests.contract.cycles import cycle, measurement
from tests.worlds.agent_collector import SEALING
from tests.worlds.agent_world import BOOT_KEY, VANTAGE, Time


def maker(clock: AgentClock) -> BatchMaker:
    """Of an agent."""
    return BatchMaker(VANTAGE, sealing_text(SEALING), clock, BOOT_KEY)


def report_in(waiting: Waiting) -> CycleReport:
    """As a collector reads it."""
    body = gzip.decompress(open_body(SEALING, waiting.body))
    (report,) = msgspec.json.decode(body, type=Batch).reports
    return report


def test_odd_text_costs_its_odd_characters_alone() -> None:
    """A page whose title holds a lone surrogate, which no JSON can, must not cost the cycle."""
    odd = HttpObservation(
        start=0.0, duration=0.1, url="https://x.com/", address="192.0.2.1", title="a\ud800b"
    )
    whole = cycle(1, measurements=(measurement("one", 300, observations=(odd,)),))
    (look,) = report_in(maker(AgentClock(Time().machine)).make(whole)).measurements
    (seen,) = look.observations
    assert isinstance(seen, HttpObservation)
    assert seen.title == "a\ufffdb"
    assert look.id == "one"


async def test_of_a_cycle_too_large_the_vantages_own_measurements_are_dropped(
    tmp_path: Path,
) -> None:
    """What controls measured for it is at the collector already, and was counted as lost."""
    title = os.urandom(MOST_PACKED).hex()
    page = HttpObservation(
        start=0.0, duration=0.1, url="https://x.com/", address="192.0.2.1", title=title
    )
    of_control = msgspec.structs.replace(measurement("two", 301), vantage="ams")
    own = measurement("one", 300, vantage=VANTAGE, observations=(page,))
    whole = cycle(1, vantage=VANTAGE, measurements=(own, of_control))
    clock = AgentClock(Time().machine)
    spool = Spool(tmp_path / "spool.db", limit=50_000_000)
    await spool.open()
    none = TrafficOfDay(day=whole.finished_at.date(), looks={}, uploaded=0)
    await SpoolRecorder(
        default_settings(), spool, maker(clock), clock, lambda: none, lambda: None
    ).record(whole)
    holding = await spool.holding()
    await spool.close()
    assert (holding.dropped, holding.batches) == (1, 0)


def test_what_has_no_date_gets_it_as_long_as_the_machine_is_on() -> None:
    """Once a collector told the time, from the process that made it or the next one. After the
    machine started anew nobody can read it, or know when it was."""
    clock = AgentClock(Time(behind=3600.0).machine)
    whole = cycle(1)
    waiting = maker(clock).make(whole)
    assert (report_in(waiting).dated, report_in(waiting).offset) == (False, 0.0)
    assert maker(clock).dated(waiting) is None
    asked = clock.machine.since_boot()
    clock.heard(whole.finished_at.replace(year=2026), asked, asked)
    dated = maker(clock).dated(waiting)
    assert dated is not None
    assert (dated.id, dated.undated, report_in(dated).dated) == (waiting.id, b"", True)
    assert report_in(dated).offset != 0.0
    assert report_in(dated).measurements == report_in(waiting).measurements
    assert maker(clock).make(whole).undated == b""
    later = AgentClock(Time(boot="second").machine)
    later.heard(whole.finished_at, asked, asked)
    assert maker(later).dated(waiting) is None
    without_the_key = BatchMaker(VANTAGE, sealing_text(SEALING), clock, b"other".ljust(32, b"."))
    assert without_the_key.dated(waiting) is None


def test_what_another_version_left_undated_stays_so_and_stops_nothing() -> None:
    """The agent was updated before it heard a collector. It could not read what waited, and
    delivered nothing until the machine was started anew: this is done before any delivery."""
    clock = AgentClock(Time(behind=3600.0).machine)
    whole = cycle(1)
    waiting = maker(clock).make(whole)
    asked = clock.machine.since_boot()
    clock.heard(whole.finished_at, asked, asked)
    nonce, bound = bytes(12), f"{waiting.id} {clock.machine.boot}".encode()
    packed = gzip.compress(b'{"format": 99, "cycles": []}')
    text = struct.pack("<d", asked) + packed
    other = nonce + ChaCha20Poly1305(BOOT_KEY).encrypt(nonce, text, bound)
    assert maker(clock).dated(msgspec.structs.replace(waiting, undated=other)) is None


def test_the_key_lives_in_memory_for_the_next_process_and_nobody_else(tmp_path: Path) -> None:
    """In the folder that systemd names for it, else in shared memory; where that is not possible it
    is a key of the process alone."""
    spool = Path("/var/lib/agent/spool.db")
    assert boot_key_file(spool, {}).parent == Path("/dev/shm")  # noqa: S108 # of no program
    file = boot_key_file(
        spool, {"RUNTIME_DIRECTORY": f"{tmp_path}:/run/b", "XDG_RUNTIME_DIR": "/x"}
    )
    assert file.parent == tmp_path
    assert file != boot_key_file(Path("/elsewhere/spool.db"), {"RUNTIME_DIRECTORY": str(tmp_path)})
    key = boot_key(file)
    assert (len(key), file.stat().st_mode & 0o777) == (32, 0o600)
    assert boot_key(file) == key
    file.write_bytes(b"half")
    again = boot_key(file)
    assert again == boot_key(file) != key
    link = tmp_path / "link"
    link.symlink_to(file)
    assert boot_key(link) not in (again, boot_key(link))
    assert boot_key(tmp_path / "nowhere" / "key") != boot_key(tmp_path / "nowhere" / "key")


def test_the_key_is_sought_wherever_an_agent_may_have_put_it(tmp_path: Path) -> None:
    """Root wipes with another environment than systemd gave the agent, and so does a person who
    signed in otherwise: the folders of the service, of the spool's owner and of all programs."""
    spool = tmp_path / "spool.db"
    named = {"RUNTIME_DIRECTORY": "/run/a:/run/b", "XDG_RUNTIME_DIR": "/run/c"}
    sought = boot_key_files(spool, named)
    assert [str(one.parent) for one in sought] == [
        *("/run/a", "/run/b", "/run/c", "/run/shutwatch-agent"),
        *(f"/run/user/{os.getuid()}", "/dev/shm"),  # noqa: S108 # of no program
    ]
    assert {one.name for one in sought} == {boot_key_file(spool, {}).name}
    assert boot_key_files(spool, {})[:2] == sought[3:5]
    if os.geteuid() == 0:
        os.chown(tmp_path, 4321, -1)
        assert Path(f"/run/user/4321/{sought[0].name}") in boot_key_files(spool, {})
