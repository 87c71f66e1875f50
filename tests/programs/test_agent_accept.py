"""`shutwatch agent status` and `accept`, and `shutwatch sign`: what a host and an operator type."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from monitor.agent.consent import Consent
from monitor.agent.paths import AgentFiles
from monitor.agent.what_orders_may_change import Orders
from monitor.config.load import load_config
from monitor.keys.keys import fingerprint, grouped, public_text
from monitor.wire.answers import AgentSettings
from storage.values.steady_clock import utc_now
from tests.unit.monitor.agent.test_agent_orders import AGENT, TOLD, signed
from tests.worlds.agent_collector import KEY

CATALOG = TOLD.catalog


def shutwatch(*words: str, text_in: str = "") -> subprocess.CompletedProcess[str]:
    """As somebody types it."""
    return subprocess.run(
        [sys.executable, "-m", "monitor", *words],
        capture_output=True,
        text=True,
        input=text_in,
        check=False,
        timeout=60,
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The file of an agent that was ordered to measure ours."""
    file = tmp_path / "agent.toml"
    file.write_text(AGENT)
    ordered(tmp_path, TOLD)
    return file


def ordered(folder: Path, told: AgentSettings, *, by: object = None) -> None:
    """Settings that came from a collector, or from somebody else."""
    Orders(folder / "spool.db.settings", public_text(KEY)).keep(signed(told, by=by))


def status(config: Path) -> tuple[dict[str, object], str]:
    """As JSON, and as text."""
    told = shutwatch("agent", "status", "--json", "-c", str(config))
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout), shutwatch("agent", "status", "-c", str(config)).stdout


def test_status_shows_what_was_ordered_by_which_key_and_accept_allows_it(config: Path) -> None:
    """The host sees each new endpoint before anything goes out to it, may say no, and may take its
    consent back."""
    _, text = status(config)
    assert f"by the key {grouped(fingerprint(public_text(KEY)))}" in text
    assert "not used, ours: its host has not accepted it\n    https://ours.example/" in text
    no = shutwatch("agent", "accept", "-c", str(config), text_in="n\n")
    assert (no.returncode, "https://ours.example/" in no.stdout) == (1, True)
    assert "its host has not accepted it" in status(config)[1]
    assert shutwatch("agent", "accept", "-c", str(config), text_in="y\n").returncode == 0
    assert "measured by order, allowed: https://ours.example/" in status(config)[1]
    again = shutwatch("agent", "accept", "-c", str(config))
    assert "No order waits" in again.stdout
    accepted = config.with_name("spool.db.accepted")
    assert accepted.stat().st_mode & 0o077 == 0
    assert shutwatch("agent", "accept", "--forget", "-c", str(config)).returncode == 0
    assert not accepted.exists()
    assert "its host has not accepted it" in status(config)[1]


def test_attack_a_host_is_not_even_asked_about_its_own_network(config: Path) -> None:
    """Somebody who accepts whatever is shown is asked for nothing that leads inside."""
    inside = TOLD.catalog.replace("https://ours.example/", "http://192.168.1.1/")
    ordered(config.parent, msgspec.structs.replace(TOLD, catalog=inside))
    done = shutwatch("agent", "accept", "--yes", "-c", str(config))
    assert "No order waits" in done.stdout
    assert "192.168.1.1 is no public address" in status(config)[1]


def test_attack_orders_that_somebody_wrote_beside_the_spool_are_not_shown(config: Path) -> None:
    """Without the collectors' signature there is no order: nobody has a host accept one."""
    ordered(config.parent, TOLD, by="somebody else")
    assert status(config)[0]["ordered"] is None
    assert "No order waits" in shutwatch("agent", "accept", "--yes", "-c", str(config)).stdout


def test_a_catalogue_is_signed_below_an_offline_key_and_read_by_collectors(tmp_path: Path) -> None:
    """Offline key, signing key, catalogue: an agent that names the offline key takes it, and a
    collector with a catalogue that was changed after it was signed says so and does not start."""
    offline, signing = tmp_path / "offline.pem", tmp_path / "2026-03.pem"
    made = shutwatch("sign", "offline-key", str(offline))
    digits = made.stdout.split('catalog_keys = ["', 1)[1].split('"', 1)[0]
    new = shutwatch("sign", "signing-key", str(signing), "--offline", str(offline))
    assert new.returncode == 0, new.stderr
    assert shutwatch("sign", "signing-key", str(signing), "--offline", str(offline)).returncode == 2
    catalog = tmp_path / "mine.toml"
    catalog.write_text("\ufeff" + CATALOG)  # an editor's mark before it is no part of the text
    done = shutwatch("sign", "catalog", str(catalog), "--key", str(signing))
    assert done.returncode == 0, done.stderr
    collector = tmp_path / "collector.toml"
    collector.write_text('[collector]\n[catalog]\nfile = "mine.toml"\n')
    settings = load_config(collector, {})
    assert settings.catalog_proof is not None
    files = AgentFiles(
        config=tmp_path / "a.toml", key=tmp_path / "k.pem", spool=tmp_path / "spool.db"
    )
    told = msgspec.structs.replace(TOLD, catalog_proof=settings.catalog_proof)
    assert Consent(files, (digits,), utc_now).allowed(told).everything
    catalog.write_text(CATALOG.replace("ours.example", "other.example"))
    refused = shutwatch("check", str(collector))
    assert refused.returncode != 0
    assert "did not sign this catalogue" in refused.stderr + refused.stdout
    catalog.write_text("[platform.ours]\nnonsense = 1\n")
    assert shutwatch("sign", "catalog", str(catalog), "--key", str(signing)).returncode == 2
