"""What goes wrong outside ends a command with a sentence and an exit code, without a traceback."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.agent.paths import files_of
from monitor.cli.agent_join import in_background
from monitor.cli.main import app
from monitor.config.load import load_config
from monitor.server.serve import ListenError, bind
from monitor.wire.invitation import write_token
from tests.collector.test_invitations import token
from tests.docs.test_cli_docs import COMMANDS
from tests.unit.monitor.agent.test_agent_orders import AGENT
from tests.worlds.loopback import unused_port

ROOT = Path(__file__).parents[4]
NOBODY = 65534
# Names that do not resolve, and no address: nothing leaves the machine.
OFFLINE = """
database = "sqlite:///{folder}/watch.db"
listen = "127.0.0.1:{port}"
[references]
uplink = [{{ endpoint = "http://127.0.0.1:1/", status = 204 }}]
international = ["tls://127.0.0.1:1"]
popular = []
address = []
domestic.PK = ["tls://127.0.0.1:1"]
udp = []
[catalog]
platforms = ["x"]
[probe]
open_resolvers = []
doh_resolvers = []
bogon_allow = ["127.0.0.0/8"]
[[vantage]]
id = "here"
country = "PK"
resolver = "127.0.0.1:1"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration that reaches nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHUTWATCH_CONFIG", raising=False)
    (tmp_path / "folder").mkdir()
    text = OFFLINE.format(folder=tmp_path, port=unused_port())
    (tmp_path / "offline.toml").write_text(text)
    return tmp_path


def typed(*words: str) -> Result:
    """What a command prints and exits with."""
    return CliRunner().invoke(app, list(words))


def refused(code: int, words: str, *command: str) -> None:
    """A command ends with this code, and says this on standard error in a line or two."""
    done = typed(*command)
    assert done.exit_code == code, (done.output, done.exception)
    assert isinstance(done.exception, SystemExit)
    assert words in done.stderr
    assert len(done.stderr) < 1500


def test_a_port_in_use_ends_run_with_the_reason(folder: Path) -> None:
    """Every time: the program is stopped in the middle of its start."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = folder / "taken.toml"
        path.write_text(OFFLINE.format(folder=folder, port=port))
        for _ in range(3):
            words = f"cannot listen on 127.0.0.1 port {port}: another program already listens there"
            refused(2, words, "run", "--config", "taken.toml")


@pytest.mark.skipif(os.geteuid() != 0, reason="takes rights away from itself")
def test_a_low_port_without_rights_is_named() -> None:
    """As anybody who is not root meets it."""
    os.seteuid(NOBODY)
    try:
        with pytest.raises(ListenError, match="ports below 1024 need more rights"):
            asyncio.run(bind("127.0.0.1", 80))
    finally:
        os.seteuid(0)


def test_an_unreachable_postgresql_promises_nothing(folder: Path) -> None:
    """The command ends, so it must not say that it goes on."""
    url = f"postgresql://watch:pw@127.0.0.1:{unused_port()}/watch"
    path = folder / "postgresql.toml"
    text = (folder / "offline.toml").read_text()
    path.write_text(text.replace(f"sqlite:///{folder}/watch.db", url))
    for command in (("run",), ("event", "list"), ("notify", "list")):
        done = typed(*command, "--config", str(path))
        assert done.exit_code == 1, done.output
        assert "cannot be reached: check that PostgreSQL runs" in done.stderr
        assert "goes on" not in done.stderr


def test_a_folder_that_may_not_be_entered_is_named(folder: Path) -> None:
    """As where somebody who is not root asks for the service's agent."""
    shut = folder / "shut"
    shut.mkdir(mode=0)
    commands = (("agent", "join", write_token(token()), "--yes"), ("agent", "wipe", "--yes"))
    options = {"join": "--folder", "wipe": "--config"}
    for command in commands:
        assert typed(*command[:2], "--help").exit_code == 0  # loads what it needs
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        for command in commands:
            words = f"{shut}/in"
            refused(2, words, *command, options[command[1]], str(shut / "in"))
            refused(
                2,
                "Permission denied: name a place where this",
                *command,
                options[command[1]],
                words,
            )
    finally:
        if root:
            os.seteuid(0)


def test_a_first_delivery_that_does_not_come_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a thread beside the agent, which runs on. It ended with a traceback."""
    (folder / "agent.toml").write_text(AGENT)
    settings = load_config(folder / "agent.toml", {})
    began = time.monotonic() - 10 * settings.interval
    thread = in_background(files_of(settings), settings, began)
    thread.join(20)
    said = capsys.readouterr().err
    assert said == "shutwatch: nothing was delivered yet: `shutwatch agent status` says why\n"


@pytest.mark.parametrize(
    ("code", "words", "command"),
    [
        (2, "folder: Is a directory", ("export", "csv", "events", "-o", "folder")),
        (2, "no/x.csv: No such file or directory", ("export", "csv", "events", "-o", "no/x.csv")),
        (2, "folder", ("db", "backup", "folder")),
        (2, "there is no file missing", ("db", "restore", "missing")),
        (2, "missing: No such file or directory", ("annotate", "import", "missing")),
        (2, "folder: Is a directory", ("annotate", "import", "folder")),
    ],
)
def test_files_that_cannot_be_read_or_written_are_named(
    code: int, words: str, command: tuple[str, ...]
) -> None:
    """By the name that was typed."""
    assert typed("db", "upgrade", "--config", "offline.toml").exit_code == 0
    refused(code, words, *command, "--config", "offline.toml")


@pytest.mark.parametrize(
    ("code", "words", "command"),
    [
        (2, "missing.toml: cannot be read: No such file", ("check", "missing.toml")),
        (2, "name the file inside that folder", ("check", "folder")),
        (2, "missing: No such file or directory", ("verify", "missing")),
        (2, "folder: Is a directory", ("verify", "folder")),
        (2, "folder: Is a directory", ("replay", "folder")),
        (2, "folder: Is a directory", ("judge", "ooni", "folder")),
        (2, "folder: Is a directory", ("sign", "offline-key", "folder")),
        (2, "no such", ("init", "no/such/x.toml", "--example")),
    ],
)
def test_other_files_too(code: int, words: str, command: tuple[str, ...]) -> None:
    """Commands that need no database."""
    done = typed(*command)
    assert done.exit_code == code, (done.output, done.exception)
    assert words.lower() in done.stderr.lower()
    assert "Errno" not in done.stderr


def test_a_file_far_too_large_is_neither_read_nor_echoed(folder: Path) -> None:
    """200 MB on one line took a minute and a half and 24 GB."""
    with (folder / "huge.toml").open("wb") as out:
        out.write(b'interval = "')
        out.truncate(200_000_000)
    began = time.process_time()
    refused(2, "huge.toml: is larger than 4 MiB", "check", "huge.toml")
    assert time.process_time() - began < 2


def test_a_long_line_is_not_echoed_whole(folder: Path) -> None:
    """A mistake in it is shown with what is around it."""
    (folder / "long.toml").write_text("x" * 3_000_000)
    refused(2, "long.toml:1", "check", "long.toml")


def test_thousands_of_mistakes_are_counted_and_the_first_shown(folder: Path) -> None:
    """As of a file of another program: half a megabyte hid the one line that says so."""
    (folder / "other.toml").write_text("".join(f"package{n} = 1\n" for n in range(3000)))
    done = typed("check", "other.toml")
    assert done.exit_code == 2
    assert done.stderr.startswith("other.toml: 3001 problems\n")
    assert "other.toml:49: package48 = 1" in done.stderr
    assert done.stderr.endswith("\n… and 2951 more\n")
    assert len(done.stderr) < 20_000


# -- signals -------------------------------------------------------------------------------------


STARTED = """
import runpy, sys

class Told:
    def find_spec(self, name, *_):
        if name == "typer":
            print("libraries load", flush=True)

sys.meta_path.insert(0, Told())
runpy.run_module("monitor", run_name="__main__")
"""
"""The program, from when it loads its first library: until then the traceback is Python's."""


@pytest.mark.parametrize(
    ("number", "after"),
    [
        (signal.SIGINT, 0.06),  # while modules load
        (signal.SIGINT, 0.6),
        (signal.SIGTERM, 2.5),  # in the middle of a cycle
    ],
)
def test_a_signal_at_any_moment_of_the_start_ends_run_quietly(
    number: signal.Signals, after: float, folder: Path
) -> None:
    """Within the five seconds that it may take, and without a traceback."""
    process = subprocess.Popen(
        # Whoever runs the tests in the background ignores Ctrl-C, and children inherit that.
        [
            *("env", "--default-signal=INT", sys.executable),
            *("-c", STARTED, "run", "--config", "offline.toml"),
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(after)
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert b"Traceback" not in said, said.decode()
    assert b"Error" not in said, said.decode()


def test_a_command_that_is_terminated_leaves_no_draft(folder: Path) -> None:
    """As when a collector does not answer and the host's machine shuts down."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        made = token(collectors=(f"https://127.0.0.1:{silent.getsockname()[1]}",))
        process = subprocess.Popen(
            [
                *("env", "--default-signal=INT", sys.executable, "-m", "monitor"),
                *("agent", "join", write_token(made)),
                *("--yes", "--no-start", "--folder", "agent"),
            ],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        silent.settimeout(30)
        conversation, _ = silent.accept()
        with conversation:
            assert (folder / "agent/agent.toml.joining").exists()
            process.terminate()
            _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (-signal.SIGTERM, b"")
    assert not (folder / "agent/agent.toml.joining").exists()


# -- listings ------------------------------------------------------------------------------------

NO_LISTING = {
    *("run", "collector", "demo", "init", "password", "report", "verify", "completion", "manual"),
    *(
        "agent join",
        "control serve",
        "agent run",
        "agent accept",
        "agent key",
        "agent pause",
        "agent resume",
    ),
    *("agent wipe", "export csv", "export parquet", "export xlsx", "export ooni"),
    "export stop",
    *("export package", "export dictionary", "report countersign", "report stamp"),
    *("event review", "annotate import", "annotate remove", "sign offline-key"),
    *("sign signing-key", "sign catalog", "db backup", "db restore", "db archive"),
    *("db copy", "vantage invite", "vantage revoke", "vantage quarantine"),
    "vantage release",
}
"""Commands that do something, or write a file, and list nothing."""


def test_every_listing_has_json() -> None:
    """A new command lists for programs too, or is named above."""
    with_json = {
        name
        for name, command in COMMANDS.items()
        if any("--json" in option.opts for option in command.params)
    }
    assert with_json | NO_LISTING == set(COMMANDS)
    assert not with_json & NO_LISTING
