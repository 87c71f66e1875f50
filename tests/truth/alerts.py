"""What Alertmanager says: the committed rules over the world's metrics, by promtool, and the
committed templates over the alerts that these rules make, by amtool.
"""

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import yaml

from monitor.wording.events import FULL, PARTIAL, SOME
from tests.truth.phrases import When
from tests.truth.reading import Reading
from tests.truth.sentences import in_manner
from tests.truth.surfaces import Samples
from tests.truth.truth import Truth
from tests.truth.world import INTERVAL, Trouble, World
from tests.worlds.build import START
from tests.worlds.yaml_files import yaml_of

DASHBOARDS = Path(__file__).parents[2] / "dashboards"
RULES = DASHBOARDS / "prometheus" / "shutwatch.rules.yml"
TEMPLATES = DASHBOARDS / "alertmanager" / "shutwatch.tmpl"
ON_A_LIST = "ShutwatchAllowlistConfirmed"
NAMES = (
    "ShutwatchPlatformBlockConfirmed",
    "ShutwatchPlatformBlockSuspected",
    "ShutwatchPlatformThrottled",
    ON_A_LIST,
)
_MINUTES = int(INTERVAL // 60)
_FAMILIES = (
    "shutwatch_blocking_event",
    "shutwatch_circumstance",
    "shutwatch_event_end",
    "shutwatch_platform_blocked",
    "shutwatch_platform_state",
    "shutwatch_vantage_info",
    "shutwatch_public_url",
    "shutwatch_runbooks_url",
    "shutwatch_analysis_leader",
)
_PAIR = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert at one moment, as Alertmanager gets it."""

    minute: int
    """Of the world."""
    status: str
    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]


def alerts(world: World, scrapes: Mapping[int, Samples]) -> list[Alert]:
    """Every alert about a platform, minute by minute; `scrapes` are by turn."""
    last = world.turns * _MINUTES + 30
    with TemporaryDirectory(prefix="shutwatch-truth-") as folder:
        rules = Path(folder) / "rules.yml"
        rules.write_text(yaml.safe_dump({"groups": [_blocking()]}), "utf-8")
        cases = {
            "rule_files": [str(rules)],
            "evaluation_interval": "1m",
            "tests": [
                {
                    "interval": "1m",
                    "input_series": list(series(scrapes, world.turns, last, _FAMILIES)),
                    "alert_rule_test": [
                        {"eval_time": f"{minute}m", "alertname": name, "exp_alerts": []}
                        for minute in range(2, last)
                        for name in NAMES
                    ],
                }
            ],
        }
        file = Path(folder) / "cases.yml"
        file.write_text(json.dumps(cases), "utf-8")  # which is YAML, and is written sooner
        done = subprocess.run(
            ["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False
        )
    return list(_with_ends(_parsed(done.stdout + done.stderr)))


@cache
def _blocking() -> dict[str, object]:
    """The group of rules about blocks."""
    groups = yaml_of(RULES)["groups"]
    (group,) = (one for one in groups if one["name"] == "shutwatch-blocking")
    wanted = [one for one in group["rules"] if one.get("alert") in NAMES or "record" in one]
    return {**group, "rules": wanted}


def series(
    scrapes: Mapping[int, Samples], turns: int, last: int, families: tuple[str, ...]
) -> Iterator[dict[str, str]]:
    """The series of these families as promtool wants them, from the second minute on."""
    every: dict[str, dict[int, float]] = {}
    for turn, samples in scrapes.items():
        for name, labels, value in samples:
            if name.startswith(families):
                inner = {"job": "shutwatch", "instance": "i", **labels}
                shown = ",".join(f"{key}={json.dumps(str(text))}" for key, text in inner.items())
                every.setdefault(f"{name}{{{shown}}}", {})[turn] = value
    for series, values in every.items():
        shown = " ".join(_value(values.get(turn)) for turn in range(turns))
        end = _value(values.get(turns - 1)).split()[-1]
        yield {
            "series": series,
            "values": f"_ {shown} {' '.join([end] * (last - turns * _MINUTES))}",
        }
    yield {"series": 'up{job="shutwatch",instance="i"}', "values": f"1x{last}"}


def _value(value: float | None) -> str:
    """The samples of the five minutes that begin with a scrape."""
    return " ".join(["stale" if value is None else f"{value:.17g}"] * _MINUTES)


def _parsed(text: str) -> Iterator[Alert]:
    minute, labels = 0, ""
    for line in text.splitlines():
        if found := re.search(r"time: (?:(\d+)h)?(?:(\d+)m)?", line):
            minute = 60 * int(found[1] or 0) + int(found[2] or 0)
        elif line.strip().startswith("Labels:"):
            labels = line
        elif line.strip().startswith("Annotations:") and "alertname" in labels:
            yield Alert(
                minute=minute,
                status="firing",
                labels=tuple(pairs(labels)),
                annotations=tuple(pairs(line)),
            )


def pairs(line: str) -> Iterator[tuple[str, str]]:
    """The labels in a line of promtool."""
    for name, text in _PAIR.findall(line):
        yield name, json.loads(f'"{text}"')


def _with_ends(firing: Iterable[Alert]) -> Iterator[Alert]:
    """The alerts, and each again as resolved when it fires no more, with what it last said."""
    at: dict[tuple[tuple[str, str], ...], Alert] = {}
    for one in firing:
        before = at.get(one.labels)
        if before is not None and one.minute > before.minute + 1:
            yield _resolved(before)
        at[one.labels] = one
        yield one
    yield from map(_resolved, at.values())


def _resolved(last: Alert) -> Alert:
    return msgspec.structs.replace(last, status="resolved", minute=last.minute + 1)


# -- texts ---------------------------------------------------------------------------------------


def texts(found: Iterable[Alert]) -> Iterator[tuple[Alert, str]]:
    """The plain text of each alert that says something new."""
    said: set[object] = set()
    for one in found:
        key = (one.status, one.labels, one.annotations)
        if key not in said:
            said.add(key)
            yield one, _rendered(one)


def _rendered(alert: Alert) -> str:
    moment = f"{START + timedelta(minutes=alert.minute):%Y-%m-%dT%H:%M:%SZ}"
    data = {
        "receiver": "email",
        "status": alert.status,
        "alerts": [
            {
                "status": alert.status,
                "labels": dict(alert.labels),
                "annotations": dict(alert.annotations),
                "startsAt": moment,
                "endsAt": moment,
            }
        ],
    }
    with TemporaryDirectory(prefix="shutwatch-truth-") as folder:
        file = Path(folder) / "data.json"
        file.write_text(json.dumps(data), "utf-8")
        done = subprocess.run(
            [
                *("amtool", "template", "render", f"--template.glob={TEMPLATES}"),
                *("--template.text", '{{ template "shutwatch.text" . }}'),
                *("--template.data", str(file)),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    return done.stdout


# -- claims --------------------------------------------------------------------------------------


def reading(world: World, found: Iterable[Alert]) -> Reading:
    """The claims of all texts, each against the truth of its minute."""
    whole = Reading(Truth(world, 0.0), "Alertmanager")
    for alert, text in texts(found):
        one = Reading(Truth(world, alert.minute * 60.0), "Alertmanager")
        of_a_list = dict(alert.labels)["alertname"] == ON_A_LIST
        for line in text.splitlines():
            (_list_line if of_a_list else _line)(one, line.strip())
        whole.add(one)
    return whole


_PRESENT = (": blocked (confirmed)", ": maybe blocked (suspected: a lead, not a finding)")
_MANNERS = {"parts of ": PARTIAL, "some connections to ": SOME}
"""What stands before the platform's name where it is not blocked as a whole."""
_OVER = ("the block is over", "no longer suspected")


def _line(one: Reading, line: str) -> None:
    truth = one.truth
    name, _, rest = line.partition(": ")
    if line.endswith(_PRESENT) or rest in _OVER:
        one.check(
            line, truth.is_blocked() if line.endswith(_PRESENT) else truth.no_longer_blocked()
        )
        manner = next((m for start, m in _MANNERS.items() if line.startswith(start)), FULL)
        one.check(line, in_manner(one, manner))
    elif name == "Extent":
        x, n = one.phrases.numbers(rest)
        one.check(line, truth.networks(x, n, now=False))
    elif name == "Since" and (when := _since(one, rest)) is not None:
        one.check(line, truth.since(when))
        if "first blocked" in rest:
            first = one.phrases.when(rest.split("first blocked")[1])
            assert first is not None
            one.check(line, truth.first_seen(first, first=True))
    elif name == "Until" and (when := _until(one, rest)) is not None:
        one.check(line, truth.until(when))


_ON_A_LIST = "Only a list of sites answers in Pakistan"


def _list_line(one: Reading, line: str) -> None:
    """A line about networks that let only a list of sites pass."""
    truth, (name, _, rest) = one.truth, line.partition(": ")
    if line == _ON_A_LIST:
        one.check(line, truth.troubled(Trouble.ALLOWLIST, now=True))
    elif (name, rest) == ("Over", _ON_A_LIST):
        one.check(line, truth.trouble_over(Trouble.ALLOWLIST))
    elif name == "Until" and (when := _until(one, rest)) is not None:
        one.check(line, truth.trouble_ended(when, Trouble.ALLOWLIST))


def _since(one: Reading, text: str) -> When | None:
    """`LATEST UTC, LOCAL local time; last seen open EARLIEST UTC`, or `before LATEST …`."""
    times = re.findall(_TIME, text.split("; first blocked")[0].split("; last seen open")[0])
    opened = re.search(rf"last seen open ({_TIME})", text)
    if not times:
        return None
    latest = one.phrases.when(times[0])
    earliest = one.phrases.when(opened[1]) if opened else None
    assert latest is not None
    return When(earliest.earliest if earliest else None, latest.latest)


def _until(one: Reading, text: str) -> When | None:
    """`LATEST UTC, LOCAL; last seen blocked EARLIEST UTC`, or `after EARLIEST UTC; nobody …`."""
    times = re.findall(_TIME, text)
    if not times:
        return None
    first = one.phrases.when(times[0])
    assert first is not None
    if text.startswith("after"):
        return When(first.earliest, None)
    blocked = re.search(rf"last seen (?:blocked|so) ({_TIME})", text)
    earliest = one.phrases.when(blocked[1]) if blocked else None
    return When(earliest.earliest if earliest else first.earliest, first.latest)
