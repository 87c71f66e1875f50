"""What `shutwatch once` says: its lines of JSON, and its tables for people."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from monitor.analysis.verdict import VantageState
from monitor.cli.once import json_lines, print_cycles
from monitor.wording.states import STATES
from monitor.wording.vantage_health import VANTAGE_STATES
from storage.values.cycle import Cycle
from tests.truth.live import BLOCKED_HOSTS, OPEN_HOST, TITLES, X_HOSTS, Living
from tests.truth.phrases import plain
from tests.truth.reading import Reading
from tests.truth.truth import Cycle as TrueCycle
from tests.truth.truth import Seen, Truth, by_hand, state_of
from tests.truth.world import METHODS, OPEN_PLATFORM, PLATFORM, Network, Trouble

HEALTH = {
    None: VantageState.OK,
    Trouble.OFFLINE: VantageState.OFFLINE,
    Trouble.PORTAL: VantageState.CAPTIVE_PORTAL,
    Trouble.LOSSY: VantageState.LOSSY,
    Trouble.ALLOWLIST: VantageState.ALLOWLIST,
}
"""The state of a vantage with that trouble."""
_FUNCTIONS = {"web": X_HOSTS[0], "pictures": X_HOSTS[2], "video": X_HOSTS[3]}
"""A host of each function."""


def readings(now: Living) -> Iterator[Reading]:
    """What it says of each vantage, against what one cycle could see."""
    truth = Truth(now.world, now.once.seconds)
    for network in now.world.networks:
        cycle = next(one for one in now.once.cycles if one.vantage == network.vantage)
        true = by_hand(now.world, network, now.once.seconds)
        reading = Reading(truth, "command once --json")
        for row in json_lines([cycle]):
            _row(reading, network, true, row)
        yield reading
        reading = Reading(truth, "command once")
        for line in _shown(now, cycle):
            _line(reading, network, true, line)
        yield reading


def _row(reading: Reading, network: Network, true: TrueCycle, row: Mapping[str, Any]) -> None:
    told = " ".join(f"{name}={text}" for name, text in row.items())
    match row["kind"]:
        case "platform":
            _compare(reading, told, row["state"], state_of(network, true, row["platform"]))
            if row["platform"] == PLATFORM and true.seen is Seen.BLOCKED:
                block = network.block_at(true.seconds)
                assert block is not None
                method, right = f"{row['method']}.{row['sub_method']}", METHODS[block.method]
                reading.check(told, "" if method in right else f"it is {block.method}")
                for function, state in row["functions"].items():
                    _compare(reading, told, state, _endpoint(network, true, _FUNCTIONS[function]))
        case "endpoint":
            host = row["endpoint"].split("/")[2]
            here = _endpoint(network, true, host)
            if (row["rule_id"], here) == ("siblings.silent", "blocked"):
                here = "insufficient"  # others of its function were tested in full, and say so
            _compare(reading, told, row["state"], here)
        case "vantage":
            _compare(reading, told, row["state"], _health(network, true))


def _endpoint(network: Network, true: TrueCycle, host: str) -> str:
    """The state of one host; empty where it is not sure."""
    if host == OPEN_HOST:
        return state_of(network, true, OPEN_PLATFORM)
    block = network.block_at(true.seconds)
    if true.seen is Seen.EITHER or true.fault not in (None, Trouble.LOSSY):
        return "" if true.seen is Seen.EITHER else "insufficient"
    if block is None or host not in BLOCKED_HOSTS[block.part]:
        return "ok"
    state = state_of(network, true, PLATFORM)
    # A function that is blocked makes the platform no more than degraded.
    return "blocked" if state == "degraded" else state


def _health(network: Network, true: TrueCycle) -> str:
    changes = any(0 <= at - true.seconds <= 100 for at in network.moments)
    return "" if changes else str(HEALTH[true.fault])


def _shown(now: Living, cycle: Cycle) -> Iterator[str]:
    """The lines of its tables, of a terminal that is wide enough."""
    page = io.StringIO()
    print_cycles(now.settings, [cycle], Console(file=page, width=400, color_system=None))
    return map(plain, page.getvalue().splitlines())


def _line(reading: Reading, network: Network, true: TrueCycle, line: str) -> None:
    """`khi-ptcl (…): working, 6 of 6 references answered`, or a row of the table."""
    if line.startswith(f"{network.vantage} ("):
        word = line.rpartition("): ")[2].partition(",")[0]
        _compare(reading, line, word, VANTAGE_STATES.get(_health(network, true), ""))
    for platform, title in TITLES.items():
        if line.startswith(f"{title} "):
            rest = line.removeprefix(title).strip()
            words = sorted(STATES.values(), key=len, reverse=True)
            state = next(word for word in words if rest.startswith(word))
            _compare(reading, line, state, STATES.get(state_of(network, true, platform), ""))


def _compare(reading: Reading, told: str, given: str, true: str) -> None:
    """What is told against the truth, which is empty where it is not sure."""
    if true:
        reading.check(told, "" if given == true else f"it is {true}, not {given}")
