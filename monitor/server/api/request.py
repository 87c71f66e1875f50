"""From a request to what is wanted of the store."""

from datetime import timedelta
from typing import Any

import msgspec
from starlette.requests import Request

from monitor.analysis.events.event import Event
from monitor.server.api.cursor import Cursors
from monitor.server.api.json_rows import HIDDEN
from monitor.server.api.parameters import PAGE, PAGING, read_query
from monitor.server.api.problem import ProblemError
from monitor.server.api.resources import Resource
from storage.store import Store
from storage.values.selection import Selection

_TICK = timedelta(microseconds=1)
_HISTORY = "events"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What one request wants."""

    selection: Selection
    limit: int
    hidden: bool
    """Nothing finer than a network is for this reader."""

    @property
    def hidden_columns(self) -> frozenset[str]:
        """Columns that stay empty."""
        return HIDDEN if self.hidden else frozenset()


async def asked(
    request: Request,
    resource: Resource,
    store: Store,
    cursors: Cursors,
    *,
    paged: bool,
    hidden: bool,
) -> Asked:
    """What the query string says. Raises ProblemError; StorageError where it names an event."""
    if hidden and not resource.public:
        raise ProblemError(403, "vantages are for operators alone")
    parameters = (*resource.filters, *(PAGING if paged else ()))
    values = read_query(request.query_params.multi_items(), parameters)
    if hidden and "vantage" in values:
        raise ProblemError(
            403, "vantages are for operators alone: ask for a network, by asn", "vantage"
        )
    limit: int = values.pop("limit", PAGE)
    if "by" in values:
        values["by_network"] = values.pop("by") == "network"
    after = _after(values.pop("cursor", ""), resource, cursors, hidden=hidden)
    selection = Selection(**values, after=after, batch=limit + 1 if paged else 0)
    if selection.event and resource.name != _HISTORY:
        selection = _during(await _event(store, selection.event), selection)
    return Asked(selection=selection, limit=limit, hidden=hidden)


def _after(text: str, resource: Resource, cursors: Cursors, *, hidden: bool) -> tuple[str, ...]:
    if not text:
        return ()
    try:
        place = cursors.read(text, resource.name, resource.place_length, hidden=hidden)
        if not resource.is_place(place):
            raise ValueError(text)
        return place
    except ValueError as error:
        raise ProblemError(
            400, "cursor is not, or no longer, one that was given out here: begin again", "cursor"
        ) from error


async def _event(store: Store, event_id: str) -> Event:
    async for events in store.events(Selection(event=event_id, batch=1)):
        for event in events:
            return event
    raise ProblemError(404, "there is no event of that id", "event")


def _during(event: Event, selection: Selection) -> Selection:
    """What is of the event's place and time, and of the selection as well."""
    for name in ("country", "platform"):
        own, wanted = getattr(event, name), getattr(selection, name)
        if own and wanted not in ("", own):
            raise ProblemError(400, f"{name} is not that of the event: leave it out", name)
    begun = event.onset_earliest or event.onset_latest
    over = None if event.active else (event.end_latest or event.updated_at) + _TICK
    narrowed: dict[str, Any] = {
        "country": selection.country or event.country,
        "platform": selection.platform or event.platform,
        "since": max(begun, selection.since) if selection.since else begun,
        "until": min(filter(None, (over, selection.until)), default=None),
        "event": "",
    }
    if event.vantage:
        narrowed["vantage"] = event.vantage
    return msgspec.structs.replace(selection, **narrowed)
