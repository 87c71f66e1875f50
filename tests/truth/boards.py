"""What the Grafana boards say: their committed queries over the world's metrics, by promtool, in
the words that the panels give to numbers.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import msgspec

from monitor.analysis.events.event import EventKind, EventState
from monitor.analysis.verdict import VantageState
from monitor.wording.states import EVENT_STATES, STATES
from monitor.wording.vantage_health import VANTAGE_STATES
from tests.prometheus.boards import QUERIES, Asked, filled
from tests.truth import alerts
from tests.truth.circumstances import why_not
from tests.truth.once import HEALTH
from tests.truth.reading import Reading
from tests.truth.surfaces import Samples
from tests.truth.truth import ANY, Range, Seen, Truth, bounds
from tests.truth.world import INTERVAL, METHODS, OPEN_PLATFORM, PLATFORM, World
from tests.worlds.build import START

_FAMILIES = (
    "shutwatch_blocking_event",
    "shutwatch_circumstance_state",
    "shutwatch_platform_",
    "shutwatch_function_state",
    "shutwatch_vantage_info",
    "shutwatch_vantage_state",
)
_GOT = re.compile(r"\{(?P<labels>(?:[^{}\"]|\"(?:[^\"\\]|\\.)*\")*)\} (?P<value>[-+.\dEeInfNa]+)")
_CYCLES = 2
"""A scrape has the last cycle or, while the next one runs, the one before."""
Labels: TypeAlias = Mapping[str, str]
Says: TypeAlias = Callable[[Reading, str, Labels, float], None]
"""Reads one value of a query: the reading, what is shown, the labels and the value."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a query at one moment."""

    minute: int
    labels: dict[str, str]
    value: float


def reading(world: World, scrapes: Mapping[int, Samples]) -> Reading:
    """The claims of all panels that say something of blocks, at each scrape."""
    whole = Reading(Truth(world, 0.0), "Grafana")
    for asked, values in _answers(world, scrapes):
        says = PANELS[asked.shown.panel["title"]][asked.target["refId"]]
        for one in values:
            here = Reading(Truth(world, one.minute * 60.0), f"Grafana {asked}")
            shown = _shown(asked, one)
            says(here, f"{_legend(asked, one)}: {shown}", one.labels, one.value)
            whole.add(here)
    return whole


# -- queries -------------------------------------------------------------------------------------


def _answers(world: World, scrapes: Mapping[int, Samples]) -> Iterator[tuple[Asked, list[Value]]]:
    """Each query that is read, with what it finds."""
    wanted = [one for one in QUERIES if one.target["refId"] in PANELS.get(_title(one), {})]
    minutes = [turn * int(INTERVAL // 60) + 1 for turn in scrapes]
    last = world.turns * int(INTERVAL // 60) + 1
    expressions = [filled(one.target["expr"], __range=f"{last}m") for one in wanted]
    tests: list[dict[str, object]] = [
        {"expr": one, "eval_time": f"{minute}m", "exp_samples": []}
        for one in dict.fromkeys(expressions)
        for minute in minutes
    ]
    found = _found(list(alerts.series(scrapes, world.turns, last, _FAMILIES)), tests)
    for asked, expression in zip(wanted, expressions, strict=True):
        yield asked, found.get(expression, [])


def _found(series: list[dict[str, str]], tests: list[dict[str, object]]) -> dict[str, list[Value]]:
    """What promtool finds, by expression: it tells what it did not expect."""
    case = {"interval": "1m", "input_series": series, "promql_expr_test": tests}
    with TemporaryDirectory(prefix="shutwatch-truth-") as folder:
        file = Path(folder) / "cases.yml"
        file.write_text(json.dumps({"rule_files": [], "tests": [case]}), "utf-8")
        done = subprocess.run(
            ["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False
        )
    found: dict[str, list[Value]] = {}
    expression, minute = "", 0
    for line in (done.stdout + done.stderr).splitlines():
        if told := re.match(r'\s+expr: (".*"), time: (?:(\d+)h)?(?:(\d+)m)?', line):
            expression = json.loads(told[1])
            minute = 60 * int(told[2] or 0) + int(told[3] or 0)
        elif line.strip().startswith("got: "):
            found.setdefault(expression, []).extend(
                Value(
                    minute=minute,
                    labels=dict(alerts.pairs(one["labels"])),
                    value=float(one["value"]),
                )
                for one in _GOT.finditer(line)
            )
        else:
            assert "err" not in line.lower() or "exp:" in line, line
    return found


def _title(asked: Asked) -> str:
    return str(asked.shown.panel["title"])


def _legend(asked: Asked, one: Value) -> str:
    legend = asked.target.get("legendFormat", "__auto")
    if legend == "__auto":
        return ", ".join(one.labels.values())
    return re.sub(r"\{\{(\w+)\}\}", lambda found: one.labels.get(found[1], ""), legend)


def _shown(asked: Asked, one: Value) -> str:
    """The value in the panel's own words, where it has any for it."""
    defaults = asked.shown.panel["fieldConfig"]["defaults"]
    for mapping in defaults.get("mappings", ()):
        word = mapping["options"].get(f"{one.value:g}", {}) if mapping["type"] == "value" else {}
        if word:
            return str(word["text"])
    return f"{one.value:g}"


# -- claims --------------------------------------------------------------------------------------


def _word(told: str) -> str:
    return told.rpartition(": ")[2]


def _about(reading: Reading, told: str, given: str, true: frozenset[str]) -> None:
    if true is not ANY:
        right = given in {STATES[one] for one in true}
        reading.check(told, "" if right else f"it is {' or '.join(sorted(true))}")


def _by_country(reading: Reading, told: str, labels: Labels, _: float) -> None:
    _about(reading, told, _word(told), reading.truth.worst(labels["platform"], _CYCLES))


def _by_network(reading: Reading, told: str, labels: Labels, _: float) -> None:
    name = labels["network"]
    asn = next(one.asn for one in reading.truth.world.networks if one.name == name)
    _about(reading, told, _word(told), reading.truth.states(asn, labels["platform"], _CYCLES))


def _event(reading: Reading, told: str, labels: Labels, _: float) -> None:
    """The state of the event, or that there is none and whether that is known."""
    truth, word = reading.truth, _word(told)
    if word in ("no event", "cannot tell"):
        certain = labels["platform"] == PLATFORM and any(map(truth.certainly, truth.cycles))
        worst = truth.worst(labels["platform"], _CYCLES)
        decided = worst is ANY or (worst != {"insufficient"}) == (word == "no event")
        maybe = "insufficient" in worst
        why = "a block must be known" if certain else "" if decided or maybe else f"it is {worst}"
        reading.check(told, why)
    else:
        state = next(name for name, text in EVENT_STATES.items() if text == word)
        _in_state(reading, told, {**labels, "state": state}, 1.0)


def _in_state(reading: Reading, told: str, labels: Labels, _: float) -> None:
    truth, state = reading.truth, labels["state"]
    if labels["platform"] != PLATFORM:
        reading.check(told, "that platform was never blocked")
    elif state == EventState.CONFIRMED:
        reading.check(told, truth.is_blocked())
    else:
        reading.check(told, truth.was_blocked())


def _events_now(reading: Reading, told: str, _: Labels, value: float) -> None:
    """Confirmed, or suspected, events. None of one kind does not say that there is none of the
    other; whether there is any is on the timeline."""
    truth = reading.truth
    if value:
        reading.check(told, truth.was_blocked() if value == 1 else "only one platform is blocked")
    else:
        reading.check(told, "")


def _share(x: Range, n: Range, share: float) -> str:
    """Whether a share may be x of n."""
    most = x.most / max(n.least, 1)
    right = x.least / max(n.most, 1) - 1e-6 <= share <= most + 1e-6
    return "" if right else f"it is {x} of {n}"


def _pairs(truth: Truth) -> Iterator[frozenset[str]]:
    """The states of each pair of network and platform, as a scrape may have them."""
    for asn in truth.cycles:
        for platform in (PLATFORM, OPEN_PLATFORM):
            yield truth.states(asn, platform, _CYCLES)


def _decided(reading: Reading, told: str, _: Labels, value: float) -> None:
    decided, every = Range(), Range()
    for states in _pairs(reading.truth):
        every.add(sure=True)
        if states != {"insufficient"}:
            decided.add(sure=states is not ANY and "insufficient" not in states)
    reading.check(told, _share(decided, every, value))


def _blind(reading: Reading, told: str, _: Labels, value: float) -> None:
    found = Range()
    for platform in (PLATFORM, OPEN_PLATFORM):
        worst = reading.truth.worst(platform, _CYCLES)
        if worst is ANY or "insufficient" in worst:
            found.add(sure=worst == {"insufficient"})
    reading.check(told, "" if found.holds(round(value)) else f"it is {found}")


def _ratio(reading: Reading, told: str, labels: Labels, value: float) -> None:
    blocking, decided = Range(), Range()
    for asn in reading.truth.cycles:
        states = reading.truth.states(asn, labels["platform"], _CYCLES)
        if states == {"insufficient"}:
            continue
        decided.add(sure=states is not ANY and "insufficient" not in states)
        if "blocked" in states or states is ANY:
            blocking.add(sure=states == {"blocked"})
    reading.check(told, _share(blocking, decided, value))


def _moment(
    reading: Reading, told: str, labels: Labels, value: float, *, first: bool = False
) -> None:
    at = datetime.fromtimestamp(value / 1000, tz=START.tzinfo)
    when = bounds(at, at)
    why = reading.truth.first_seen(when, first=first)
    reading.check(f"{told} = {at}", why if labels["platform"] == PLATFORM else "never blocked")


def _affected(reading: Reading, told: str, labels: Labels, value: float) -> None:
    """Networks that blocked at any time of the event; the rows without an event have none."""
    if labels["platform"] != PLATFORM:
        reading.check(told, "" if not value else "that platform was never blocked")
        return
    truth = reading.truth
    most = sum(map(truth.ever, truth.cycles))
    reading.check(told, "" if value <= most else f"at most {most} networks blocked")


def _seen(reading: Reading, told: str, _: Labels, value: float) -> None:
    tested = sum(any(one.measured for one in each) for each in reading.truth.cycles.values())
    reading.check(told, "" if value <= tested else f"{tested} networks were tested")


def _once_active(reading: Reading, told: str, labels: Labels, value: float) -> None:
    """A share of the time above nothing: it was active at all."""
    del value
    right = labels["platform"] == PLATFORM
    reading.check(told, reading.truth.was_blocked() if right else "it was never blocked")


def _method(reading: Reading, told: str, labels: Labels, _: float) -> None:
    truth = reading.truth
    network = next(one for one in truth.world.networks if one.name == labels["network"])
    if labels["platform"] != PLATFORM:
        reading.check(told, "that platform was never blocked")
        return
    reading.check(told, truth.network(network.asn, blocked=True, now=True))
    methods = {name for one in network.blocks for name in METHODS[one.method]}
    given = f"{labels['method']}.{labels['sub_method']}"
    reading.check(told, "" if given in methods else f"it is {' or '.join(methods)}")


def _function(reading: Reading, told: str, labels: Labels, _: float) -> None:
    """The worst state of a function: blocked only where a block is, and never ok under a sure one
    of all of the platform."""
    truth, word = reading.truth, _word(told)
    accused = word not in (STATES["ok"], STATES["insufficient"])
    if accused:
        right = labels["platform"] == PLATFORM
        reading.check(told, truth.is_blocked() if right else "it was never blocked")
    elif word == STATES["ok"] and truth.worst(labels["platform"], _CYCLES) == {"blocked"}:
        reading.check(told, "all of it is blocked")
    else:
        reading.check(told, "")


def _healths(truth: Truth, asn: int) -> frozenset[str]:
    """How a vantage works by its last cycle or the one before; `ANY` where it is not sure."""
    cycles = truth.cycles[asn]
    measured = [one for one in cycles if one.measured][-_CYCLES:]
    fresh = len(measured) == _CYCLES and measured == cycles[-_CYCLES:]
    if not fresh or any(one.beside is Seen.EITHER for one in measured):
        return ANY
    return frozenset(str(HEALTH[one.fault]) for one in measured)


def _vantage(reading: Reading, told: str, labels: Labels, _: float) -> None:
    state = next(one for one, word in VANTAGE_STATES.items() if word == _word(told))
    _vantage_listed(reading, told, {**labels, "state": state}, 1.0)


def _vantage_listed(reading: Reading, told: str, labels: Labels, _: float) -> None:
    truth = reading.truth
    for network in truth.world.networks:
        true = _healths(truth, network.asn)
        if network.vantage == labels["vantage"] and true is not ANY:
            right = labels["state"] in true
            reading.check(told, "" if right else f"it is {' or '.join(sorted(true))}")


def _working(reading: Reading, told: str, _: Labels, value: float) -> None:
    """The share of vantages whose own link is healthy."""
    works, every, well = Range(), Range(), {str(VantageState.OK), str(VantageState.LOSSY)}
    for asn in reading.truth.cycles:
        every.add(sure=True)
        true = _healths(reading.truth, asn)
        if true is ANY or true & well:
            works.add(sure=true is not ANY and true <= well)
    reading.check(told, _share(works, every, value))


def _circumstance(reading: Reading, told: str, labels: Labels, _: float) -> None:
    now = labels["state"] in (EventState.SUSPECTED, EventState.CONFIRMED)
    vantage = labels.get("vantage", "")
    reading.check(told, why_not(reading, EventKind(labels["kind"]), now=now, vantage=vantage))


PANELS: Mapping[str, Mapping[str, Says]] = {
    "Confirmed blocks": {"A": _events_now},
    "Suspected blocks": {"A": _events_now},
    "Decided": {"A": _decided},
    "Working field vantages": {"A": _working},
    "Blind spots": {"A": _blind},
    "Platforms by country": {"A": _by_country},
    "Networks blocking": {"A": _ratio},
    "Active events": {
        "A": _in_state,
        "B": _moment,
        "C": partial(_moment, first=True),
        "D": _affected,
        "E": _seen,
    },
    "Outages, shutdowns and silent vantages": {"A": _circumstance},
    "Events": {"A": _event},
    "Events in the time range": {"A": _once_active, "C": _moment, "D": _affected},
    "Networks affected": {"A": _affected, "B": _seen},
    "Platforms by network": {"A": _by_network},
    "Methods over time": {"A": _method},
    "Methods by network": {"A": _method},
    "Functions of platforms": {"A": _function},
    "Vantage health": {"A": _vantage},
    "Vantages": {"B": _vantage_listed},
}
"""Panels that claim something of blocks and vantages, by title and letter of the query. The others
show speeds, bytes, failures by layer and the program itself."""
