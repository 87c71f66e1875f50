"""`shutwatch judge ooni`: lines for programs, words for people, exit codes for scripts."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from monitor.cli.main import app
from tests.worlds.ooni_reports import V4, connect, control, handshake, query, report, request, web

TELEGRAM = report("telegram", tcp_connect=[connect("149.154.167.51")])
BLOCKED = web(
    "https://x.com/",
    queries=[query("x.com", V4)],
    tcp_connect=[connect(V4)],
    tls_handshakes=[handshake("x.com", V4, "connection_reset")],
    requests=[request("https://x.com/", failure="connection_reset")],
    control=control(V4),
)


def _run(tmp_path: Path, *entries: Any, json_lines: bool = True) -> Result:
    path = tmp_path / "some.jsonl"
    path.write_bytes(b"\n".join(map(msgspec.json.encode, entries)) + b"\n")
    options = ["--json"] if json_lines else []
    return CliRunner().invoke(app, ["judge", "ooni", str(path), *options])


def test_lines_are_those_of_once_with_their_origin(tmp_path: Path) -> None:
    """Endpoint, platform and vantage lines, each saying which measurement it is of."""
    wrapped = {"anomaly": True, "confirmed": False, "measurement": BLOCKED}
    done = _run(tmp_path, TELEGRAM, wrapped)
    assert done.exit_code == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["kind"] for line in lines] == ["endpoint", "platform", "vantage"] * 2
    assert lines[0] | {"state": "ok", "endpoint": "tcp://149.154.167.51:443"} == lines[0]
    assert (lines[0]["source"], lines[0]["ooni_anomaly"]) == (f"{tmp_path}/some.jsonl:1", None)
    assert (lines[3]["source"], lines[3]["ooni_anomaly"]) == (f"{tmp_path}/some.jsonl:2", True)
    assert (lines[3]["state"], lines[3]["rule_id"], lines[3]["failures"]) == (
        "blocked",
        "tls.reset",
        {"tls": "connection_reset"},
    )


def test_words_say_what_where_and_why(tmp_path: Path) -> None:
    """For people: the measurement, the network, the verdict, OONI's opinion and the rule."""
    wrapped = {"anomaly": True, "confirmed": False, "measurement": BLOCKED}
    text = _run(tmp_path, wrapped, json_lines=False).stdout
    for word in (
        "some.jsonl",
        "PK AS17557",
        "x: blocked (tls: reset)",
        "OONI: anomaly",
        "tls.reset",
    ):
        assert word in text


def test_bad_measurement_is_named_and_the_rest_judged(tmp_path: Path) -> None:
    """One broken line costs itself alone, and the exit code says that something was wrong."""
    broken = {"test_name": "telegram", "test_keys": {"queries": 3}}
    done = _run(tmp_path, TELEGRAM, broken, TELEGRAM)
    assert done.exit_code == 2
    assert len(done.stdout.splitlines()) == 6
    assert "some.jsonl:2: field test_keys.queries" in done.stderr


def test_so_it_is_where_the_first_line_is_cut_off(tmp_path: Path) -> None:
    """It lost all others, and had no number."""
    path = tmp_path / "some.jsonl"
    whole = msgspec.json.encode(TELEGRAM)
    path.write_bytes(whole[:40] + b"\n" + whole + b"\n" + whole + b"\n")
    done = CliRunner().invoke(app, ["judge", "ooni", str(path), "--json"])
    assert done.exit_code == 2
    assert len(done.stdout.splitlines()) == 6
    assert "some.jsonl:1: " in done.stderr


def test_other_tests_are_left_out_with_a_word(tmp_path: Path) -> None:
    """A dump of everything is no mistake."""
    done = _run(tmp_path, {"test_name": "ndt"}, TELEGRAM)
    assert done.exit_code == 0
    assert "some.jsonl:1: test 'ndt'" in done.stderr


def test_nothing_to_judge_is_bad_usage(tmp_path: Path) -> None:
    """Only other tests, or no file at all: exit 2."""
    assert _run(tmp_path, {"test_name": "ndt"}).exit_code == 2
    assert CliRunner().invoke(app, ["judge", "ooni", str(tmp_path / "none.json")]).exit_code == 2


@pytest.mark.parametrize("name", ["signal", "telegram"])
def test_platforms_that_are_not_watched_live_are_judged(tmp_path: Path, name: str) -> None:
    """Signal is watched only when configured; its measurements are judged all the same."""
    host = "chat.signal.org"
    entry = {
        "telegram": TELEGRAM,
        "signal": report(
            "signal",
            queries=[query(host, V4)],
            tcp_connect=[connect(V4)],
            tls_handshakes=[handshake(host)],
            requests=[request(f"https://{host}/", 404)],
        ),
    }[name]
    lines = [json.loads(line) for line in _run(tmp_path, entry).stdout.splitlines()]
    (platform,) = [line for line in lines if line["kind"] == "platform"]
    assert (platform["platform"], platform["state"]) == (name, "ok")
