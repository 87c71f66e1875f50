"""`shutwatch rejudge`: what today's rules say about yesterday's measurements."""

import asyncio
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from monitor.app.clock import utc_now
from monitor.cli.console import plain_console
from monitor.cli.export import moment_of
from monitor.cli.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.config.settings import Settings
from monitor.judging.differences import Change, ChangeCounter
from monitor.judging.quarantine import Quarantined
from monitor.judging.rejudge import Rejudged, rejudge
from storage.open_store import open_store
from storage.store import Selection, StorageError
from storage.values.rejudging import Rejudging


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("rejudge")
    def command(
        since: Annotated[
            str, typer.Option(help="First moment, UTC: 2024-02-17 or 2024-02-17T18:00.")
        ] = "",
        until: Annotated[str, typer.Option(help="First moment no longer wanted, UTC.")] = "",
        country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2 code.")] = "",
        platform: Annotated[str, typer.Option(help="Platform name, as in the catalogue.")] = "",
        json: Annotated[
            bool, typer.Option("--json", help="One JSON object per change, then a summary.")
        ] = False,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Say what differs and keep no results.")
        ] = False,
        config: ConfigOption = None,
    ) -> None:
        """Judge stored measurements again, by the present rules; old results stay as they are."""
        settings = load_settings(config)
        names = [one.name for one in settings.catalog.platforms]
        if platform and platform not in names:
            raise fail(f"--platform {platform!r} is not watched: {', '.join(names)}", BAD_USAGE)
        selection = Selection(
            since=moment_of("--since", since),
            until=moment_of("--until", until),
            country=country.upper(),
            platform=platform,
        )
        if selection.since and selection.until and selection.since >= selection.until:
            raise fail("--until must be later than --since", BAD_USAGE)
        try:
            done = asyncio.run(_rejudge(settings, selection, keep=not dry_run, json=json))
        except (StorageError, OSError) as error:
            raise fail(str(error)) from error
        for name in done.unknown:
            typer.echo(f"{name}: not watched any more, kept as it was judged then", err=True)
        if json:
            _write(_summary(done, kept=not dry_run))
        else:
            _print(done, plain_console(), kept=not dry_run)


async def _rejudge(settings: Settings, selection: Selection, *, keep: bool, json: bool) -> Rejudged:
    store = open_store(settings.database, create=False)
    await store.open()
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    try:
        with progress:
            task = progress.add_task("cycles", total=None)
            return await rejudge(
                store,
                settings,
                selection,
                now=utc_now,
                keep=keep,
                quarantined=Quarantined(await store.quarantines()),
                report=_say if json else lambda _: None,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
    finally:
        await store.close()


def _write(line: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.flush()


def _say(change: Change) -> None:
    _write(
        {
            "kind": change.kind,
            "change": change.change,
            **{("event_kind" if key == "kind" else key): v for key, v in change.where.items()},
            "old": change.old,
            "new": change.new,
        }
    )


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


# -- the table -----------------------------------------------------------------------------------


def _print(done: Rejudged, console: Console, *, kept: bool) -> None:
    tally = done.changes
    if tally.rules:
        table = _table("verdicts on endpoints", "before", "now", "verdicts")
        for (state, rule, new_state, new_rule), count in tally.rules.most_common():
            table.add_row(f"{state} {rule}".strip(), f"{new_state} {new_rule}".strip(), str(count))
        console.print(table, "")
    if tally.platforms:
        table = _table("verdicts on platforms", "country", "platform", "before", "now", "verdicts")
        for (country, platform, old, new), count in tally.platforms.most_common():
            table.add_row(country, platform, old, new, str(count))
        console.print(table, "")
    if tally.events:
        table = _table("events", "change", "country", "what", "before", "now")
        for change in tally.events:
            where = change.where
            what = " ".join(filter(None, (where["platform"], where["vantage"], where["kind"])))
            table.add_row(
                change.change, where["country"], what, _told(change.old), _told(change.new)
            )
        console.print(table, "")
    for line in _closing(done.rejudging, tally, kept=kept):
        console.print(line, highlight=False, soft_wrap=True)


def _closing(rejudging: Rejudging, tally: ChangeCounter, *, kept: bool) -> Iterator[str]:
    yield (
        f"{rejudging.cycles} cycles judged again by rules {rejudging.rules_version}: "
        f"{rejudging.differing} of {rejudging.verdicts} verdicts on endpoints differ. "
        f"Events that differ: {len(tally.events)}."
    )
    if rejudging.kept:
        yield (
            f"{rejudging.kept} platform verdicts could not be recomputed and count as they were."
        )
    if kept:
        yield f"Kept as {rejudging.id}: `shutwatch export csv verdicts --rejudging ID`."
    else:
        yield "Nothing was kept."


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        numeric = column == "verdicts"
        table.add_column(column, overflow="fold", justify="right" if numeric else "left")
    return table


def _told(said: dict[str, Any] | None) -> str:
    """What a change says of an event, in a few words."""
    if said is None:
        return ""
    if "onset_latest" in said and "state" in said and "networks_affected" in said:
        # The whole event: the rest can be exported.
        networks = " ".join(f"AS{number}" for number in said["networks_affected"])
        until = _shown(said["end_latest"]) or "now"
        when = f"{_shown(said['onset_latest'])} to {until}"
        return ", ".join(filter(None, (said["state"], when, networks, _shown(said["methods"]))))
    differing = {name: value for name, value in said.items() if name != "id"} or said
    return ", ".join(f"{name} {_shown(value) or '-'}" for name, value in differing.items())


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return "" if value is None else str(value)
