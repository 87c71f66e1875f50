"""`shutwatch control serve` as its operator types it."""

import asyncio
import re
import resource
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from monitor.cli.control import _bound
from monitor.config.egress import parse_egress
from monitor.setup.answers import line_of
from probes.vantage import Egress, VantageRole
from tests.worlds.loopback import unused_port

CONTROL = [sys.executable, "-m", "monitor", "control", "serve", "--country", "NL"]


OWN = """
[platform.ours]
title = "Ours"
owner = "us"
[platform.ours.function.web]
core = true
endpoints = ["https://ours.example:8443/"]
"""


def places(said: str) -> int:
    """How many hosts and ports it serves."""
    (number,) = re.findall(r"Serving as a control: (\d+) hosts and ports", said)
    return int(number)


@contextmanager
def served(folder: Path, *more: str) -> Iterator[str]:
    """What it prints until it serves."""
    process = subprocess.Popen(
        [*CONTROL, "--listen", f"127.0.0.1:{unused_port()}", "--folder", str(folder), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            said = ""
            while "Serving as a control" not in said:
                line = process.stdout.readline()
                assert line, said
                said += line
            yield said
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
    assert code == 0


async def asked(egress: Egress, host: str, port: int) -> int:
    """The code that SOCKS5 answers with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(
        egress.proxy_host, egress.proxy_port, ssl=context
    )
    user, password, name = (
        bytes([len(text)]) + text.encode() for text in (egress.username, egress.password, host)
    )
    writer.write(b"\x05\x01\x02\x01" + user + password)
    writer.write(b"\x05\x01\x00\x03" + name + port.to_bytes(2, "big"))
    answer = await reader.readexactly(2 + 2 + 10)
    writer.close()
    await writer.wait_closed()
    assert answer[:4] == b"\x05\x02\x01\x00"
    return answer[5]


def test_it_prints_lines_to_paste_and_serves_nothing_but_the_catalogue(tmp_path: Path) -> None:
    """A vantage with an egress that the configuration takes, and an option of `init` with the same.
    A host or port outside the catalogue is "not allowed by ruleset". The second start shows no
    password, and it is still the same."""
    with served(tmp_path / "c") as said:
        (vantage,) = tomllib.loads(said[said.index("[[vantage]]") : said.index("Or give")])[
            "vantage"
        ]
        option, line = shlex.split(next(one for one in said.splitlines() if "--control" in one))
        assert option == "--control"
        pasted = line_of(line, "", VantageRole.CONTROL)
        assert (pasted.country, pasted.egress) == ("NL", vantage["egress"])
        assert {name: vantage[name] for name in ("id", "country", "role")} == {
            "id": "control-nl",
            "country": "NL",
            "role": "control",
        }
        egress = parse_egress(vantage["egress"])
        assert re.fullmatch("[0-9a-f]{64}", egress.proxy_pin)
        for host, port in (("not-listed.example", 443), ("x.com", 22), ("127.0.0.1", 443)):
            assert asyncio.run(asked(egress, host, port)) == 2
    own = tmp_path / "own.toml"
    own.write_text(OWN)
    more = ("--also", "reference.example:8443", "--catalog", str(own))
    with served(tmp_path / "c", *more) as again:
        assert egress.password not in again
        assert "is the one shown before" in again
    # The site's usual names at two ports, the listed port, and the one named besides.
    assert places(again) == places(said) + 4 * 2 + 1 + 1


def test_a_password_is_replaced_only_where_it_is_shown(tmp_path: Path) -> None:
    """`--new-password` while another one still serves there: the port is refused first, so the
    password that monitors have goes on, instead of one that nobody ever saw."""
    folder = tmp_path / "c"
    with served(folder):
        pass
    before = (folder / "control-password").read_text()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [*CONTROL, "--folder", str(folder), "--new-password", "--listen", where],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert (done.returncode, "another program already listens there" in done.stderr) == (2, True)
    assert (folder / "control-password").read_text() == before


def test_mistakes_say_what_would_be_right(tmp_path: Path) -> None:
    """Exit code 2, and no traceback."""
    for more, said in (
        (["--country", "Holland"], "--country 'Holland'"),
        (["--listen", "127.0.0.1:99999"], "a port from 1 to 65535"),
        (["--listen", "192.0.2.1:1080"], "this machine has no such address"),
        (["--also", "x..example"], "--also 'x..example'"),
        (["--catalog", str(tmp_path / "none.toml")], "none.toml"),
    ):
        done = subprocess.run(
            [*CONTROL, "--folder", str(tmp_path / "c"), *more],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
        assert "Traceback" not in done.stderr


def test_a_machine_without_ipv6_is_told_that_it_cannot_listen_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`--listen [::]` on one whose kernel has no IPv6 ended with a traceback. Here there is no
    socket of any family."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(typer.Exit) as ended:
            _bound("::", 1080)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert ended.value.exit_code == 2
    assert "cannot listen on :: port 1080: " in capsys.readouterr().err
