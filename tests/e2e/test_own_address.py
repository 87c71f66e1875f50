"""A block page that prints the client's address: it ends up nowhere that outlives the look."""

import asyncio
import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import pytest

from probes.layers.scrub import PLACEHOLDER
from storage.open_store import sql_store
from storage.values.selection import Selection
from tests.e2e.everything import needles
from tests.e2e.running import PORT, running, wait_for
from tests.lab.hosts import LabHost, Page, web_page
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import write_config
from tests.scenarios.test_techniques import CATALOG
from tests.worlds.mmdb import country, write_mmdb

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


def test_own_address_is_stored_nowhere() -> None:
    """Title, body, header and Location show it; database, log, metrics, page and CSV do not."""
    plain = LabHost(name="plain.example", http={"": Page(body=web_page("Honest page of words"))})
    networks = [LabNetwork("echo", 17557), LabNetwork("echo-moved", 45669)]
    with Lab(networks, controls=1, more_hosts=[plain]) as lab:
        (lab.directory / "catalog.toml").write_text(CATALOG)
        config = write_config(
            lab,
            interval="5s",
            egress="interface",
            extra='[catalog]\nfile = "catalog.toml"\nplatforms = ["x", "plain"]',
        )
        lab.network("echo").page(["plain.example"], echo=True)
        lab.network("echo-moved").page(["plain.example"], to="http://blocked.example/", echo=True)
        with running(lab, config) as monitor:
            for network in ("echo", "echo-moved"):
                wait_for(partial(monitor.cycles, network), "a cycle")
                assert monitor.platform_states(network)["plain"] == "blocked"
            shown = [str(lab.get(PORT, path)) for path in ("/", "/metrics")]
        texts, raw = _kept(lab, config)
        assert "Access denied" in texts[-1]
        assert PLACEHOLDER in texts[-1]
        _is_absent(lab, [*texts, *shown, str(monitor.log)], raw)


def test_the_exits_address_is_stored_nowhere() -> None:
    """An echo server and the one for calls tell it, a file says in which country it is, and that is
    all there is of it anywhere: for a vantage at home and for one that is elsewhere."""
    echo = LabHost(name="echo.example.org")
    networks = [LabNetwork("home", 17557), LabNetwork("moved", 45669)]
    with Lab(networks, controls=1, more_hosts=[echo]) as lab:
        places = {}
        for name, where in (("home", "PK"), ("moved", "NL")):
            network = lab.network(name)
            for address in (network.source, network.source6):
                places[f"{address}/128" if ":" in address else f"{address}/32"] = country(where)
                page = Page(headers={"X-Seen": address}, body=f"{address}\n")
                lab.internet.page("echo.example.org", page, to=[address])
        file = write_mmdb(lab.directory / "places.mmdb", places)
        check = f'[vantage_check]\nmmdb = ["{file}"]\necho = ["https://echo.example.org/"]'
        config = write_config(
            lab,
            interval="5s",
            platforms=["x", "messenger"],
            extra=f'{check}\n[log]\nlevel = "debug"',
        )
        with running(lab, config) as monitor:
            for name in ("home", "moved"):
                wait_for(partial(monitor.cycles, name), "a cycle")
            assert monitor.platform_states("home")["x"] == "ok"
            assert monitor.platform_states("moved")["x"] == "insufficient"
            shown = [str(lab.get(PORT, path)) for path in ("/vantages", "/", "/metrics")]
        assert "its packets leave from Netherlands, not from Pakistan" in shown[0]
        assert [v for v in lab.internet.visits("echo.example.org") if v["stage"] == "http"]
        assert [v for v in lab.internet.visits("stun.fbsbx.com") if v["stage"] == "stun"]
        texts, raw = _kept(lab, config)
        assert b"NL" in raw
        _is_absent(lab, [*texts, *shown, str(monitor.log)], raw)


def _kept(lab: Lab, config: Path) -> tuple[list[str], bytes]:
    """What can be exported and, last, every measurement as text; and the database as it is."""
    exported = [
        lab.run(["shutwatch", "export", "csv", kind, "--config", str(config)], check=True).stdout
        for kind in ("measurements", "verdicts", "events")
    ]
    path = lab.directory / "shutwatch.db"
    database = sqlite3.connect(path)
    with database:
        # All of it in one file, the write-ahead log folded in.
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    # Observations are stored compressed, so the file alone would hide what it holds.
    return [*exported, asyncio.run(_measurements(f"sqlite:///{path}"))], path.read_bytes()


def _is_absent(lab: Lab, texts: Sequence[str], raw: bytes) -> None:
    """No spelling of an address of any of the lab's networks is in any of these."""
    for here in lab.networks:
        for address in (here.source, here.source6):
            for needle in needles(address):
                assert needle not in raw, needle
                assert not [text for text in texts if needle.decode("latin-1") in text], needle


async def _measurements(url: str) -> str:
    """Every stored measurement, decoded, as one text."""
    store = sql_store(url)
    await store.open()
    try:
        parts = [
            msgspec.json.encode(measurement).decode()
            async for batch in store.measurements(Selection())
            for measurement in batch
        ]
    finally:
        await store.close()
    return "\n".join(parts)
