"""One page of rows as JSON, with an ETag."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from monitor.export.coverage import coverage_object, stored_coverage
from monitor.server.api.csv_download import empty_headers
from monitor.server.api.cursor import Cursors
from monitor.server.api.json_rows import json_rows
from monitor.server.api.request import Query
from monitor.server.api.resources import Resource
from monitor.server.api.witnesses import witnesses_shown
from monitor.server.entity_tag import tagged
from storage.first_rows import first_rows
from storage.store import Store
from storage.values.steady_clock import utc_now


async def json_page(
    request: Request,
    resource: Resource,
    store: Store,
    query: Query,
    cursors: Cursors,
    readers: asyncio.Semaphore,
    interval: float,
) -> Response:
    """The page that `query` selects; `readers` limits concurrent reads, `interval` is the seconds
    between two cycles. Raises StorageError."""
    async with readers:
        more: dict[str, Any] = {}
        if resource.covered:
            more["coverage"] = None
        # One row more than the page holds shows whether there is another page.
        headers: dict[str, str] = {}
        export = query.seen(resource.export)
        found = await first_rows(export.rows(store, query.selection), query.limit + 1)
        if query.covered:
            known = await stored_coverage(store, query.counted, interval, utc_now())
            more["coverage"] = coverage_object(known, any_event=bool(found))
        values, following = found[: query.limit], None
        if resource.witnessed:
            more["witnesses"] = await witnesses_shown(store, values, utc_now())
        if len(found) > query.limit:
            position = resource.position(values[-1])
            cursor = cursors.write(resource.name, position, hidden=query.hidden)
            following = _address(request, cursor)
            headers["Link"] = f'<{following}>; rel="next"'
        if not found and not query.selection.after:
            headers |= await empty_headers(resource, store, query)

        def encode() -> bytes:
            rows = json_rows(export.columns, map(export.prepare, values))
            return msgspec.json.encode({"data": rows, "next": following, **more})

        body = await asyncio.to_thread(encode)
    return tagged(request, body, "application/json", headers)


def _address(request: Request, cursor: str) -> str:
    """The address of the next page."""
    kept = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
    return f"{request.url.path}?{urlencode([*kept, ('cursor', cursor)])}"
