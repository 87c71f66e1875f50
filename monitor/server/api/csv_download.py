"""All rows wanted as one CSV file, sent as it is read.

Each batch is a short transaction of its own. A reader that is slow holds no transaction and no
thread between two batches, only the place where the file goes on.
"""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from monitor.export.csv import File, file_of_rows, file_of_values, header
from monitor.server.api.request import Asked
from monitor.server.api.resources import Resource
from storage.store import Store

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"

_PIECE = 256 * 1024
"""Bytes handed on at once: what the kernel does not take is moved each time it takes some."""


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
    file = _file(resource, store, asked)
    # Before anything is sent, so that a store that does not answer at all is told as such.
    first = await _lines(file, turns)
    return StreamingResponse(_body(first, file, resource, turns), headers=headers)


def _file(resource: Resource, store: Store, asked: Asked) -> File:
    columns, hidden = resource.columns, asked.hidden_columns
    if resource.stored is None:
        values = resource.rows(store, asked.selection)
        return file_of_values(columns, values, resource.prepare, hidden=hidden)
    return file_of_rows(resource.stored, columns, store, asked.selection, hidden=hidden)


async def _body(
    first: str | None, file: File, resource: Resource, turns: asyncio.Semaphore
) -> AsyncIterator[bytes | memoryview]:
    try:
        yield header(resource.columns).encode()
        lines = first
        while lines is not None:
            piece = lines.encode()
            for start in range(0, len(piece), _PIECE):
                yield memoryview(piece)[start : start + _PIECE]
            lines = await _lines(file, turns)
    finally:
        await file.batches.aclose()


async def _lines(file: File, turns: asyncio.Semaphore) -> str | None:
    async with turns:
        batch = await anext(file.batches, None)
        if batch is None:
            return None
        return await asyncio.to_thread(file.lines, batch)
