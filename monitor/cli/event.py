"""`shutwatch event`: what was detected, and what people say of it."""

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
import typer
import uuid_utils
from rich.markup import escape
from rich.table import Table

from monitor.analysis.events.event import Event, EventLogEntry
from monitor.app.clock import utc_now
from monitor.cli.console import plain_console
from monitor.cli.export import moment_of
from monitor.cli.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.cli.store_options import with_store
from monitor.export.cells import visible
from monitor.recording.continuations import reviews_of
from storage.store import Store
from storage.values.reviews import Annotation, Mark, Review, deciding_review
from storage.values.selection import Selection

NOTE_LIMIT, NAME_LIMIT = 4000, 200
"""Characters."""
SHORTEST = 4
"""Characters of an id that must be given at least."""
AROUND = timedelta(days=7)
"""Annotations are shown this long before an event and after it."""

EventArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Its id, or the first characters of it.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="See what was detected, and say what you make of it.")
    app.add_typer(group, name="event", no_args_is_help=True)

    @group.command("list")
    def show_all(
        since: Annotated[
            str, typer.Option(help="First moment, UTC: 2024-02-17 or 2024-02-17T18:00.")
        ] = "",
        until: Annotated[str, typer.Option(help="First moment no longer wanted, UTC.")] = "",
        country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2 code.")] = "",
        platform: Annotated[str, typer.Option(help="Platform name, as in the catalogue.")] = "",
        json: JsonOption = False,
        config: ConfigOption = None,
    ) -> None:
        """List events, oldest first, each with the review that holds."""
        selection = Selection(
            since=moment_of("--since", since),
            until=moment_of("--until", until),
            country=country.upper(),
            platform=platform,
        )

        async def read(store: Store) -> list[_Reviewed]:
            return await _reviewed(store, selection)

        listed = with_store(load_settings(config), read)
        if json:
            for one in listed:
                _write(one.as_json())
        else:
            _print_list(listed)

    @group.command()
    def show(event: EventArgument, json: JsonOption = False, config: ConfigOption = None) -> None:
        """Show one event: what was detected and when, what people said, and what happened then."""

        async def read(store: Store) -> _Whole:
            found = await _find(store, event)
            log = [entry async for page in store.event_log(found.id) for entry in page]
            return _Whole(
                event=found,
                log=log,
                reviews=await reviews_of(store, found.id, log),
                annotations=await _annotations(store, found),
            )

        whole = with_store(load_settings(config), read)
        if json:
            _write(whole.as_json())
        else:
            _print(whole)

    @group.command()
    def review(
        event: EventArgument,
        confirm: Annotated[
            bool, typer.Option("--confirm", help="You have checked it and stand by it.")
        ] = False,
        reject: Annotated[
            bool, typer.Option("--reject", help="You have checked it and it is wrong.")
        ] = False,
        note: Annotated[str, typer.Option(help="What you found, in your words.")] = "",
        by: Annotated[str, typer.Option(help="Who says so: a name, or a pseudonym.")] = "",
        config: ConfigOption = None,
    ) -> None:
        """Put your judgement beside an event. The detected record stays as it is."""
        mark = _mark(confirm=confirm, reject=reject, note=note)
        _check_length("--note", note, NOTE_LIMIT)
        _check_length("--by", by, NAME_LIMIT)

        async def add(store: Store) -> tuple[Event, Review]:
            found = await _find(store, event)
            made = Review(
                id=str(uuid_utils.uuid7()),
                country=found.country,
                event=found.id,
                at=utc_now(),
                mark=mark,
                note=note.strip(),
                reviewer=by.strip(),
            )
            await store.add_review(made)
            return found, made

        found, made = with_store(load_settings(config), add)
        typer.echo(f"{_told(found)}\n{_said(made)}")


class _Reviewed(msgspec.Struct, frozen=True):
    """An event with the review that holds, if any."""

    event: Event
    review: Review | None
    count: int
    """Of all its reviews."""

    def as_json(self) -> dict[str, Any]:
        """One line of `event list --json`."""
        return {**_event_json(self.event), "review": self.review, "reviews": self.count}


class _Whole(msgspec.Struct, frozen=True, kw_only=True):
    """An event with all that is told of it."""

    event: Event
    log: Sequence[EventLogEntry]
    reviews: Sequence[Review]
    """Also of events that go on as this one."""
    annotations: Sequence[Annotation]

    def as_json(self) -> dict[str, Any]:
        """The document of `event show --json`."""
        return {
            **_event_json(self.event),
            "log": [
                {"sequence": e.sequence, "at": e.at, "change": e.change, "detail": e.detail}
                for e in self.log
            ],
            "review": deciding_review([one for one in self.reviews if one.event == self.event.id]),
            "reviews": self.reviews,
            "annotations": self.annotations,
        }


def _event_json(event: Event) -> dict[str, Any]:
    """The event as it was detected, its network numbers in short beside it."""
    return {**msgspec.structs.asdict(event), "networks_affected": event.networks_affected}


def _write(value: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.flush()


async def _reviewed(store: Store, selection: Selection) -> list[_Reviewed]:
    by_event: dict[str, list[Review]] = {}
    for review in await store.reviews():
        by_event.setdefault(review.event, []).append(review)
    return [
        _Reviewed(event, deciding_review(found), len(found))
        async for page in store.events(selection)
        for event in page
        for found in [by_event.get(event.id, [])]
    ]


async def _find(store: Store, start: str) -> Event:
    """The one event whose id begins so. Exits with 2 when there is none, or more than one."""
    wanted = start.strip().lower()
    if len(wanted) < SHORTEST:
        raise fail(f"{start!r}: give at least {SHORTEST} characters of the event's id", BAD_USAGE)
    found = [
        event
        async for page in store.events(Selection())
        for event in page
        if event.id.startswith(wanted)
    ]
    if not found:
        raise fail(f"there is no event {start!r}: `shutwatch event list` shows all", BAD_USAGE)
    if len(found) > 1 and found[0].id != wanted:
        ids = ", ".join(event.id for event in found)
        raise fail(f"{start!r} is the beginning of more than one event: {ids}", BAD_USAGE)
    return found[0]


async def _annotations(store: Store, event: Event) -> Sequence[Annotation]:
    """What happened in the country around that time; nothing for what has no country."""
    if not event.country:
        return ()
    begun = event.onset_earliest or event.onset_latest
    over = None if event.active else (event.end_latest or event.updated_at) + AROUND
    return await store.annotations(event.country, begun - AROUND, over, event.platform)


def _mark(*, confirm: bool, reject: bool, note: str) -> Mark:
    if confirm and reject:
        raise fail("either --confirm or --reject", BAD_USAGE)
    if confirm or reject:
        return Mark.CONFIRMED if confirm else Mark.REJECTED
    if not note.strip():
        raise fail("say something: --confirm, --reject or --note TEXT", BAD_USAGE)
    return Mark.NOTE


def _check_length(option: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise fail(f"{option}: {len(text)} characters, at most {limit} fit", BAD_USAGE)


# -- for people ----------------------------------------------------------------------------------


def _time(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}Z"


def _what(event: Event) -> str:
    """What it is about, in a few words."""
    thing = event.platform or event.vantage
    return f"{event.kind} {thing}".strip().replace("_", " ")


def _told(event: Event) -> str:
    where = f" in {event.country}" if event.country else ""
    return f"Event {event.id}: {_what(event)}{where}, {event.state} by the detector"


def _said(review: Review) -> str:
    by = f" by {visible(review.reviewer)}" if review.reviewer else ""
    note = f": {visible(review.note)}" if review.note else ""
    return f"{_time(review.at)}  {review.mark}{by}{note}"


def _elsewhere(review: Review, event: Event) -> str:
    return "" if review.event == event.id else f" (of {review.event}, which goes on as this one)"


def _print_list(listed: Sequence[_Reviewed]) -> None:
    if not listed:
        typer.echo("No events.", err=True)
        return
    table = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    for column in ("id", "since", "country", "what", "state", "review"):
        table.add_column(column, overflow="fold", no_wrap=column in ("id", "country"))
    for one in listed:
        event = one.event
        said = one.review.mark.value if one.review else ("notes" if one.count else "")
        cells = (_time(event.onset_latest), event.country, _what(event), event.state, said)
        # The beginning of an id is enough to name it, and leaves room for the rest.
        table.add_row(event.id[:12], *map(escape, cells))
    plain_console().print(table)


def _print(whole: _Whole) -> None:
    event = whole.event
    began = _time(event.onset_earliest) or "an unknown time before it was first looked at"
    lines = [
        _told(event),
        f"  began     between {began} and {_time(event.onset_latest)}",
        f"  detected  {_time(event.detected_at)}",
        f"  confirmed {_time(event.confirmed_at) or 'not'}",
    ]
    if event.active:
        lines.append("  ended     not")
    else:
        lines.append(
            f"  ended     between {_time(event.end_earliest) or '?'} and "
            f"{_time(event.end_latest) or 'nobody saw'}"
        )
    networks = ", ".join(
        visible(f"AS{n.asn} {n.network}".strip()) + ("" if n.blocked_now else " (no longer)")
        for n in event.networks
        if n.affected
    )
    lines += [
        f"  how       {', '.join(event.methods) or '-'}",
        f"  where     {networks or '-'}",
        f"  evidence  {event.evidence}, rules {event.rules_version}",
        f"  first     measurement {event.first_measurement}",
        "",
        "What was known when",
        *(f"  {_time(e.at)}  {e.change} {visible(e.detail)}".rstrip() for e in whole.log),
        "",
        "What people said",
        *(f"  {_said(review)}{_elsewhere(review, event)}" for review in whole.reviews),
        *([] if whole.reviews else ["  nothing yet: `shutwatch event review` adds it"]),
    ]
    if whole.annotations:
        lines += ["", "What happened around that time"]
        for one in whole.annotations:
            about = f" ({one.platform})" if one.platform else ""
            lines.append(f"  {_time(one.since)}  {one.kind}{about}: {visible(one.text)}")
            lines.append(f"                     {visible(one.source)}")
    console = plain_console()
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
