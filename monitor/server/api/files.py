"""All rows wanted as one CSV file, sent as it is read.

Each batch is a read of its own, made when the one before has been taken: between two, a slow reader
holds no transaction, no thread and no turn, only the place where the file goes on.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from monitor.server.api.asking import Asked
from monitor.server.api.resources import Resource
from monitor.server.api.rows import csv_header, csv_rows
from storage.store import Store

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"


async def csv_file(
    request: Request, resource: Resource, store: Store, asked: Asked, turns: asyncio.Semaphore
) -> Response:
    """The file wanted; `turns` bounds how much is done at once.

    When the store fails half-way the connection is broken off, so that nobody takes a part for
    the whole.
    """
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Content-Disposition": f'attachment; filename="shutwatch-{resource.name}.csv"',
    }
    if request.method == "HEAD":
        return Response(headers=headers)
    batches = cast("AsyncGenerator[Sequence[Any], None]", resource.rows(store, asked.selection))
    # Before anything is sent, so that a store that does not answer at all is told as such.
    first = await _chunk(batches, resource, asked, turns)
    return StreamingResponse(_body(first, batches, resource, asked, turns), headers=headers)


async def _body(
    first: bytes | None,
    batches: AsyncGenerator[Sequence[Any], None],
    resource: Resource,
    asked: Asked,
    turns: asyncio.Semaphore,
) -> AsyncIterator[bytes]:
    try:
        yield csv_header(resource.columns)
        chunk = first
        while chunk is not None:
            yield chunk
            chunk = await _chunk(batches, resource, asked, turns)
    finally:
        await batches.aclose()


async def _chunk(
    batches: AsyncGenerator[Sequence[Any], None],
    resource: Resource,
    asked: Asked,
    turns: asyncio.Semaphore,
) -> bytes | None:
    async with turns:
        batch = await anext(batches, None)
        if batch is None:
            return None
        return await asyncio.to_thread(_lines, resource, asked, batch)


def _lines(resource: Resource, asked: Asked, batch: Sequence[Any]) -> bytes:
    return csv_rows(resource.columns, map(resource.prepare, batch), asked.hidden_columns)
