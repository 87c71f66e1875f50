"""Events as feeds that a reader of news follows: Atom (RFC 4287) and JSON Feed 1.1.

An entry is an event. It comes again, as changed, when the event is confirmed, spreads, returns,
ends or is corrected, or a person confirms or rejects it or an event that it continues. It keeps its
id for ever, wherever the server moves to. It says what a message says, and the public gets of it
what the public gets of the page.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from urllib.parse import urlencode
from xml.etree import ElementTree

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from monitor.analysis.events.event import Event
from monitor.config.filters import FilterError
from monitor.export.public_view import earlier
from monitor.metrics.publisher import Publisher
from monitor.notify.body import event_lines
from monitor.notify.names_without_markup import message_words
from monitor.server.entity_tag import tagged
from monitor.server.event_filter import filter_lines
from monitor.server.listed_events import KnownOf, ListedEvents
from monitor.server.page import Reader, all_titles, reader_of
from monitor.wording.events import LIMITS, goes_on, what_happened
from monitor.wording.languages import Language
from monitor.wording.reviews import MARKS
from monitor.wording.words import words_in
from storage.values.reviews import Mark, Review, deciding_review, rejected
from storage.values.times import time_text

MOST_ENTRIES = 50
"""The newest changes of a feed."""
ATOM = "http://www.w3.org/2005/Atom"
JSON_FEED = "https://jsonfeed.org/version/1.1"
FEEDS = {"feed.atom": "application/atom+xml", "feed.json": "application/feed+json"}
"""Each feed with its media type."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One event in a feed."""

    id: str
    url: str
    title: str
    text: str
    published: datetime
    changed: datetime
    tags: tuple[str, ...]


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed, whatever it is written as."""

    url: str
    page: str
    """Address of the page with the same events."""
    title: str
    about: str
    language: str
    changed: datetime
    entries: tuple[Entry, ...]


class Feeds:
    """Both feeds of all events, or of those that the query selects as on the page of events."""

    def __init__(self, publisher: Publisher, listed: ListedEvents) -> None:
        self._publisher = publisher
        self._listed = listed

    def routes(self) -> list[Route]:
        """One for each way to write it."""
        return [Route("/feed.atom", self._answer(atom)), Route("/feed.json", self._answer(as_json))]

    def _answer(self, written: Callable[[Feed], bytes]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            reader, at = reader_of(request), self._publisher.now()
            words = words_in(reader.language)
            try:
                wanted = await self._listed.wanted(request.query_params.multi_items(), at)
            except FilterError as error:
                problem = "\n".join(filter_lines(words, error.wrong))
                return PlainTextResponse(f"{problem}\n", status_code=400)
            found = await self._listed.of(reader, wanted, at)
            known = await self._listed.known_of(found.events) if found.complete else None
            if known is None:
                # Without what is stored it would say that events had never been, and that nobody
                # had rejected any.
                return PlainTextResponse(
                    words.gettext("Stored data cannot be read at the moment.") + "\n",
                    status_code=503,
                    headers={"Retry-After": "60"},
                )
            snapshot = self._listed.snapshot(reader)
            root = snapshot.public_url or str(request.base_url).rstrip("/")
            query = urlencode(request.query_params.multi_items())
            feed = feed_of(
                reader,
                found.events,
                all_titles(snapshot),
                known,
                root=root,
                name=reader.path,
                query=f"?{query}" if query else "",
                since=at - timedelta(days=wanted.days),
            )
            return tagged(request, written(feed), FEEDS[reader.path])

        return answer


def feed_of(
    reader: Reader,
    events: Sequence[Event],
    titles: Mapping[str, str],
    known: KnownOf,
    *,
    root: str,
    name: str,
    query: str,
    since: datetime,
) -> Feed:
    """The feed of these events, of which `known` says what the store has besides. `root` is the
    address of the first page, `query` that of the feed called `name`, and `since` the moment (UTC)
    from which on it was looked for events."""
    words = words_in(reader.language)
    entries = sorted((_entry(reader, one, titles, known, root) for one in events), key=_newest)
    return Feed(
        url=f"{root}/{name}{query}",
        page=f"{root}/events{query}",
        title=words.gettext("shutwatch: events"),
        about=words.gettext(
            "Each block is one event from its first sign to its end, whatever its networks and "
            "methods."
        ),
        language=reader.language.code,
        # The same each time it is asked for, until something changes.
        changed=max(
            (one.changed for one in entries),
            default=since.replace(hour=0, minute=0, second=0, microsecond=0),
        ),
        entries=tuple(entries[:MOST_ENTRIES]),
    )


def _newest(entry: Entry) -> tuple[float, str]:
    return -entry.changed.timestamp(), entry.id


def _entry(
    reader: Reader, event: Event, titles: Mapping[str, str], known: KnownOf, root: str
) -> Entry:
    words = message_words(reader.language.code)
    reviews = known.reviews.get(event.id, ())
    review, other = deciding_review(reviews), known.continued_as.get(event.id)
    limit = words.gettext("What it is not: %(limit)s", limit=words.gettext(LIMITS[event.kind]))
    kept = f"?lang={reader.language.code}" if reader.chosen else ""
    said = [words.gettext(MARKS[review.mark])] if review is not None else []
    if other:
        goes_on = words.gettext("This event continues as another one")
        said.append(f"{goes_on}: {root}/events/{other}{kept}")
    corrected = known.corrected_at.get(event.id)
    moments = [
        changed_at(event),
        *([earlier(review.at)] if review is not None else []),
        *([earlier(corrected)] if corrected is not None else []),
    ]
    return Entry(
        id=uuid.uuid5(uuid.NAMESPACE_OID, event.id).urn,
        url=f"{root}/events/{event.id}{kept}",
        title=shared_sentence(reader.language, event, titles, reviews, continued=bool(other)),
        text="\n".join((*said, *event_lines(words, event), limit)),
        published=event.detected_at,
        changed=max(moments),
        tags=tuple(filter(None, (event.kind, event.country, event.platform, event.state))),
    )


def shared_sentence(
    language: Language,
    event: Event,
    titles: Mapping[str, str],
    reviews: Sequence[Review],
    *,
    continued: bool,
) -> str:
    """What happened where, for who passes it on: with that a person rejects it. `reviews` are those
    of the event, the oldest first; `continued`, where it goes on as another one."""
    words = message_words(language.code)
    what = (goes_on if continued else what_happened)(words, event, titles)
    if not rejected(reviews):
        return what
    rejects = words.gettext(MARKS[Mark.REJECTED])
    return words.gettext("%(state)s: %(meaning)s", state=rejects, meaning=what)


def changed_at(event: Event) -> datetime:
    """When what an event says last changed (UTC): not each time that it is seen again."""
    if not event.active:
        return max(event.updated_at, event.detected_at)
    begun = chain.from_iterable(network.stretches for network in event.networks)
    moments = (event.detected_at, event.confirmed_at, *(one.onset_latest for one in begun))
    return max(moment for moment in moments if moment is not None)


# -- the two formats ---------------------------------------------------------------------------


def atom(feed: Feed) -> bytes:
    """As Atom."""
    root = ElementTree.Element("feed", {"xmlns": ATOM, "xml:lang": feed.language})
    _add(root, "id", feed.url)
    _add(root, "title", feed.title)
    _add(root, "subtitle", feed.about)
    _add(root, "updated", time_text(feed.changed))
    _add(_add(root, "author"), "name", "shutwatch")
    _add(root, "link", rel="self", type=FEEDS["feed.atom"], href=feed.url)
    _add(root, "link", rel="alternate", type="text/html", href=feed.page)
    for one in feed.entries:
        entry = _add(root, "entry")
        _add(entry, "id", one.id)
        _add(entry, "title", one.title)
        _add(entry, "published", time_text(one.published))
        _add(entry, "updated", time_text(one.changed))
        _add(entry, "link", rel="alternate", type="text/html", href=one.url)
        for tag in one.tags:
            _add(entry, "category", term=tag)
        _add(entry, "content", one.text, type="text")
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _add(
    parent: ElementTree.Element, name: str, text: str = "", **attributes: str
) -> ElementTree.Element:
    made = ElementTree.SubElement(parent, name, attributes)
    made.text = text or None
    return made


def as_json(feed: Feed) -> bytes:
    """As JSON Feed."""
    return msgspec.json.encode(
        {
            "version": JSON_FEED,
            "title": feed.title,
            "description": feed.about,
            "home_page_url": feed.page,
            "feed_url": feed.url,
            "language": feed.language,
            "items": [
                {
                    "id": one.id,
                    "url": one.url,
                    "title": one.title,
                    "content_text": one.text,
                    "date_published": time_text(one.published),
                    "date_modified": time_text(one.changed),
                    "tags": one.tags,
                }
                for one in feed.entries
            ],
        }
    )
