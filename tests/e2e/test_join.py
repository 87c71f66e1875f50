"""One command on each side: a machine becomes a vantage, and its results are there within half a
minute. Real programs, on a loopback device."""

import json
import re
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import msgspec
import pytest
import trustme
from typer.testing import CliRunner

from monitor.cli.main import app
from monitor.wire.invitation import read_token, write_token
from tests.e2e.running import wait_for
from tests.lab.namespaces import Namespace, Namespaces

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

SHUTWATCH = [sys.executable, "-m", "monitor"]
ROOT = Path(__file__).parents[2]
LIMIT = 30.0
"""Seconds from `agent join` to the first delivery that a collector acknowledged."""


class Machine:
    """A machine whose only network is its loopback device."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self.folder = folder
        self._enter = namespace.enter(ROOT)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command, to its end."""
        return subprocess.run(
            [*self._enter, *SHUTWATCH, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def joins(self, token: str, name: str) -> tuple[subprocess.CompletedProcess[str], list[Path]]:
        """`agent join` in a folder of that name, and what is left there."""
        folder = self.folder / name
        done = self.run("agent", "join", token, "--yes", "--folder", str(folder))
        return done, list(folder.iterdir())

    @contextmanager
    def running(self, name: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """A program that stays; what it says is in the file of its name."""
        with (self.folder / name).open("wb") as said:
            process = subprocess.Popen(
                [*self._enter, *SHUTWATCH, *words], stdout=said, stderr=subprocess.STDOUT
            )
            try:
                yield process
            finally:
                process.terminate()
                assert process.wait(60) == 0

    def said(self, name: str) -> str:
        """By a program so far."""
        return (self.folder / name).read_text("utf-8")


def collector(machine: Machine, name: str) -> Path:
    """The configuration of a collector with a certificate of its own."""
    folder = machine.folder / name
    folder.mkdir()
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
    chain = [*leaf.cert_chain_pems, authority.cert_pem]
    (folder / "chain.pem").write_bytes(b"".join(one.bytes() for one in chain))
    config = folder / "shutwatch.toml"
    config.write_text(
        f'interval = "2m"\ndatabase = "sqlite:///{folder}/shutwatch.db"\n'
        f'listen = "127.0.0.1:10100"\n'
        '[[vantage]]\nid = "control-ams"\ncountry = "NL"\nrole = "control"\n'
        f'[collector]\nlisten = "127.0.0.1:8443"\nurls = ["https://127.0.0.1:8443"]\n'
        'certificate = "chain.pem"\ncertificate_key = "key.pem"\n'
        '[catalog]\nplatforms = ["x"]\n'
    )
    return config


WHERE = ("--country", "PK", "--asn", "17557", "--network", "PTCL")


def invited(config: Path, vantage: str) -> str:
    """A token, as the command prints it where programs read it."""
    done = CliRunner().invoke(app, ["vantage", "invite", vantage, *WHERE, "--config", str(config)])
    assert done.exit_code == 0, done.stderr
    return done.stdout.strip()


def test_one_command_on_each_side_and_three_refusals(tmp_path: Path) -> None:
    """`vantage invite`, `agent join`: the first results are acknowledged at most 30 seconds later.
    The same token is refused the second time, another one after its hour, and one of another
    collector; nothing is left of those that were refused."""
    with ExitStack() as stack:
        namespace = stack.enter_context(Namespaces()).make()
        namespace.wait_up()
        machine = Machine(namespace, tmp_path)
        config = collector(machine, "here")
        words = ("collector", "--config", str(config))
        stack.enter_context(machine.running("here.log", *words))
        wait_for(lambda: "for agents" in machine.said("here.log"), "the collector", 60)
        done = machine.run("vantage", "invite", "khi-ptcl", *WHERE, "--config", str(config))
        token = done.stdout.strip()
        folder = tmp_path / "agent"
        began = time.monotonic()
        typed = ("agent", "join", token, "--yes", "--folder", str(folder))
        stack.enter_context(machine.running("agent.log", *typed))
        wait_for(lambda: "First results delivered" in machine.said("agent.log"), "results", 60)
        assert time.monotonic() - began <= LIMIT
        told = machine.said("agent.log")
        # There is no way out of this machine, and nothing says that all is well.
        assert re.search(
            r"First results delivered after \d+ s: \d+ measurements, vantage offline", told
        )
        assert re.search(r"the vantage khi-ptcl \(PK, AS17557 PTCL\)", told)
        assert "300 MB a day at most" in told
        with closing(sqlite3.connect(config.with_name("shutwatch.db"))) as database:
            keys = database.execute("SELECT vantage, country, asn FROM enrolment").fetchall()
            assert keys == [("khi-ptcl", "PK", 17557)]
            (batches,) = database.execute(
                "SELECT count(*) FROM batch WHERE vantage = 'khi-ptcl'"
            ).fetchone()
            assert batches >= 1
        named = ["--json", "--config", str(folder / "agent.toml")]
        status = CliRunner().invoke(app, ["agent", "status", *named])
        assert json.loads(status.stdout)["running"] is True
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(one.stat().st_mode) & 0o077 for one in folder.iterdir()} == {0}
        assert "PRIVATE KEY" not in told

        late, others = invited(config, "lhe-1"), invited(collector(machine, "there"), "lhe-1")
        with closing(sqlite3.connect(config.with_name("shutwatch.db"))) as database:
            past = "2026-01-01T00:00:00.000000Z"
            database.execute("UPDATE invitation SET expires_at = ? WHERE vantage = 'lhe-1'", [past])
            database.commit()
        own = read_token(late)
        led_away = msgspec.structs.replace(
            read_token(others), collectors=own.collectors, anchor=own.anchor
        )
        whys = {
            token: "this invitation was used already",
            late: "this invitation has expired",
            write_token(led_away): "another collector answers than the one that made",
        }
        with ThreadPoolExecutor() as together:
            tries = list(together.map(machine.joins, whys, ("2", "3", "4")))
        for (done, left), why in zip(tries, whys.values(), strict=True):
            assert (done.returncode, why in done.stderr) == (2, True), done.stderr
            assert left == []
