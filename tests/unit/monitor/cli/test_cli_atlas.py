"""`shutwatch atlas ask`: one round now, from a server that answers as RIPE Atlas does."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from typer.testing import CliRunner, Result

from monitor.cli.main import app
from monitor.sources.scripted_atlas import Home, ScriptedAtlas
from tests.unit.monitor.cli.served import served

KEY = "made-up-key"
AUTHORITY = trustme.CA()


@pytest.fixture
def atlas() -> ScriptedAtlas:
    """Two homes in Pakistan and one in Germany, all of which answer at once."""

    def chain(host: str) -> list[str]:
        return [one.bytes().decode() for one in AUTHORITY.issue_cert(host).cert_chain_pems]

    scripted = ScriptedAtlas(lambda: datetime.now(UTC), key=KEY, chain=chain)
    places = [("PK", 17557), ("PK", 9541), ("DE", 3320)]
    scripted.probes += [
        Home(number=number, country=country, asn=asn, slow=timedelta(0))
        for number, (country, asn) in enumerate(places, 424242)
    ]
    return scripted


def _asked(folder: Path, atlas: ScriptedAtlas, *more: str) -> Result:
    roots = folder / "roots.pem"
    AUTHORITY.cert_pem.write_to_path(str(roots))
    path = folder / "shutwatch.toml"
    with served(atlas.handle) as origin:
        path.write_text(
            f'database = "sqlite:///{folder}/store.db"\n'
            f'[probe]\ntrust_anchors = ["{roots}"]\n'
            f'[[source]]\nkind = "atlas"\ncountries = ["PK"]\nbeside = ["DE"]\nprobes = 2\n'
            f'token = "{KEY}"\nurl = "{origin}"\n'
        )
        words = ["atlas", "ask", "--country", "PK", "--platform", "x", "--config", str(path)]
        return CliRunner().invoke(app, [*words, *more])


def test_a_person_may_ask_when_nothing_is_suspected(tmp_path: Path, atlas: ScriptedAtlas) -> None:
    """Told first whose lines these are; what is printed and stored names networks, and nobody."""
    atlas.treats["PK", "x.com"] = "bogon"
    done = _asked(tmp_path, atlas)
    assert done.exit_code == 0, done.output
    assert "lines of strangers" in done.stderr
    first, *networks = done.stdout.splitlines()
    assert first.startswith("RIPE Atlas agrees (evidence: weak): 2 of 2 tests failed, 2 networks")
    assert networks == [
        "  AS9541: 1 of 1 test failed (dns.bogon)",
        "  AS17557: 1 of 1 test failed (dns.bogon)",
    ]
    again = _asked(tmp_path, atlas, "--json")
    rows = [json.loads(line) for line in again.stdout.splitlines()]
    assert sorted(one["asn"] for one in rows) == [9541, 17557]
    held = (tmp_path / "store.db").read_bytes() + done.output.encode() + again.output.encode()
    assert not any(one in held for one in (b"192.0.2.1", b"192.168.77.23", b"424242"))


def test_credits_that_are_used_up_ask_nobody(tmp_path: Path, atlas: ScriptedAtlas) -> None:
    """And say so."""
    atlas.credits = 100
    done = _asked(tmp_path, atlas)
    assert (done.exit_code, "limited" in done.stderr) == (1, True)
    assert atlas.created == {}
