"""One page of rows as JSON, with a tag by which a reader need not fetch it again."""

import asyncio
import hashlib
from contextlib import aclosing
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from monitor.server.api.cursor import Cursors
from monitor.server.api.json_rows import json_rows
from monitor.server.api.request import Asked
from monitor.server.api.resources import Resource
from storage.store import Store


async def json_page(
    request: Request,
    resource: Resource,
    store: Store,
    asked: Asked,
    cursors: Cursors,
    turns: asyncio.Semaphore,
) -> Response:
    """The page wanted. `turns` bounds how much is done at once."""
    async with turns:
        found = await _first(resource, store, asked)
        values, more = found[: asked.limit], len(found) > asked.limit
        following = None
        if more:
            place = resource.place(values[-1])
            following = _next(request, cursors.write(resource.name, place, hidden=asked.hidden))
        body = await asyncio.to_thread(_encoded, resource, values, asked, following)
    headers = {"Link": f'<{following}>; rel="next"'} if following else {}
    return tagged(request, body, "application/json", headers)


def tagged(
    request: Request, body: bytes, media_type: str, headers: dict[str, str] | None = None
) -> Response:
    """An answer with an ETag, or 304 when the reader has it already."""
    # Weak: what is sent may be compressed on its way.
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    sent = {**(headers or {}), "ETag": etag}
    if matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=sent)
    return Response(body, media_type=media_type, headers=sent)


def matches(if_none_match: str, etag: str) -> bool:
    """Whether a reader has what has this tag, by weak comparison."""
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in known or etag.removeprefix("W/") in known


async def _first(resource: Resource, store: Store, asked: Asked) -> list[Any]:
    """Up to one more than the page holds, which tells whether there is another."""
    found: list[Any] = []
    async with aclosing(resource.rows(store, asked.selection)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            found += batch
            if len(found) > asked.limit:
                break
    return found


def _encoded(resource: Resource, values: list[Any], asked: Asked, following: str | None) -> bytes:
    prepared = map(resource.prepare, values)
    rows = json_rows(resource.columns, prepared, asked.hidden_columns)
    return msgspec.json.encode({"data": rows, "next": following})


def _next(request: Request, cursor: str) -> str:
    """The address of the page behind this one."""
    kept = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
    return f"{request.url.path}?{urlencode([*kept, ('cursor', cursor)])}"
