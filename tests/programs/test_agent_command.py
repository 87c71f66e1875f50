"""`shutwatch agent`: what a host types."""

import fcntl
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.agent.boot_key import boot_key, boot_key_file
from monitor.agent.paths import AgentFiles
from monitor.keys.keys import fingerprint, grouped, load, load_or_make, public_text
from monitor.keys.sealing import keys_fingerprint
from monitor.wire.invitation import write_token
from storage.agent.spool import Spool
from tests.collector.test_invitations import token as token_of
from tests.unit.monitor.agent.test_agent_orders import AGENT
from tests.unit.storage.test_spool import batch

HOLDS_THE_LOCK = """
import fcntl, os, sys, time
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print(os.getpid(), file=lock, flush=True)
print("held", flush=True)
time.sleep(60)
"""


def shutwatch(*words: str, text_in: str = "") -> subprocess.CompletedProcess[str]:
    """As a host types it."""
    return subprocess.run(
        [sys.executable, "-m", "monitor", "agent", *words],
        capture_output=True,
        text=True,
        input=text_in,
        check=False,
        timeout=60,
    )


LEFTOVERS = (
    *("spool.db", "spool.db-wal", "spool.db-shm", "spool.db-journal", "spool.db.damaged"),
    *("spool.db.damaged-wal", "spool.db.settings", "spool.db.settings.partial"),
    *("spool.db.paused", "agent-key.pem.17.partial", "agent-key.pem~"),
    *("agent.toml~", "agent.toml.bak", ".agent.toml.swp", ".agent.toml.swo", "#agent.toml#"),
    *("agent.toml.save", "agent.toml.orig", "agent.toml (copy)"),
    *("environment", "environment~", ".environment.swp"),
)
"""What an agent, SQLite and editors leave."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An agent's, as `join` leaves it."""
    made = tmp_path / "agent"
    made.mkdir(mode=0o700)
    (made / "agent.toml").write_text(AGENT)
    load_or_make(made / "agent-key.pem")
    return made


def test_key_tells_the_host_what_the_operator_lists(folder: Path) -> None:
    """The public key and both fingerprints; never the private half."""
    public = public_text(load(folder / "agent-key.pem"))
    told = shutwatch("key", "-c", str(folder / "agent.toml")).stdout
    assert public in told
    assert fingerprint(public) in told.replace(" ", "")
    assert "PRIVATE" not in told


def test_join_refuses_what_is_no_invitation_and_a_folder_in_use(folder: Path) -> None:
    """With exit code 2 and no word of the token; nothing is asked and nothing written."""
    wrong = shutwatch("join", "tskey-secret", "--folder", str(folder.parent / "new"))
    assert (wrong.returncode, "begins with shutwatch1_" in wrong.stderr) == (2, True)
    assert "tskey-secret" not in wrong.stderr
    assert not (folder.parent / "new").exists()
    token = write_token(token_of(collectors=("https://127.0.0.1:9",)))
    used = shutwatch("join", "-", "--yes", "--folder", str(folder), text_in=f"{token}\n")
    assert (used.returncode, "has an agent already" in used.stderr) == (2, True)
    assert (folder / "agent.toml").read_text() == AGENT


def test_join_shows_what_a_host_agrees_to_before_anything_happens(tmp_path: Path) -> None:
    """Which platforms, how much traffic, which collector, and its keys' fingerprint. Who says no
    has made no connection, no key and no file."""
    listening = socket.create_server(("127.0.0.1", 0))
    where = f"https://127.0.0.1:{listening.getsockname()[1]}"
    token = token_of(collectors=(where,), platforms=("x", "whatsapp", "ours"), profile="quiet")
    folder = tmp_path / "agent"
    typed = f"{write_token(token)}\nn\n"  # asked for, so that no shell keeps it
    done = shutwatch("join", "--folder", str(folder), text_in=typed)
    assert done.returncode == 1
    shown = grouped(keys_fingerprint(token.collector_key, token.sealing_key))
    for words in (
        *("lhe-ptcl (PK, AS17557 PTCL, quiet)", "Every 5m", "  x, whatsapp\n", "300 MB a day"),
        *(
            where,
            shown,
            "unless you accept them later: ours",
            "once, until 2026-03-01 13:00 UTC",
            "docs/risk.md",
            "Do you agree",
        ),
    ):
        assert words in done.stdout
    assert not folder.exists()
    listening.setblocking(False)
    with pytest.raises(BlockingIOError):
        listening.accept()
    listening.close()


async def test_status_tells_what_waits_what_was_given_up_and_what_was_refused(
    folder: Path,
) -> None:
    """From the files alone, while something else has them open."""
    spool = Spool(folder / "spool.db", limit=10**6)
    await spool.open()
    await spool.put(batch(1))
    await spool.put_aside("batch 1", "malformed", "as the test says")
    await spool.put(batch(2))
    await spool.give_up(7)
    done = shutwatch("status", "--json", "-c", str(folder / "agent.toml"))
    told = json.loads(done.stdout)
    assert (told["running"], told["spooled"], told["dropped"]) == (False, 10, 7)
    assert [one["reason"] for one in told["refused"]] == ["malformed"]
    text = shutwatch("status", "-c", str(folder / "agent.toml")).stdout
    assert "Waiting: 10 measurements" in text
    assert "Given up because the spool was full: 7 measurements" in text
    assert "malformed, as the test says" in text
    await spool.close()


def test_pause_holds_until_resume(folder: Path) -> None:
    """It is a mark in a file, so it outlives whatever runs. Said twice it is the same."""
    config = str(folder / "agent.toml")
    for word, paused in (("pause", True), ("resume", False)):
        for _ in range(2):
            assert shutwatch(word, "-c", config).returncode == 0
        assert json.loads(shutwatch("status", "--json", "-c", config).stdout)["paused"] is paused


def test_pause_needs_no_file_that_loads(folder: Path) -> None:
    """A host in a hurry types it where the proxy's password is in the service's environment alone,
    or where the file is half edited. It was refused, and the agent tested on."""
    config = folder / "agent.toml"
    proxy = f'{AGENT}proxy = "socks5://host:${{ONLY_THE_SERVICE_HAS_IT}}@127.0.0.1:9"\n'
    for text in (proxy, f"{AGENT}[half\n"):
        config.write_text(text)
        (folder / "spool.db").touch()
        for word, paused in (("pause", True), ("resume", False)):
            done = shutwatch(word, "-c", str(config))
            assert done.returncode == 0, done.stderr
            assert (folder / "spool.db.paused").exists() is paused
        (folder / "spool.db").unlink()
        refused = shutwatch("pause", "-c", str(config))  # nothing there can be paused
        assert (refused.returncode, refused.stdout) == (2, "")
        assert not (folder / "spool.db.paused").exists()


def test_wipe_ends_the_agent_and_leaves_nothing(folder: Path) -> None:
    """A process that holds the lock is told to end; then every file is gone, and nothing else."""
    files = AgentFiles(
        config=folder / "agent.toml", key=folder / "agent-key.pem", spool=folder / "spool.db"
    )
    for name in LEFTOVERS:
        (folder / name).write_bytes(b"secret")
    (folder / "mine").write_text("not the agent's")
    holder = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            HOLDS_THE_LOCK,
            str(files.lock),
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    refused = shutwatch("wipe", "-c", str(files.config), text_in="n\n")
    assert refused.returncode == 1
    assert holder.poll() is None
    done = shutwatch("wipe", "--yes", "-c", str(files.config))
    assert done.returncode == 0, done.stderr
    assert holder.wait(60) == -signal.SIGTERM
    holder.stdout.close()
    assert [file.name for file in folder.iterdir()] == ["mine"]
    assert "cannot promise" in done.stdout


def test_wipe_does_not_take_itself_for_an_agent_in_another_container(folder: Path) -> None:
    """Each is process 1 of its own container, and the lock of their common volume holds that
    number. `wipe` ended itself, and left the key."""
    lock = folder / "spool.db.lock"
    typed = 'echo $$ >"$1" && exec "$2" -m monitor agent wipe --yes -c "$3"'
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = subprocess.run(
            ["sh", "-c", typed, "sh", str(lock), sys.executable, str(folder / "agent.toml")],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert (done.returncode, "it runs in another container" in done.stderr) == (1, True)
    assert not (folder / "agent-key.pem").exists()


@pytest.mark.parametrize(
    ("keep", "own_names", "away"),
    [(False, False, False), (True, True, False), (True, False, True), (False, True, True)],
)
def test_wipe_deletes_the_same_whether_it_asks_or_not(
    folder: Path, keep: bool, own_names: bool, away: bool
) -> None:
    """It lists the files and is answered "y". It once went on with the last file of the list in
    place of the agent's, and the key stayed. Names may be the host's own, and the spool may lie in
    another folder; every two of these choices meet."""
    config, key = folder / "agent.toml", folder / "agent-key.pem"
    spool = folder / "spool.db"
    if own_names:
        config = config.rename(folder / "lahore.toml")
        key = key.rename(folder / "lahore.pem")
        spool = folder / "zz.db"
    if away:
        (folder.parent / "spools").mkdir()
        spool = folder.parent / "spools" / spool.name
    config.write_text(f'{AGENT}\nkey = "{key.name}"\nspool = "{spool}"\n')
    spool.write_bytes(b"secret")
    spool.with_name(f"{spool.name}.settings").write_bytes(b"secret")
    (folder / "mine").write_text("not the agent's")
    more = ("--keep-config",) if keep else ()
    done = shutwatch("wipe", "-c", str(config), *more, text_in="y\n")
    assert done.returncode == 0, done.stderr
    left = {one.name for one in (*folder.iterdir(), *spool.parent.iterdir())}
    assert left == {"mine"} | ({config.name} if keep else set())
    assert f"Deleted {key}" in done.stdout


def test_wipe_takes_the_key_that_lives_in_memory_whatever_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent ran without a folder of its own; who wipes has one. With the key whatever has no
    date yet could be read from a copy of the spool."""
    file = boot_key_file(folder / "spool.db", {})
    boot_key(file)
    try:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder.parent))
        done = shutwatch("wipe", "--yes", "-c", str(folder))
        assert f"Deleted {file}" in done.stdout, done.stderr
        assert not file.exists()
    finally:
        file.unlink(missing_ok=True)


COLLECTOR = "relay.example.net"
"""Names the collector in what must not be found afterwards."""
WORTHLESS = {
    "missing": None,
    "empty": "",
    "cut off": AGENT.replace("c.example", COLLECTOR)[:-30],
    "not TOML": AGENT.replace("c.example", COLLECTOR) + "\n[[[",
    "wrong": AGENT.replace("c.example", COLLECTOR).replace("[agent]", "[agent]\nnonsense = 1"),
    "a variable that is not set": AGENT.replace("c.example", COLLECTOR)
    + 'proxy = "http://a:${NOT_SET_HERE}@p.example:8080"',
}


@pytest.mark.parametrize("text", WORTHLESS.values(), ids=list(WORTHLESS))
def test_wipe_needs_no_file_that_can_be_read(folder: Path, text: str | None) -> None:
    """Attack: a device is seized while its file is half edited. All goes, whatever it is called
    that tells of the collector; what it cannot know is the agent's is listed."""
    config = folder / "agent.toml"
    config.unlink()
    if text is not None:
        config.write_text(text)
    for name in LEFTOVERS:
        (folder / name).write_bytes(b"secret")
    (folder / "agent.toml~").write_text(AGENT.replace("c.example", COLLECTOR))
    (folder / "4913").write_text(f"collectors = ['https://{COLLECTOR}']")
    (folder / "mine").write_text("not the agent's")
    done = shutwatch("wipe", "--yes", "-c", str(config if text is not None else folder))
    assert done.returncode == 0, done.stderr
    assert [file.name for file in folder.iterdir()] == ["mine"]
    assert f"Left, not known to be the agent's: {folder / 'mine'}" in done.stdout
    assert done.stdout.index("Deleted") == done.stdout.index(f"Deleted {folder / 'agent-key.pem'}")


def test_wipe_finds_key_and_spool_in_other_folders_by_a_broken_file(folder: Path) -> None:
    """They are named there; what else lies beside them stays. The authority goes as well."""
    away = folder.parent / "away"
    away.mkdir()
    (folder / "agent-key.pem").rename(away / "k.pem")
    for name in ("s.db", "s.db-wal", "s.db.lock", "mine"):
        (away / name).write_bytes(b"secret")
    (folder / "ca.pem").write_text("Organisation of the collector")
    (folder / "agent.toml").write_text(
        f'{AGENT}\nkey = "{away}/k.pem"\nspool = "../away/s.db"\ntrust_anchors = ["ca.pem"]\n[['
    )
    assert shutwatch("wipe", "--yes", "-c", str(folder)).returncode == 0
    assert list(folder.iterdir()) == []
    assert [file.name for file in away.iterdir()] == ["mine"]


def test_wipe_lists_what_it_could_not_and_does_the_rest(folder: Path) -> None:
    """A configuration that is only a link, and an agent that cannot be stopped, hold up nothing."""
    real = folder.parent / "elsewhere.toml"
    (folder / "agent.toml").rename(real)
    (folder / "agent.toml").symlink_to(real)
    (folder / "spool.db").write_bytes(b"secret")
    done = shutwatch("wipe", "--yes", "-c", str(folder))
    assert done.returncode == 1
    assert f"{real} was not deleted" in done.stderr
    assert list(folder.iterdir()) == []
    assert real.exists()


def test_wipe_touches_no_monitors_files(tmp_path: Path) -> None:
    """A file of another kind, and a folder without an agent, are refused."""
    (tmp_path / "shutwatch.toml").write_text('interval = "5m"\n')
    (tmp_path / "shutwatch.db").write_bytes(b"data")
    for named in (tmp_path / "shutwatch.toml", tmp_path, tmp_path / "nowhere" / "agent.toml"):
        assert shutwatch("wipe", "--yes", "-c", str(named)).returncode == 2
    assert {file.name for file in tmp_path.iterdir()} == {"shutwatch.toml", "shutwatch.db"}


def test_the_key_is_overwritten_before_it_is_deleted(folder: Path) -> None:
    """Another name of the same file shows what is left of it."""
    kept = folder.parent / "another-name"
    kept.hardlink_to(folder / "agent-key.pem")
    before = kept.read_bytes()
    assert b"PRIVATE KEY" in before
    assert shutwatch("wipe", "--yes", "--keep-config", "-c", str(folder / "agent.toml")).stdout
    assert len(kept.read_bytes()) == len(before)
    assert b"PRIVATE KEY" not in kept.read_bytes()
    assert [file.name for file in folder.iterdir()] == ["agent.toml"]


def test_an_agent_runs_once(folder: Path) -> None:
    """A second one on the same spool says so and ends with 2, as one without a key does."""
    config = str(folder / "agent.toml")
    with (folder / "spool.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = shutwatch("run", "-c", config)
    assert (second.returncode, "another agent uses" in second.stderr) == (2, True)
    (folder / "agent-key.pem").unlink()
    without = shutwatch("run", "-c", config)
    assert (without.returncode, "does not exist" in without.stderr) == (2, True)
