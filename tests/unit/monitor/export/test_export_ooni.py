"""OONI's format: read back by our own importer, and (soak) by OONI's own library."""

import asyncio
import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.config.catalog import shipped_catalog
from monitor.export.ooni_format import NO_CONTROL, ooni_measurement
from monitor.export.ooni_lines import PATIENCE, write_ooni
from monitor.ooni.convert import convert
from monitor.ooni.ooni_format import decode
from probes.layers.bogon import BogonList
from probes.measurement import AnyObservation, Layer, Measurement, Purpose
from storage.store import Store
from storage.values.selection import Selection
from tests.contract.cycles import AWKWARD, EVERY_OBSERVATION, REACHED, cycle, measurement
from tests.worlds.memory_store import MemoryStore

EXAMPLES = BogonList(("203.0.113.0/24",))
"""Addresses of documentation stand for the platform's here."""
RESET: tuple[AnyObservation, ...] = (
    *REACHED[:2],
    msgspec.structs.replace(REACHED[2], failure="connection_reset"),
)


def _control(seconds: float, id: str = "c-1", **other: Any) -> Measurement:  # noqa: A002
    look = measurement(
        id,
        seconds,
        cycle="cy",
        country="NL",
        vantage="ams",
        look=Purpose.CONTROL,
        asn=64510,
        **other,
    )
    return msgspec.structs.replace(look, vantage_role="control", network="Control One")


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """A field look that was reset, a control made for it, and others."""
    store = MemoryStore(page=2)
    await store.open()
    looks = (
        measurement("m-ok", 0.0, cycle="cy", endpoint="https://x.com/ok"),
        measurement("m-reset", 1.0, cycle="cy", observations=RESET, reached=False),
        _control(0.5, "c-early"),
        _control(2.0, "c-late"),
        _control(2.0, "c-other", endpoint="https://other.example/"),
        measurement("m-tcp", 3.0, cycle="cy", endpoint="tcp://149.154.167.51:443"),
        measurement("m-odd", 4.0, observations=EVERY_OBSERVATION, reached=False),
        msgspec.structs.replace(measurement("m-br", 5.0, country="BR"), network=AWKWARD),
    )
    await store.save(cycle(1, measurements=looks))
    yield store
    await store.close()


async def _lines(store: Store, selection: Selection) -> list[dict[str, Any]]:
    out = io.BytesIO()
    count = await write_ooni(store, selection, out)
    lines = [msgspec.json.decode(line) for line in out.getvalue().splitlines()]
    assert len(lines) == count
    return lines


async def test_a_reset_look_stands_beside_its_control(store: Store) -> None:
    """The control that began after the failure is in it, one that began before is not."""
    lines = {line["measurement_uid"]: line for line in await _lines(store, Selection(country="PK"))}
    keys = lines["m-reset"]["test_keys"]
    assert lines["m-reset"]["test_name"] == "web_connectivity"
    assert keys["tls_handshakes"][0]["failure"] == "connection_reset"
    assert keys["http_experiment_failure"] == "connection_reset"
    assert keys["control_failure"] is None
    assert keys["control"]["http_request"]["status_code"] == 200
    assert keys["control"]["dns"]["addrs"] == ["203.0.113.1"]
    assert (keys["accessible"], keys["blocking"]) == (False, None)


async def test_what_is_written_for_a_country(store: Store) -> None:
    """Its looks in the order they began, with the controls made for them and no other's."""
    lines = await _lines(store, Selection(country="PK"))
    assert [line["measurement_uid"] for line in lines] == [
        "m-ok",
        "m-reset",
        "c-late",
        "m-tcp",
        "m-odd",
    ]
    everything = await _lines(store, Selection())
    assert len(everything) == 8
    assert [line["measurement_uid"] for line in await _lines(store, Selection(country="BR"))] == [
        "m-br"
    ]


async def test_a_control_after_the_end_of_the_selection_is_found(store: Store) -> None:
    """The time selects looks; the control of the last one may come a little later."""
    cut = Selection(country="PK", until=measurement("x", 1.5).started_at)
    lines = await _lines(store, cut)
    assert [line["measurement_uid"] for line in lines] == ["m-ok", "m-reset", "c-late"]


async def test_a_control_that_comes_much_later_is_none(store: Store) -> None:
    """Nothing waits for ever: past PATIENCE a look is written without a control."""
    lone = measurement("m-lone", 10.0, cycle="c2", observations=RESET, reached=False)
    late = msgspec.structs.replace(
        _control(20.0 + PATIENCE.total_seconds(), "c-too-late"), cycle="c2"
    )
    await store.save(cycle(2, measurements=(lone, late)))
    lines = {line["measurement_uid"]: line for line in await _lines(store, Selection(country="PK"))}
    assert lines["m-lone"]["test_keys"]["control_failure"] == NO_CONTROL
    assert "c-too-late" not in lines


async def test_a_control_that_was_made_for_another_cycle_stands_beside_a_failure(
    store: Store,
) -> None:
    """Networks that fail together share one, and controls test by the clock for agents that cannot
    ask. One that was made for the cycle comes first."""
    agent = measurement("m-agent", 5000.0, cycle="c3", observations=RESET, reached=False)
    asking = measurement("m-asking", 5001.0, cycle="c4", observations=RESET, reached=False)
    unwell = (*REACHED[:3], msgspec.structs.replace(REACHED[3], status=503))
    by_clock = _control(5002.0, "c-clock", observations=unwell)
    asked = _control(5004.0, "c-asked")
    looks = (
        agent,
        asking,
        msgspec.structs.replace(by_clock, cycle="c5"),
        msgspec.structs.replace(asked, cycle="c4"),
    )
    await store.save(cycle(2, measurements=looks))
    lines = {line["measurement_uid"]: line for line in await _lines(store, Selection(country="PK"))}
    assert {"c-clock", "c-asked"} <= lines.keys()
    beside = {name: lines[name]["test_keys"] for name in ("m-agent", "m-asking")}
    assert {one["control_failure"] for one in beside.values()} == {None}
    assert beside["m-agent"]["control"]["http_request"]["status_code"] == 503
    assert beside["m-asking"]["control"]["http_request"]["status_code"] == 200


async def test_no_vantage_is_named_and_no_address_given(store: Store) -> None:
    """Networks only; the probe's and the resolver's own addresses are OONI's placeholders."""
    for line in await _lines(store, Selection()):
        assert line["probe_ip"] == "127.0.0.1"
        assert line["resolver_ip"] == "127.0.0.2"
        text = msgspec.json.encode(line)
        assert b"khi-ptcl" not in text
        assert b'"ams"' not in text


async def test_our_own_importer_reads_every_website(store: Store) -> None:
    """Exported and imported again, a look says the same of each layer and of being reached."""
    read = 0
    for line in await _lines(store, Selection()):
        if line["test_name"] != "web_connectivity" or line["measurement_uid"] == "m-odd":
            continue
        wire, _ = decode(msgspec.json.encode(line))
        imported = convert(wire, None, shipped_catalog(), bogons=EXAMPLES)
        (look,) = imported.measurements
        reached = line["measurement_uid"] != "m-reset"
        assert look.reached is reached
        assert imported.vantage.country == line["probe_cc"]
        failures = [o.failure for o in look.of(Layer.TLS)]
        assert failures == ([None] if reached else ["connection_reset"])
        read += 1
    assert read == 3


def test_injected_replies_and_what_ooni_has_no_field_for_are_kept() -> None:
    """The second reply, an application's answer and a transfer are in fields of our own."""
    keys = ooni_measurement(
        measurement("m", observations=EVERY_OBSERVATION, endpoint="tcp://x.com:443", reached=False)
    )["test_keys"]
    assert [query["rcode"] for query in keys["x_dns_duplicate_responses"]] == [3]
    kinds = {other["layer"] for other in keys["x_shutwatch_observations"]}
    assert kinds == {"egress", "app", "transfer"}
    assert keys["failed_operation"] == "resolve"
    assert keys["queries"][0]["tags"] == ["open_resolver"]
    assert keys["requests"][0]["failure"] == "connection_reset"


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_oonidata_loads_every_line(store: Store, tmp_path: Path) -> None:
    """OONI's own library, in an environment of its own, reads each line into its own types.

    `SHUTWATCH_OONIDATA` may name a Python that has it; else it is installed from PyPI.
    `SHUTWATCH_OONI_LINES` may name another file to read.
    """
    named = os.environ.get("SHUTWATCH_OONI_LINES", "")
    file = Path(named) if named else tmp_path / "lines.jsonl"
    if not named:
        file.write_bytes(
            b"".join(msgspec.json.encode(x) + b"\n" for x in await _lines(store, Selection()))
        )
    kinds = await asyncio.to_thread(_load_with_oonidata, file, tmp_path)
    sys.stderr.write(f"oonidata loaded {kinds}\n")
    assert set(kinds) == {"WebConnectivity", "UrlGetter"}
    assert named or sum(kinds.values()) == 8


_LOADER = """
import json, sys
from oonidata.dataclient import load_measurement
kinds = {}
for line in open(sys.argv[1], encoding="utf-8"):
    found = load_measurement(json.loads(line))
    again = found.to_dict()
    assert again["measurement_uid"] == json.loads(line)["measurement_uid"]
    assert len(again["test_keys"]["queries"]) == len(json.loads(line)["test_keys"]["queries"])
    kinds[type(found).__name__] = kinds.get(type(found).__name__, 0) + 1
print(json.dumps(kinds))
"""


def _load_with_oonidata(file: Path, folder: Path) -> dict[str, int]:
    """How many lines it loaded as which type."""
    python = os.environ.get("SHUTWATCH_OONIDATA", "")
    if not python:
        subprocess.run([sys.executable, "-m", "venv", str(folder / "v")], check=True)
        python = str(folder / "v/bin/python")
        subprocess.run([python, "-m", "pip", "install", "-q", "oonidata==0.3.0"], check=True)
    done = subprocess.run(
        [python, "-c", _LOADER, str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    kinds: dict[str, int] = msgspec.json.decode(done.stdout)
    return kinds
