"""`shutwatch rejudge`: judge stored measurements again by today's rules."""

import asyncio
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from monitor.cli.bars import progress
from monitor.cli.counts import counted
from monitor.cli.exits import bad_usage, exit_on
from monitor.cli.options import ConfigOption, JsonOption, load_settings
from monitor.cli.output import listing_console, print_json, table
from monitor.cli.selection import Country, Platform, Since, Until, selection_of
from monitor.cli.store_options import opened
from monitor.config.filters import Filters
from monitor.config.settings import Settings
from monitor.judging.differences import Change, ChangeCounter
from monitor.judging.key_periods import with_agents
from monitor.judging.quarantine import Quarantined
from monitor.judging.rejudge import Rejudge, Rejudged
from storage.store import StorageError
from storage.values.rejudging import Rejudging
from storage.values.selection import Selection
from storage.values.steady_clock import utc_now

if TYPE_CHECKING:
    from rich.console import Console


def rejudge(
    since: Since = "",
    until: Until = "",
    country: Country = "",
    platform: Platform = "",
    json: JsonOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what differs and store no results.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Judge stored measurements again by today's rules. Old results stay unchanged."""
    settings = load_settings(config)
    names = [one.name for one in settings.catalog.platforms]
    if platform and platform not in names:
        raise bad_usage(f"--platform {platform!r} is not measured: give one of {', '.join(names)}")
    selection = selection_of(
        settings, Filters(since=since, until=until, country=country, platform=platform)
    )
    with exit_on(StorageError, OSError):
        done = asyncio.run(_rejudge(settings, selection, keep=not dry_run, json=json))
    for name in done.unknown:
        typer.echo(f"{name}: no longer measured, its verdicts stay as they were", err=True)
    if json:
        print_json([_summary(done, kept=not dry_run)])
    else:
        _print(done, listing_console(), kept=not dry_run)


async def _rejudge(settings: Settings, selection: Selection, *, keep: bool, json: bool) -> Rejudged:
    async with opened(settings.database, settings.archive) as store:
        events = with_agents(settings.events, await store.enrolments())
        settings = msgspec.structs.replace(settings, events=events)
        with progress("cycles", results=sys.stdout if json else None) as bar:
            return await Rejudge(
                store,
                settings,
                selection,
                now=utc_now,
                keep=keep,
                quarantined=Quarantined(await store.quarantines()),
                report=_print_change if json else lambda _: None,
            ).run(bar.update)


def _print_change(change: Change) -> None:
    line = {
        "kind": change.kind,
        "change": change.change,
        **{("event_kind" if key == "kind" else key): v for key, v in change.where.items()},
        "old": change.old,
        "new": change.new,
    }
    print_json([line])


def _summary(done: Rejudged, *, kept: bool) -> dict[str, Any]:
    counts = msgspec.structs.asdict(done.rejudging)
    changes = [change.change for change in done.changes.events]
    return {
        "kind": "summary",
        **counts,
        "id": done.rejudging.id if kept else None,
        "events_added": changes.count("added"),
        "events_gone": changes.count("gone"),
        "events_changed": changes.count("changed"),
        "not_watched": done.unknown,
    }


def _print(done: Rejudged, console: "Console", *, kept: bool) -> None:
    tally = done.changes
    if tally.rules:
        shown = table("before", "now", "verdicts", title="verdicts on endpoints")
        shown.columns[-1].justify = "right"
        for (state, rule, new_state, new_rule), count in tally.rules.most_common():
            shown.add_row(f"{state} {rule}".strip(), f"{new_state} {new_rule}".strip(), str(count))
        console.print(shown, "")
    if tally.platforms:
        columns = ("country", "platform", "before", "now", "verdicts")
        shown = table(*columns, title="verdicts on platforms")
        shown.columns[-1].justify = "right"
        for (country, platform, old, new), count in tally.platforms.most_common():
            shown.add_row(country, platform, old, new, str(count))
        console.print(shown, "")
    if tally.events:
        shown = table("change", "country", "event", "before", "now", title="events")
        for change in tally.events:
            where = change.where
            event = " ".join(filter(None, (where["platform"], where["vantage"], where["kind"])))
            before, now = _event_text(change.old), _event_text(change.new)
            shown.add_row(change.change, where["country"], event, before, now)
        console.print(shown, "")
    for line in _closing(done.rejudging, tally, kept=kept):
        console.print(line, highlight=False, soft_wrap=True)


def _closing(rejudging: Rejudging, tally: ChangeCounter, *, kept: bool) -> Iterator[str]:
    yield (
        f"{counted(rejudging.cycles, 'cycle')} judged again by rules {rejudging.rules_version}: "
        f"{rejudging.differing} of {counted(rejudging.verdicts, 'verdict')} on endpoints differ. "
        f"Events that differ: {len(tally.events)}."
    )
    if rejudging.kept:
        kept_ones = counted(rejudging.kept, "platform verdict")
        yield f"{kept_ones} could not be recomputed: what was stored stays."
    if kept:
        yield f"Stored as {rejudging.id}: `shutwatch export csv verdicts --rejudging ID`."
    else:
        yield "Nothing was stored."


def _event_text(event: dict[str, Any] | None) -> str:
    """One side of a change to an event: the event in short, or only the fields that differ."""
    if event is None:
        return ""
    if "onset_latest" in event and "state" in event and "networks_affected" in event:
        # The event is whole. The fields not shown here can be exported.
        networks = " ".join(f"AS{number}" for number in event["networks_affected"])
        until = _shown(event["end_latest"]) or "now"
        when = f"{_shown(event['onset_latest'])} to {until}"
        return ", ".join(filter(None, (event["state"], when, networks, _shown(event["methods"]))))
    differing = {name: value for name, value in event.items() if name != "id"} or event
    return ", ".join(f"{name} {_shown(value) or '-'}" for name, value in differing.items())


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return "" if value is None else str(value)
