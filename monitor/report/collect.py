"""Read the store once for a report, and write its data files on the way.

Whatever the length of the time, memory holds one batch of rows, and counts that do not grow.
"""

import asyncio
import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import TextIO

import msgspec
from msgspec.structs import replace

from monitor.analysis.coverage import coverage_of
from monitor.analysis.events.stretches import stretches
from monitor.analysis.verdict import EVIDENCE_ORDER, State, VantageState, Verdict
from monitor.export.cells import cell
from monitor.export.csv import write_csv
from monitor.export.data_package import DESCRIPTOR
from monitor.export.dictionary import write_dictionary
from monitor.export.kinds import EXPORTS, Kind
from monitor.export.no_rows import why_no_rows
from monitor.export.ooni_format import ooni_measurement
from monitor.export.ooni_lines import PATIENCE, ControlMatcher
from monitor.judging.quarantine import Quarantined
from monitor.report.batches import BATCHES, KEYS, Enclosed, enclose
from monitor.report.data_files import TIMELINE, describe_files
from monitor.report.events import gather_events
from monitor.report.findings import Applied, Example, Findings, Network, Story, Wanted
from monitor.report.lanes import Lanes, lanes_of
from monitor.report.log_file import LOG, encoded_log, log_file
from monitor.report.row_files import marked, new_file, write_rows
from monitor.report.tables import some_stretches
from monitor.report.time_slots import Slots
from monitor.sources.witnesses import second_witnesses
from monitor.wording.no_rows import NoRows
from probes.measurement import Measurement, Purpose
from probes.vantage import VantageRole
from storage.store import CollectorStore, Store
from storage.values.selection import Selection

MOST_NOTES = 50
MOST_EXAMPLES = 12
MEASUREMENT_FILES = ("data/measurements.csv", "data/measurements.jsonl", "data/ooni.jsonl")
SILENT = timedelta(hours=1)
"""Whether a control worked is not known where the field was tested for longer than this, and than
three times the time between cycles, without a cycle of that control."""
AROUND = timedelta(hours=1)
"""Raw measurements are enclosed from this long before to this long after each onset and end."""

_encode = msgspec.json.Encoder().encode
_WELL = (VantageState.OK, VantageState.LOSSY)
_ACCUSED = (State.BLOCKED, State.THROTTLED, State.PARTIAL)


async def gather(store: CollectorStore, wanted: Wanted, folder: Path, interval: float) -> Findings:
    """Read what `wanted` is about; data files go to `folder`, under their final names.

    `interval` is the configured number of seconds between two cycles. StorageError from the store,
    OSError from the files.
    """
    (folder / "data").mkdir()
    events = await gather_events(store, wanted, folder / "data")
    stories, rows = events.stories, events.rows
    windows = _windows(stories, wanted)
    quarantined = Quarantined(await store.quarantines())
    lanes = await lanes_of(store, wanted, interval, quarantined)
    applied, chosen, rows["data/verdicts.csv"] = await _verdicts(
        store, wanted, windows, folder / "data/verdicts.csv", quarantined
    )
    measured = await _measurements(store, wanted, windows, chosen, folder / "data")
    # Last, so that all that is enclosed is in it.
    log = await store.append_to_log()
    enclosed_log = await log_file(store, log)
    (folder / LOG).write_bytes(encoded_log(enclosed_log))
    batches_to = folder if wanted.signed_batches else None
    signed = await enclose(store, measured.enclosed, wanted.platform, batches_to, log.size)
    controls, control_unwell, unwell = await _health(store, wanted, interval)
    with new_file(folder / "data/timeline.csv") as out:
        rows["data/timeline.csv"] = _timeline(lanes.slots, out)
    with new_file(folder / "data/availability.csv") as out:
        rows["data/availability.csv"] = await write_csv(
            Kind.AVAILABILITY, store, replace(wanted.selection, timezone=wanted.timezone), out
        )
    with new_file(folder / "data/dictionary.csv") as out:
        rows["data/dictionary.csv"] = write_dictionary(out) + _own_dictionary(out)
    annotations = await store.annotations(
        wanted.country, wanted.since, wanted.until, wanted.platform
    )
    if signed.enclosed:
        rows |= {BATCHES: signed.batches, KEYS: signed.keys}
    rows |= measured.rows
    rows[f"data/{DESCRIPTOR}"] = describe_files(folder / "data", wanted, rows)
    no_rows = await _no_rows(store, wanted, rows)
    return Findings(
        wanted=wanted,
        stories=stories,
        stories_omitted=events.stories_omitted,
        related=events.related,
        related_omitted=events.related_omitted,
        annotations=tuple(annotations[:MOST_NOTES]),
        witnesses=tuple(
            [
                (event, await second_witnesses(store, event, wanted.until))
                for event in (*(story.event for story in stories), *events.related)
            ]
        ),
        lanes=lanes.found(unwell),
        slot=lanes.slots.width,
        coverage=coverage_of(lanes.tallies.made(), wanted.since, wanted.until, interval),
        applied=tuple(applied),
        examples=measured.examples(chosen),
        controls=len(measured.controls) or controls,
        control_measurements=measured.controls.total(),
        control_unwell=control_unwell,
        deleted_before=_deleted_before(lanes, no_rows, wanted),
        rules_versions=tuple(sorted(lanes.versions or _versions(stories))),
        rows=rows,
        no_rows=no_rows,
        signed=signed,
        log=log,
        windows=windows,
    )


_FILES = {
    "data/verdicts.csv": Kind.VERDICTS,
    "data/availability.csv": Kind.AVAILABILITY,
    "data/timeline.csv": Kind.AVAILABILITY,
    **dict.fromkeys(MEASUREMENT_FILES, Kind.MEASUREMENTS),
}
"""The kind of stored rows that a file is made of."""


async def _no_rows(store: Store, wanted: Wanted, rows: Mapping[str, int]) -> dict[str, NoRows]:
    """Why files have no rows."""
    found: dict[str, NoRows] = {}
    for file in (file for file, count in rows.items() if not count):
        if file in (BATCHES, KEYS):
            found[file] = NoRows.UNSIGNED
        elif file not in _FILES:
            found[file] = NoRows.NO_EVENT
        else:
            found[file] = await why_no_rows(EXPORTS[_FILES[file]], store, wanted.selection)
    return found


def _windows(stories: Sequence[Story], wanted: Wanted) -> tuple[tuple[datetime, datetime], ...]:
    """The times around every onset and end of the first and the last stretches, from earliest to
    latest bound; those that the same controls belong to are merged."""
    if wanted.all_measurements:
        return ((wanted.since, wanted.until),)
    found: list[tuple[datetime, datetime]] = []
    for story in stories:
        for _, one in some_stretches(stretches(story.event)):
            found.append(
                ((one.onset_earliest or one.onset_latest) - AROUND, one.onset_latest + AROUND)
            )
            ended = one.end_earliest or one.last_blocked
            if ended is not None:
                found.append((ended - AROUND, (one.end_latest or ended) + AROUND))
    found = found or [(wanted.until - AROUND, wanted.until)]
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1] + PATIENCE:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _deleted_before(lanes: Lanes, no_rows: Mapping[str, NoRows], wanted: Wanted) -> datetime | None:
    """Until when single results were deleted: only counts are left of them."""
    if lanes.by_hour or no_rows.get("data/verdicts.csv") is NoRows.DELETED:
        return lanes.kept_from or wanted.until
    return None


def _versions(stories: Sequence[Story]) -> set[str]:
    return {story.event.rules_version for story in stories if story.event.rules_version}


async def _verdicts(
    store: Store,
    wanted: Wanted,
    windows: Sequence[tuple[datetime, datetime]],
    path: Path,
    quarantined: Quarantined,
) -> tuple[list[Applied], list[Verdict], int]:
    """Rules by network and verdicts to show as examples, without what is `quarantined`, and the
    number of rows written."""
    counts: Counter[tuple[Network, str, str]] = Counter()
    examples: dict[tuple[Network, str, str], Verdict] = {}
    rows = 0
    with new_file(path, Kind.VERDICTS) as out:
        async for batch in store.verdicts(wanted.selection):
            await asyncio.to_thread(write_rows, Kind.VERDICTS, out, wanted, batch)
            rows += len(batch)
            for one in batch:
                if quarantined.covers(one.vantage, one.measured_at or one.judged_at):
                    continue
                network = (one.asn, one.network)
                counts[network, one.rule_id, one.state.value] += 1
                shown = any(start <= one.judged_at < end for start, end in windows)
                if one.state in _ACCUSED and shown:
                    kind = (network, one.method, one.sub_method)
                    # Of equally good ones the first.
                    examples[kind] = max(examples.get(kind, one), one, key=_worth)
    applied = [
        Applied(network=network, rule=rule, state=state, count=count)
        for (network, rule, state), count in sorted(counts.items())
    ]
    return applied, list(examples.values())[:MOST_EXAMPLES], rows


def _worth(verdict: Verdict) -> tuple[int, bool, bool]:
    """How good an example it is: by its evidence, then with a control, then a website."""
    return EVIDENCE_ORDER[verdict.evidence], bool(verdict.controls), verdict.function == "web"


class _Measured:
    """What the measurements of the windows hold."""

    def __init__(self) -> None:
        self.count = 0
        self.controls: Counter[str] = Counter()
        """Measurements of each control vantage."""
        self.enclosed = Enclosed()
        self.kept: dict[str, Measurement] = {}
        self.follow_ups: dict[tuple[str, str], list[Measurement]] = {}

    @property
    def rows(self) -> dict[str, int]:
        """Rows of each file."""
        return dict.fromkeys(MEASUREMENT_FILES, self.count)

    def examples(self, chosen: Sequence[Verdict]) -> tuple[Example, ...]:
        return tuple(
            Example(
                verdict=verdict,
                field=self.kept[verdict.measurement],
                control=self._control(verdict),
                follow_ups=tuple(self.follow_ups.get((verdict.cycle, verdict.endpoint), ())),
            )
            for verdict in chosen
            if verdict.measurement in self.kept
        )

    def _control(self, verdict: Verdict) -> Measurement | None:
        """One that the verdict used; one that reached the endpoint, if any."""
        controls = [self.kept[one] for one in verdict.controls if one in self.kept]
        return max(controls, key=attrgetter("reached"), default=None)


async def _measurements(
    store: Store,
    wanted: Wanted,
    windows: Sequence[tuple[datetime, datetime]],
    chosen: Sequence[Verdict],
    folder: Path,
) -> _Measured:
    measured = _Measured()
    ids = {one for verdict in chosen for one in (verdict.measurement, *verdict.controls)}
    examined = {(verdict.cycle, verdict.endpoint) for verdict in chosen}
    with (
        new_file(folder / "measurements.csv", Kind.MEASUREMENTS) as table,
        (folder / "measurements.jsonl").open("wb") as raw,
        (folder / "ooni.jsonl").open("wb") as ooni,
    ):

        def write(pairs: Sequence[tuple[Measurement, Measurement | None]]) -> None:
            write_rows(Kind.MEASUREMENTS, table, wanted, [one for one, _ in pairs])
            for measurement, control in pairs:
                named, beside = marked(wanted, measurement), control and marked(wanted, control)
                measured.count += 1
                if measurement.look is Purpose.CONTROL:
                    measured.controls[measurement.vantage] += 1
                measured.enclosed.add(measurement)
                raw.write(_encode(named) + b"\n")
                ooni.write(_encode(ooni_measurement(named, beside)) + b"\n")

        for start, end in windows:
            matcher = ControlMatcher(Selection(since=start, until=end, country=wanted.country))
            # Controls are in other countries, and measure a little later.
            wider = Selection(since=start, until=end + PATIENCE, platform=wanted.platform)
            async for batch in store.measurements(wider):
                await asyncio.to_thread(write, list(matcher.take(batch)))
                for measurement in batch:
                    if measurement.id in ids:
                        measured.kept[measurement.id] = measurement
                    key = (measurement.cycle, measurement.endpoint)
                    if measurement.look is Purpose.FOLLOW_UP and key in examined:
                        measured.follow_ups.setdefault(key, []).append(measurement)
            await asyncio.to_thread(write, list(matcher.rest()))
    return measured


async def _health(
    store: Store, wanted: Wanted, interval: float
) -> tuple[int, int | None, Counter[Network]]:
    """The number of controls, and of cycles in which controls and vantages by network did not work;
    of controls None where that is not known of all that the field tested."""
    patience = max(SILENT, timedelta(seconds=3 * interval))
    tested: tuple[datetime, datetime] | None = None
    # Of each, since when the field was tested without a cycle of it.
    controls: dict[str, datetime | None] = {}
    silent = False
    control_unwell = 0
    unwell: Counter[Network] = Counter()
    async for batch in store.cycles(Selection(since=wanted.since, until=wanted.until)):
        for cycle in batch:
            health, at = cycle.health, cycle.finished_at
            ill = health.state not in _WELL
            if health.vantage_role == VantageRole.CONTROL:
                if health.vantage not in controls and tested is not None:
                    silent = silent or tested[1] - tested[0] > patience
                controls[health.vantage] = None
                control_unwell += ill
            elif health.country == wanted.country:
                tested = (tested[0] if tested is not None else at, at)
                controls = {name: since or at for name, since in controls.items()}
                silent = silent or any(
                    at - since > patience for since in controls.values() if since
                )
                if ill:
                    unwell[health.asn, health.network] += 1
    known = bool(controls) and (control_unwell > 0 or not silent)
    return len(controls), control_unwell if known else None, unwell


def _timeline(slots: Slots, out: TextIO) -> int:
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([column for column, *_ in TIMELINE])
    count = 0
    for network, slot in slots.all():
        share = slot.share_open
        row = (
            *network,
            slot.start,
            slot.end,
            slot.verdicts,
            slot.open,
            slot.blocked,
            slot.throttled,
            slot.down,
            slot.undecided,
            None if share is None else round(share, 4),
        )
        writer.writerow([cell(value) for value in row])
        count += 1
    return count


def _own_dictionary(out: TextIO) -> int:
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows(("timeline", *column) for column in TIMELINE)
    return len(TIMELINE)
