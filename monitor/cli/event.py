"""`shutwatch event`: detected events, and people's reviews of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

import msgspec
import typer

from monitor.acting import reviewing
from monitor.acting.acts import COMMAND_LINE, ActError
from monitor.analysis.events.event import Event, EventLogEntry, EventState, Stretch
from monitor.analysis.events.stretches import at_first_test, newest, stretches
from monitor.cli.coverage import coverage_in_words
from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.cli.lazy_group import command_group
from monitor.cli.options import ConfigOption, JsonOption, load_settings
from monitor.cli.output import escape, listing_console, minute, print_json, print_lines, table
from monitor.cli.selection import Country, Platform, Since, Until, selection_of
from monitor.cli.store_options import with_store
from monitor.cli.terminal_lines import fitting
from monitor.config.filters import Filters
from monitor.export.continuations import reviews_by_event, reviews_of
from monitor.wording.changes import change_in_words
from monitor.wording.events import condition, founded, length, passing, seems_over
from monitor.wording.failures_and_methods import method_and_name
from monitor.wording.grades import grade_in_words
from monitor.wording.networks import network_name
from monitor.wording.reviews import ANNOTATION_KINDS, MARKS
from monitor.wording.states import EVENT_STATES, KINDS
from monitor.wording.support import doubts, weight
from monitor.wording.visible_text import visible
from monitor.wording.words import Words, words_in
from storage.store import Store
from storage.values.reviews import Annotation, Mark, Review, deciding_review
from storage.values.selection import Selection
from storage.values.steady_clock import utc_now

SHORTEST = 4
"""Characters of an id that must be given at least."""
MOST_STRETCHES = 9
"""Stretches that `event show` lists after the first one, the newest ones."""
AROUND = timedelta(days=7)
"""`event show` lists annotations this long before and after the event."""

EventArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Id of the event, or its first characters.")
]


app = command_group("List and show detected events, and review them.")


@app.command("list")
def show_all(
    since: Since = "",
    until: Until = "",
    country: Country = "",
    platform: Platform = "",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List events, oldest first, each with its current review."""
    settings = load_settings(config)
    selection = selection_of(
        settings, Filters(since=since, until=until, country=country, platform=platform)
    )
    listed = with_store(settings, lambda store: _reviewed(store, selection))
    if not listed:
        typer.echo(f"No events. {coverage_in_words(settings, selection)}", err=True)
    elif json:
        print_json(one.as_json() for one in listed)
    else:
        _print_list(listed)


@app.command()
def show(event: EventArgument, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show one event with its log, its reviews and the annotations of that time."""

    async def read(store: Store) -> WholeEvent:
        found = await _find(store, event)
        log = [entry async for page in store.event_log(found.id) for entry in page]
        return WholeEvent(
            event=found,
            log=log,
            reviews=await reviews_of(store, found.id, log),
            annotations=await _annotations(store, found),
        )

    whole = with_store(load_settings(config), read)
    if json:
        print_json([whole.as_json()])
    else:
        print_event(whole)


@app.command()
def review(
    event: EventArgument,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="You checked the event and it is right.")
    ] = False,
    reject: Annotated[
        bool, typer.Option("--reject", help="You checked the event and it is wrong.")
    ] = False,
    note: Annotated[str, typer.Option(help="What you found, in your words.")] = "",
    by: Annotated[str, typer.Option(help="Your name, or a pseudonym.")] = "",
    config: ConfigOption = None,
) -> None:
    """Add your review to an event. The detected record stays unchanged."""
    mark = _mark(confirm=confirm, reject=reject, note=note)

    async def add(store: Store) -> tuple[Event, Review]:
        found = await _find(store, event)
        now = utc_now()
        made = await reviewing.review(
            store, found, mark, note=note, by=by, who=COMMAND_LINE, now=now
        )
        return found, made

    with exit_on(ActError, code=BAD_USAGE, prefix="--"):
        found, made = with_store(load_settings(config), add)
    typer.echo(f"{_event_line(found)}\n{_review_line(made)}")


class _Reviewed(msgspec.Struct, frozen=True):
    """An event with its current review, if any, which may be one of an earlier event that continues
    as this one."""

    event: Event
    review: Review | None
    count: int
    """Number of all its reviews."""

    def as_json(self) -> dict[str, Any]:
        """One line of `event list --json`."""
        return {**_event_json(self.event), "review": self.review, "reviews": self.count}


class WholeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event with everything that `event show` prints."""

    event: Event
    log: Sequence[EventLogEntry] = ()
    reviews: Sequence[Review] = ()
    """Also those of earlier events that continue as this one."""
    annotations: Sequence[Annotation] = ()

    def as_json(self) -> dict[str, Any]:
        """The document of `event show --json`."""
        return {
            **_event_json(self.event),
            "log": [
                {"sequence": e.sequence, "at": e.at, "change": e.change, "detail": e.detail}
                for e in self.log
            ],
            "review": deciding_review(self.reviews),
            "reviews": self.reviews,
            "annotations": self.annotations,
        }


def _event_json(event: Event) -> dict[str, Any]:
    """The event as it was detected, with the AS numbers of its networks and the country's
    stretches."""
    return {
        **msgspec.structs.asdict(event),
        "networks": [msgspec.structs.asdict(network) for network in event.networks],
        "networks_affected": event.networks_affected,
        "stretches": stretches(event),
    }


async def _reviewed(store: Store, selection: Selection) -> list[_Reviewed]:
    by_event = await reviews_by_event(store)
    return [
        _Reviewed(event, deciding_review(found), len(found))
        async for page in store.events(selection)
        for event in page
        for found in [by_event.get(event.id, [])]
    ]


async def _find(store: Store, start: str) -> Event:
    """The one event whose id begins with `start`. Exits with 2 unless there is exactly one."""
    wanted = start.strip().lower()
    if len(wanted) < SHORTEST:
        raise bad_usage(f"{start!r}: give at least {SHORTEST} characters of the event's id")
    found = [
        event
        async for page in store.events(Selection())
        for event in page
        if event.id.startswith(wanted)
    ]
    if not found:
        raise bad_usage(f"there is no event {start!r}: `shutwatch event list` shows all")
    if len(found) > 1 and found[0].id != wanted:
        ids = ", ".join(event.id for event in found)
        raise bad_usage(f"{start!r} is the start of more than one event's id: {ids}")
    return found[0]


async def _annotations(store: Store, event: Event) -> Sequence[Annotation]:
    """The annotations of the country around that time; none for an event without a country."""
    if not event.country:
        return ()
    onset = event.onset_earliest or event.onset_latest
    until = None if event.active else (event.end_latest or event.updated_at) + AROUND
    return await store.annotations(event.country, onset - AROUND, until, event.platform)


def _mark(*, confirm: bool, reject: bool, note: str) -> Mark:
    if confirm and reject:
        raise bad_usage("give either --confirm or --reject, not both")
    if confirm or reject:
        return Mark.CONFIRMED if confirm else Mark.REJECTED
    if not note.strip():
        raise bad_usage("give --confirm, --reject or --note TEXT")
    return Mark.NOTE


def _subject(event: Event) -> str:
    """Kind of the event, and its platform or vantage."""
    return f"{KINDS[event.kind]} {visible(event.platform or event.vantage)}".strip()


def _event_line(event: Event) -> str:
    where = f" in {words_in().country(event.country)}" if event.country else ""
    state = EVENT_STATES[event.state]
    return f"Event {event.id}: {_subject(event)}{where}, {state} according to the detector"


def _review_line(review: Review) -> str:
    by = f" ({visible(review.reviewer)})" if review.reviewer else ""
    note = f": {visible(review.note)}" if review.note else ""
    return f"{minute(review.at)}  {MARKS[review.mark]}{by}{note}"


def _of_earlier(review: Review, event: Event) -> str:
    return "" if review.event == event.id else f" (of {review.event}, which continues as this one)"


def _print_list(listed: Sequence[_Reviewed]) -> None:
    console = listing_console()
    shown = table("id", "since", "country", "event", "state", "review", header_style="dim")
    for column in (shown.columns[0], shown.columns[2]):
        column.no_wrap = True
    for one in listed:
        event = one.event
        mark = one.review.mark.value if one.review else ("notes" if one.count else "")
        state = EVENT_STATES[event.state]
        # The country as its code, which `--country` takes.
        since = minute(newest(event).onset_latest)
        cells = (since, event.country, _subject(event), state, mark)
        # On a terminal the start of an id is enough to name the event, and leaves room.
        number = event.id[:12] if console.is_terminal else event.id
        shown.add_row(number, *map(escape, cells))
    console.print(shown)


def _over(event: Event) -> str:
    """When the event ended; nothing is known of that while nobody observes it."""
    if not event.active:
        return _ended(event)
    if event.wholly_unobserved or event.state in (EventState.RECOVERING, EventState.UNOBSERVED):
        last = newest(event)
        return f"not known; last blocked {minute(last.end_earliest or last.last_blocked) or '?'}"
    return "not"


def _began(event: Event, stretch: Stretch) -> str:
    unknown = "an unknown time"
    if at_first_test(event, stretch):
        unknown += " before the first measurement"
    earliest = minute(stretch.onset_earliest) or unknown
    return f"between {earliest} and {minute(stretch.onset_latest)}"


def _ended(stretch: Stretch | Event) -> str:
    if stretch.end_earliest is None and stretch.end_latest is None:
        return "not"
    return f"between {minute(stretch.end_earliest) or '?'} and " + (
        minute(stretch.end_latest) or "unknown"
    )


def print_event(whole: WholeEvent) -> None:
    """Print an event with its log, reviews and annotations."""
    event, words = whole.event, words_in()
    every = stretches(event)
    evidence = grade_in_words(words, event.evidence) if founded(event) else "-"
    rules = f", rules {event.rules_version}" if event.rules_version else ""
    weighed = [weight(words, event), *doubts(words, event)] if founded(event) else ["-"]
    networks = words.listed(
        f"{network_name(words, one.network, one.asn)}: {condition(words, event, one)}"
        for one in event.networks
        if one.affected
    )
    methods = words.pause.join(
        method_and_name(words, name, past=seems_over(event)) for name in event.methods
    )
    lines = [
        _event_line(event),
        f"  began     {_began(event, every[0])}",
        f"  detected  {minute(event.detected_at)}",
        f"  confirmed {minute(event.confirmed_at) or 'not'}",
        f"  ended     {_over(event)}",
        f"  lasted    {length(words, event)}",
        *(
            f"  stretch   {number} of {len(every)}: began {_began(event, one)}, ended {_ended(one)}"
            for number, one in enumerate(every, 1)
            if len(every) > 1 and (number == 1 or number > len(every) - MOST_STRETCHES)
        ),
        f"  methods   {methods or '-'}",
        f"  networks  {networks or '-'}",
        *([f"  passing   {passing(words, event)}"] if event.passing else []),
        f"  evidence  {evidence}{rules}",
        *([f"  weight    {'. '.join(weighed)}"] if event.weight is not None else []),
        f"  first     measurement {event.first_measurement}",
        "",
        "Log",
        *(f"  {minute(e.at)}  {_change(words, e)}" for e in whole.log),
        "",
        "Reviews",
        *(f"  {_review_line(review)}{_of_earlier(review, event)}" for review in whole.reviews),
        *([] if whole.reviews else ["  none yet: `shutwatch event review` adds one"]),
    ]
    if whole.annotations:
        lines += ["", "Annotations of that time"]
        for one in whole.annotations:
            about = f" ({one.platform})" if one.platform else ""
            lines.append(
                f"  {minute(one.since)}  {ANNOTATION_KINDS[one.kind]}{about}: {visible(one.text)}"
            )
            lines.append(f"                     {visible(one.source)}")
    print_lines(fitting(lines))


def _change(words: Words, entry: EventLogEntry) -> str:
    phrase = change_in_words(words, entry)
    return f"{phrase}: {visible(entry.detail)}" if entry.detail else phrase
