"""Previews: what services and messengers show of an event where the address of its page is shared.

The picture is what the public sees, whoever asks, and only of an event that everybody may see.
Addresses are absolute only where the configuration has the public one: any other may be wrong.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from monitor.analysis.events.event import Event
from monitor.export.public_view import is_public
from monitor.logs import logger
from monitor.metrics.publisher import Publisher
from monitor.server.entity_tag import tagged
from monitor.server.evidence import EvidenceReader
from monitor.server.listed_events import ListedEvents
from monitor.server.page import LONGEST_ID, Reader, all_titles, reader_of
from monitor.server.preview_picture import drawable, picture
from monitor.server.preview_text import HEIGHT, SITE, WIDTH, Preview, preview_of
from storage.store import StorageError
from storage.values.reviews import Review

log = logger(__name__)

KEPT = 64
"""Pictures kept in memory, of about 45 kB each."""
Tags = Sequence[tuple[str, str]]
"""Name and content of each tag in the head of a page."""


class Previews:
    """The route of the pictures, and what the page of an event has of them."""

    def __init__(
        self,
        publisher: Publisher,
        listed: ListedEvents,
        evidence: EvidenceReader | None,
        public: Callable[[], bool],
        draws: Callable[[], bool] = drawable,
        draw: Callable[[Preview], bytes] = picture,
    ) -> None:
        """`public` returns whether everybody may read, so that others can load a picture; `draws`
        whether this program can draw one, and `draw` does it."""
        self._publisher = publisher
        self._listed = listed
        self._evidence = evidence
        self._public = public
        self._draws = draws
        self._draw = draw
        self._drawing = asyncio.Semaphore(1)
        self._drawn: OrderedDict[Preview, bytes] = OrderedDict()

    def routes(self) -> list[Route]:
        """The picture of one event."""
        return [Route("/events/{id}.png", self._picture)]

    def on_page(
        self, reader: Reader, event: Event, reviews: Sequence[Review] | None, *, continued: bool
    ) -> Mapping[str, object]:
        """What the page of an event has: tags in its head, the line to share, and the picture's
        address. Nothing of an event that is for operators, and nothing where its `reviews` cannot
        be read: somebody may have rejected it. `continued`, where it goes on as another one."""
        nothing = {"preview_tags": (), "shared": "", "preview_picture": ""}
        if reviews is None or not is_public(event):
            return nothing
        preview = self._preview(reader, event, reviews, continued)
        drawn = self._draws()
        root = self._publisher.snapshot.public_url
        page, code = f"events/{event.id}", reader.language.code
        address = f"{root}/{page}{f'?lang={code}' if reader.chosen else ''}" if root else ""
        # Who cannot read the page cannot load the picture either.
        loaded = f"{root}/{page}.png?lang={code}" if root and drawn and self._public() else ""
        return {
            "preview_tags": _tags(preview, address, loaded),
            "shared": f"{preview.title} {address}".rstrip(),
            "preview_picture": reader.link(f"{page}.png", lang=code) if drawn else "",
        }

    def _preview(
        self,
        reader: Reader,
        event: Event,
        reviews: Sequence[Review],
        continued: bool,
    ) -> Preview:
        anybody = msgspec.structs.replace(reader, operator=False)
        snapshot = self._publisher.snapshot
        return preview_of(
            reader.language,
            self._listed.seen(anybody, event),
            all_titles(snapshot),
            reviews,
            snapshot.public_url,
            continued=continued,
        )

    async def _picture(self, request: Request) -> Response:
        reader, id_ = reader_of(request), request.path_params["id"]
        if len(id_) > LONGEST_ID or not id_.isprintable():
            raise HTTPException(404)
        try:
            event, reviews, continued = await self._known(id_)
        except StorageError as error:
            log.error("an event cannot be read for its picture", error=str(error))
            return PlainTextResponse(
                "Stored data cannot be read at the moment.\n",
                status_code=503,
                headers={"Retry-After": "60"},
            )
        if event is None or not is_public(event):
            raise HTTPException(404)
        preview = await asyncio.to_thread(self._preview, reader, event, reviews, continued)
        if not self._draws():
            raise HTTPException(404)
        headers = {"Content-Language": reader.language.code, "Vary": "Accept-Language"}
        if self._public():
            headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return tagged(request, await self._bytes(preview), "image/png", headers)

    async def _known(self, id_: str) -> tuple[Event | None, Sequence[Review], bool]:
        """An event that is stored, or active, with its reviews, and whether it goes on as another
        one. Raises StorageError."""
        snapshot = self._publisher.snapshot
        active = (*snapshot.blocks, *snapshot.circumstances)
        found = next((one for one in active if one.id == id_), None)
        if self._evidence is None:
            return found, (), False
        event = await self._evidence.event(id_) or found
        if event is None:
            return None, (), False
        continued = bool(await self._evidence.continued_as(event))
        return event, await self._evidence.reviews(event), continued

    async def _bytes(self, preview: Preview) -> bytes:
        """The picture, one drawn at a time, in a thread."""
        if preview not in self._drawn:
            async with self._drawing:
                if preview not in self._drawn:
                    self._drawn[preview] = await asyncio.to_thread(self._draw, preview)
                    if len(self._drawn) > KEPT:
                        self._drawn.popitem(last=False)
        drawn = self._drawn[preview]
        self._drawn.move_to_end(preview)
        return drawn


def _tags(preview: Preview, page: str, loaded: str) -> Tags:
    """Open Graph, as most services read it; the addresses of page and picture may be empty."""
    said = [
        ("og:type", "article"),
        ("og:site_name", SITE),
        ("og:title", preview.title),
        ("og:description", preview.description),
    ]
    if page:
        said.append(("og:url", page))
    if loaded:
        said += [
            ("og:image", loaded),
            ("og:image:type", "image/png"),
            ("og:image:width", str(WIDTH)),
            ("og:image:height", str(HEIGHT)),
            ("og:image:alt", f"{preview.title}. {preview.description}"),
        ]
    return (*said, ("twitter:card", "summary_large_image" if loaded else "summary"))
