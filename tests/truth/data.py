"""Claims of what is not written in sentences: commands, the API, files and metrics."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.truth.coverage import EVENTS_PAGE
from tests.truth.phrases import When
from tests.truth.reading import Reading, Scope, chosen
from tests.truth.sentences import LINES, SENTENCES, fact
from tests.truth.surfaces import WRONG, Command, Surfaces, json_lines
from tests.truth.truth import Range, Seen, Truth, bounds, moment, state_of
from tests.truth.world import INTERVAL, PLATFORM
from tests.worlds.build import START

_TIME = r"(\d{4}-\d\d-\d\d \d\d:\d\d)Z"
_EVERYTHING = Scope(now=False)
_ACTIVE = ("suspected", "confirmed", "recovering", "unobserved")
_BOUNDS = ("onset_earliest", "onset_latest", "end_earliest", "end_latest")
_OTHER_ASKED = "that platform was not asked for"
_OTHER = "that platform was never blocked"


# -- commands ------------------------------------------------------------------------------------


def command(truth: Truth, printed: Command) -> Reading:
    """What a command printed."""
    surface, scope = f"command {' '.join(printed.arguments[:2])}", _EVERYTHING
    if printed.chosen is not None:
        surface += f" {' '.join(printed.arguments[2:])}"
        truth, scope = chosen(truth, scope, printed.chosen)
    reading = Reading(truth, surface, scope=scope)
    if printed.chosen is not None:
        reading.check(f"exit code {printed.code}", "" if not printed.code else "it is asked so")
        for line in printed.text.splitlines():
            _listed(reading, line)
    elif printed.arguments[2:] and printed.arguments[2].removeprefix("--") in dict(WRONG):
        _refused(reading, printed)
    elif printed.arguments[1] == "show":
        if f"block {PLATFORM}" in printed.text and "withdrawn by" not in printed.text:
            for line in printed.text.splitlines():
                _shown(reading, line)
    elif "--json" in printed.arguments:
        for row in json_lines(printed):
            _event(reading, row)
    else:
        for line in printed.text.splitlines():
            _listed(reading, line)
    return reading


def _refused(reading: Reading, printed: Command) -> None:
    """A mistyped filter is an error that names it, and not an empty success."""
    told = f"{' '.join(printed.arguments)}: exit code {printed.code}, {printed.text.strip()}"
    named = printed.arguments[3] in printed.text
    reading.check(told, "" if printed.code == 2 and named else "that filter is mistyped")


def _listed(reading: Reading, line: str) -> None:
    """A line of `event list`: one moment stands for the onset."""
    told = re.search(_TIME, line)
    if told and reading.scope and PLATFORM not in reading.scope.platforms:
        reading.check(line, "that platform was not asked for")
    elif told and f"block {PLATFORM}" in line and "withdrawn" not in line:
        when = reading.phrases.when(told[1])
        assert when is not None
        reading.check(line, reading.truth.first_seen(when))
    else:
        reading.read(line, {**SENTENCES, **EVENTS_PAGE}, LINES)


def _shown(reading: Reading, line: str) -> None:
    """A line of `event show`."""
    name, _, value = line.strip().partition(" ")
    truth = reading.truth
    began, ended = (_between(reading, line, word) for word in ("began", "ended"))
    if name == "stretch" and began is not None:
        reading.check(line, truth.a_stretch(began, ended))
    elif name == "began" and began is not None:
        reading.check(line, truth.since(began, first=True))
    elif name == "ended" and ended is not None:
        reading.check(line, truth.until(ended))
    elif name == "ended" and value.strip() == "not":
        reading.check(line, truth.going_on())
    elif name == "lasted":
        fact(reading, "Lasted", value.strip())
    elif name == "networks":
        reading.read(line, {}, {})


def _between(reading: Reading, line: str, word: str) -> When | None:
    """`began between … and …`."""
    told = re.search(rf"\b{word} +between (.*?) and (\S+ \S+Z|unknown)", line)
    if told is None:
        return None
    earliest, latest = (reading.phrases.when(part.removesuffix("Z")) for part in told.groups())
    return When(earliest.earliest if earliest else None, latest.latest if latest else None)


# -- API and files -------------------------------------------------------------------------------


def events(truth: Truth, said: Surfaces) -> Reading:
    """Events as the API and the CSV file have them."""
    reading = Reading(truth, "API and CSV of events", scope=_EVERYTHING)
    for answer in said.answers:
        if answer.chosen is not None:
            of, scope = chosen(truth, _EVERYTHING, answer.chosen)
            filtered = Reading(of, reading.surface, scope=scope)
            told = f"{answer.path}: {answer.status}"
            filtered.check(told, "" if answer.status == 200 else "it is asked so")
            for row in answer.body["data"]:
                left = {answer.chosen.platform or row["platform"], row["platform"]}
                filtered.check(told, _OTHER_ASKED if len(left) > 1 else "")
                _event(filtered, row)
            _coverage(filtered, answer.body["coverage"])
            reading.add(filtered)
            continue
        if "?" in answer.path:
            named = answer.path.rpartition("=")[2] in str(answer.body)
            refused = answer.status == 400 and named
            told = f"{answer.path}: {answer.status}"
            reading.check(told, "" if refused else "that filter is mistyped")
            continue
        for row in answer.body["data"] if answer.path.endswith("/events") else ():
            _event(reading, row)
        if "coverage" in answer.body and answer.path.endswith("/events"):
            _coverage(reading, answer.body["coverage"])
    for row in said.tables["events"]:
        _event(reading, {name: value or None for name, value in row.items()})
    return reading


def _event(reading: Reading, row: Mapping[str, Any]) -> None:
    """An event: its first stretch and its last, and whether it goes on."""
    if row["kind"] != "block" or row["state"] == "withdrawn":
        return
    truth, told = reading.truth, _told(row)
    if row["platform"] != PLATFORM:
        reading.check(told, _OTHER)
        return
    since, until = _bounds(row)
    reading.check(told, truth.since(since, first=True))
    if row["state"] == "confirmed":
        reading.check(told, truth.is_blocked())
    if row.get("confirmed_at"):
        reading.check(f"{told} confirmed", truth.can_be_sure())
    if row["state"] not in _ACTIVE and until is not None:
        reading.check(told, truth.until(until))
    if "since_latest" in row:
        newest = bounds(moment(row["since_earliest"]), moment(row["since_latest"]))
        over = None if row["state"] in _ACTIVE else until
        reading.check(f"{told} since {newest}", truth.of_event(newest, over))
    elif int(row.get("reopened") or 0) and not isinstance(row.get("stretches"), list):
        reading.check(told, "it was open between two stretches, which it does not tell")
    if isinstance(row.get("stretches"), list):
        for stretch in row["stretches"]:
            reading.check(f"{told} {stretch}", truth.a_stretch(*_bounds(stretch)))
    elif row.get("stretches"):
        reading.check(f"{told} stretches={row['stretches']}", truth.count(int(row["stretches"])))
    _lasted(reading, told, row)


def _lasted(reading: Reading, told: str, row: Mapping[str, Any], asn: int | None = None) -> None:
    least, most = row.get("blocked_seconds_least"), row.get("blocked_seconds_most")
    if least not in (None, "") and row["state"] not in ("dismissed", "withdrawn"):
        longest = timedelta(seconds=float(most)) if most not in (None, "") else None
        why = reading.truth.lasted(timedelta(seconds=float(least)), longest, asn)
        reading.check(f"{told} blocked_seconds {least} to {most}", why)


def stretches(truth: Truth, said: Surfaces) -> Reading:
    """Each stretch of the country and of each network."""
    reading = Reading(truth, "CSV of stretches")
    for row in said.tables.get("stretches", ()):
        if row["kind"] != "block" or row["state"] == "withdrawn":
            continue
        if row["platform"] != PLATFORM:
            reading.check(_told(row), _OTHER)
            continue
        asn = int(row["asn"]) if row["asn"] else None
        since, until = _bounds(row)
        told = f"asn={asn} {_told(row)}"
        reading.check(told, truth.a_stretch(since, until, asn))
        if row["goes_on"] == "true" and row["state"] != "unobserved":
            reading.check(f"{told} goes on", truth.going_on())
    return reading


def _bounds(row: Mapping[str, Any]) -> tuple[When, When | None]:
    onset_earliest, onset_latest, end_earliest, end_latest = (
        moment(row.get(name)) for name in _BOUNDS
    )
    over = end_earliest is not None
    return bounds(onset_earliest, onset_latest), bounds(end_earliest, end_latest) if over else None


def _told(row: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={row.get(name)}" for name in ("state", *_BOUNDS))


def _coverage(reading: Reading, told: Mapping[str, Any]) -> None:
    """How much of all that was measured is decided."""
    platforms = (reading.scope or _EVERYTHING).platforms
    truth = reading.truth.verdicts(now=False, platforms=platforms)
    for name, range_ in (("cycles", truth.all), ("decided", truth.decided), ("signs", truth.signs)):
        number = told[name]
        reading.check(f"{name}={number}", "" if range_.holds(number) else f"it is {range_}")
    reading.read(str(told["statement"]), SENTENCES, LINES)


def availability(truth: Truth, said: Surfaces) -> Reading:
    """Each hour's numbers of verdicts, network by network."""
    reading = Reading(truth, "CSV of availability")
    for row in said.tables.get("availability", ()):
        if row["platform"] == PLATFORM and row["period"] == "hour" and row["asn"]:
            told = " ".join(f"{name}={row[name]}" for name in _COUNTS_OF_AN_HOUR)
            for name, range_ in _hour(truth, row):
                right = range_.holds(int(row[name]))
                reading.check(told, "" if right else f"{range_} were {name}")
    return reading


_COUNTS_OF_AN_HOUR = ("starts_at", "asn", "ok", "degraded", "blocked", "insufficient")


def _hour(truth: Truth, row: Mapping[str, str]) -> Iterator[tuple[str, Range]]:
    begin = moment(row["starts_at"])
    assert begin is not None
    end = begin + timedelta(hours=1)
    asn = int(row["asn"])
    network = truth.network_of(asn)
    for name in _COUNTS_OF_AN_HOUR[2:]:
        found = Range()
        for one in truth.cycles[asn]:
            state = state_of(network, one, PLATFORM)
            if state == "partial":
                state = "degraded"  # as docs/csv.md says of that column
            here = one.measured and begin <= truth.world.wall(one.seconds) < end
            if here and state in (name, ""):
                found.add(sure=state == name)
        yield name, found


# -- metrics -------------------------------------------------------------------------------------


def metrics(truth: Truth, said: Surfaces) -> Reading:
    """What Prometheus gets."""
    reading = Reading(truth, "metrics")
    for labels, value in _samples(said, "shutwatch_blocking_event_state"):
        if value == 1:
            _event_state(reading, said, labels)
    for labels, value in _samples(said, "shutwatch_blocking_event_onset_timestamp_seconds"):
        at = datetime.fromtimestamp(value, tz=START.tzinfo)
        reading.check(f"onset_timestamp{labels} {at}", truth.first_seen(bounds(at, at)))
    for labels, value in _samples(said, "shutwatch_blocking_event_first_onset_timestamp_seconds"):
        at = datetime.fromtimestamp(value, tz=START.tzinfo)
        told = f"first_onset{labels} {at}"
        reading.check(told, truth.first_seen(bounds(at, at), first=True))
    for labels, value in _samples(said, "shutwatch_blocking_event_ended_timestamp_seconds"):
        at = datetime.fromtimestamp(value, tz=START.tzinfo)
        _ended(reading, said, labels, at)
    for labels, value in _samples(said, "shutwatch_platform_state"):
        if value == 1 and labels["platform"] == PLATFORM:
            _platform_state(reading, labels)
    return reading


def _samples(said: Surfaces, name: str) -> Iterator[tuple[dict[str, str], float]]:
    return ((labels, value) for found, labels, value in said.samples if found == name)


def _time(said: Surfaces, family: str, event: str) -> datetime | None:
    """The moment that a family of timestamps has of an event."""
    for labels, value in _samples(said, f"shutwatch_{family}_timestamp_seconds"):
        if labels["event"] == event:
            return datetime.fromtimestamp(value, tz=START.tzinfo)
    return None


def _ended(reading: Reading, said: Surfaces, labels: Mapping[str, str], at: datetime) -> None:
    """The end of an event that is over, and its bounds."""
    told = " ".join([f"{name}={text}" for name, text in labels.items()] + [f"{at}"])
    if labels["platform"] != PLATFORM or labels["state"] != "ended":
        return
    earliest, latest = (
        _time(said, f"event_end_{bound}", labels["event"]) for bound in ("earliest", "latest")
    )
    reading.check(told, reading.truth.until(When(earliest, latest), any_stretch=True))
    if latest is not None:
        reading.check(told, "" if latest == at else f"its later bound is {latest}")


def _event_state(reading: Reading, said: Surfaces, labels: Mapping[str, str]) -> None:
    told = " ".join(f"{name}={text}" for name, text in labels.items())
    if labels["platform"] != PLATFORM:
        reading.check(told, _OTHER)
        return
    if labels["state"] == "confirmed":
        reading.check(told, reading.truth.is_blocked())
    onset = "blocking_event_onset"
    earliest, latest = (
        _time(said, family, labels["event"]) for family in (f"{onset}_earliest", onset)
    )
    assert latest is not None
    reading.check(told, reading.truth.since(When(earliest, latest)))


def _platform_state(reading: Reading, labels: Mapping[str, str]) -> None:
    truth, asn = reading.truth, int(labels["asn"])
    last = truth.current(asn)
    if last is None or last.seen is Seen.EITHER or truth.seconds - last.seconds > INTERVAL:
        return
    state = state_of(truth.network_of(asn), last, PLATFORM)
    right = labels["state"] == state
    reading.check(f"platform_state{labels}", "" if right else f"the last cycle was {state}")
