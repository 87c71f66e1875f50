"""A request → the rows it selects."""

from datetime import timedelta

import msgspec
from starlette.requests import Request

from monitor.analysis.events.event import Event
from monitor.config.filters import FilterError, Filters, selection_of
from monitor.export.kinds import Export, Kind
from monitor.export.public_view import PublicView, is_public
from monitor.server.api.cursor import Cursors
from monitor.server.api.parameters import PAGE, PAGING, read_query
from monitor.server.api.problem import ProblemError
from monitor.server.api.resources import Resource
from monitor.wording.filters import filter_problem
from monitor.wording.words import words_in
from probes.measurement import REFERENCE_PLATFORM
from storage.first_rows import first_rows
from storage.store import Store
from storage.values.names import Names
from storage.values.selection import Selection
from storage.values.steady_clock import utc_now

_TICK = timedelta(microseconds=1)
_ATTEMPTS = timedelta(minutes=10)
"""Longer than the attempts at one platform in one cycle take."""
_HISTORIES, _MEASUREMENTS = ("events", "stretches"), "measurements"
_REFERENCES = Names(platforms=frozenset({REFERENCE_PLATFORM}))
_FILTERS = Filters.__struct_fields__


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one request."""

    selection: Selection
    limit: int
    """Rows of a page."""
    view: PublicView | None
    """What this reader sees; None for all of it."""
    counted: Selection
    """The verdicts that a coverage counts."""
    covered: bool = False
    """Whether the coverage of the selection belongs to the answer: of an event it does not, nor to
    a later page."""

    @property
    def hidden(self) -> bool:
        """Whether this reader sees nothing finer than a network."""
        return self.view is not None

    def seen(self, export: Export) -> Export:
        """What this reader sees of such rows."""
        return export if self.view is None else self.view.export(export)


async def read_request(
    request: Request,
    resource: Resource,
    store: Store,
    cursors: Cursors,
    known: Names,
    *,
    paged: bool,
    view: PublicView | None,
) -> Query:
    """Read the query string; `known` are names that need no look into the store, and `view` is what
    this reader sees of the rest.

    Raises ProblemError, and StorageError if a name or an event must be looked up.
    """
    hidden, now = view is not None, utc_now()
    if hidden and not resource.public:
        raise ProblemError(403, "only operators may see vantages")
    parameters = (*resource.filters, *(PAGING if paged else ()))
    values = read_query(request.query_params.multi_items(), parameters)
    if hidden and "vantage" in values:
        raise ProblemError(
            403, "only operators may see vantages; select a network with asn", "vantage"
        )
    limit: int = values.pop("limit", PAGE)
    covered = resource.covered and not {"event", "cursor", "state"} & set(values)
    if "by" in values:
        values["by_network"] = values.pop("by") == "network"
    after = _after(values.pop("cursor", ""), resource, cursors, hidden=hidden)
    asked = Filters(**{name: values.pop(name) for name in _FILTERS if name in values})
    selection = msgspec.structs.replace(
        await _checked(asked, known, resource, store),
        **values,
        after=after,
        batch=limit + 1 if paged else 0,
    )
    if selection.event:
        events = await first_rows(store.events(Selection(event=selection.event, batch=1)), 1)
        if not events or (hidden and not is_public(events[0])):
            raise ProblemError(404, "there is no event with this id", "event")
        if resource.name not in _HISTORIES:
            event = events[0]
            if view is not None:
                # With exact moments, a refusal would tell them.
                event = view.event(event)
                selection = view.selection(Kind.EVENTS, selection, now)
            selection = _during(event, selection, judged=resource.name == Kind.VERDICTS)
    counted = selection
    if view is not None:
        counted = view.selection(Kind.VERDICTS, selection, now)
        selection = view.selection(resource.name, selection, now)
    return Query(selection=selection, limit=limit, view=view, counted=counted, covered=covered)


async def _checked(asked: Filters, known: Names, resource: Resource, store: Store) -> Selection:
    also = _REFERENCES if resource.name == _MEASUREMENTS else Names()
    try:
        return await selection_of(asked, known | also, utc_now(), store.names)
    except FilterError as error:
        wrong = error.wrong
        problem = " ".join(filter_problem(words_in(), wrong))
        raise ProblemError(400, problem, wrong.filter, suggestion=wrong.meant) from error


def _after(text: str, resource: Resource, cursors: Cursors, *, hidden: bool) -> tuple[str, ...]:
    if not text:
        return ()
    try:
        position = cursors.read(text, resource.name, resource.position_length, hidden=hidden)
        if not resource.is_position(position):
            raise ValueError(text)
        return position
    except ValueError as error:
        raise ProblemError(
            400, "cursor is invalid or has expired: start again at the first page", "cursor"
        ) from error


def _during(event: Event, selection: Selection, *, judged: bool) -> Selection:
    """The selection, narrowed to the country, platform, vantage and time of the event.

    `judged`: it selects by the time of judging, which is after that of measuring. The last verdict
    that counted is the one of the event's last change.
    """
    for name in ("country", "platform"):
        own, wanted = getattr(event, name), getattr(selection, name)
        if own and wanted not in ("", own):
            raise ProblemError(400, f"{name} differs from that of the event: omit it", name)
    # The attempts that found it blocked first ended then: they began before.
    since = event.onset_earliest or event.onset_latest - _ATTEMPTS
    ended = event.end_latest or event.updated_at
    ended = max(ended, event.updated_at) if judged else ended
    until = None if event.active else ended + _TICK
    if selection.until and since >= selection.until:
        raise ProblemError(400, "until: the event began at that time or after it", "until")
    if until and selection.since and selection.since >= until:
        raise ProblemError(400, "since: the event was over before that time", "since")
    return msgspec.structs.replace(
        selection,
        country=selection.country or event.country,
        platform=selection.platform or event.platform,
        vantage=event.vantage or selection.vantage,
        since=max(since, selection.since) if selection.since else since,
        until=min(filter(None, (until, selection.until)), default=None),
        event="",
    )
