"""`shutwatch globalping ask`: one round now, from a server that answers as Globalping does."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli.main import app
from monitor.sources.scripted_globalping import FREE, ScriptedGlobalping, home
from tests.unit.monitor.cli.served import served


@pytest.fixture
def globalping() -> Iterator[tuple[ScriptedGlobalping, str]]:
    """A server on loopback with probes in Pakistan and elsewhere, and its origin."""
    scripted = ScriptedGlobalping(lambda: datetime.now(UTC))
    scripted.probes += [home("PK", 17557), home("PK", 9541), home("DE", 3320), home("NL", 1136)]

    with served(scripted.handle) as origin:
        yield scripted, origin


def _asked(folder: Path, origin: str, *more: str, country: str = "PK") -> Result:
    path = folder / "shutwatch.toml"
    path.write_text(
        f'database = "sqlite:///{folder}/store.db"\n'
        f'[[source]]\nkind = "globalping"\ncountries = ["PK"]\nurl = "{origin}"\n'
    )
    words = ["globalping", "ask", "--country", country, "--platform", "x", "--config", str(path)]
    return CliRunner().invoke(app, [*words, *more])


def test_a_person_may_ask_when_nothing_is_suspected(
    tmp_path: Path, globalping: tuple[ScriptedGlobalping, str]
) -> None:
    """Told first whose lines these are; the answer is that of an event's page, and is stored."""
    scripted, origin = globalping
    scripted.blocks["PK", "x.com"] = "reset"
    done = _asked(tmp_path, origin)
    assert done.exit_code == 0, done.output
    assert "lines of strangers" in done.stderr
    first, *networks = done.stdout.splitlines()
    assert first.startswith("Globalping agrees (evidence: weak): 2 of 2 tests failed, 2 networks")
    assert first.endswith("(measured with Globalping (globalping.io))")
    assert networks == [
        "  AS9541: 1 of 1 test failed (tls.reset)",
        "  AS17557: 1 of 1 test failed (tls.reset)",
    ]
    again = _asked(tmp_path, origin, "--json")
    rows = [json.loads(line) for line in again.stdout.splitlines()]
    assert [one["asn"] for one in rows] == [17557, 9541]
    assert {one["licence"] for one in rows} == {"none stated"}


def test_a_quota_that_is_used_up_asks_nobody(
    tmp_path: Path, globalping: tuple[ScriptedGlobalping, str]
) -> None:
    """And says so."""
    scripted, origin = globalping
    scripted.spent.append((datetime.now(UTC), FREE))
    done = _asked(tmp_path, origin)
    assert done.exit_code == 1
    assert "limited" in done.stderr
    assert scripted.tested == []


def test_whoever_did_not_switch_it_on_cannot_ask(tmp_path: Path) -> None:
    """Nor about another country than those that were weighed."""
    other = _asked(tmp_path, "http://127.0.0.1:9", country="IR")
    assert (other.exit_code, "give one of PK" in other.stderr) == (2, True)
    (tmp_path / "plain.toml").write_text('[[vantage]]\nid = "here"\ncountry = "PK"\n')
    words = ["globalping", "ask", "--country", "PK", "--platform", "x"]
    off = CliRunner().invoke(app, [*words, "--config", str(tmp_path / "plain.toml")])
    assert (off.exit_code, "no [[source]]" in off.stderr) == (2, True)
