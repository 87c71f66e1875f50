"""All selected rows as one CSV file, sent while it is read.

Each batch is a transaction of its own. Between two batches a slow client holds no transaction and
no thread, only the position in the listing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from monitor.export.coverage import stored_coverage
from monitor.export.csv import File, file_of, header
from monitor.export.no_rows import why_no_rows
from monitor.server.api.problem import ProblemError
from monitor.server.api.request import Query
from monitor.server.api.resources import Resource
from monitor.wording.coverage import coverage_headline
from monitor.wording.no_rows import NoRows, no_rows_text
from monitor.wording.words import words_in
from storage.store import Store
from storage.values.steady_clock import utc_now

COVERAGE = "Shutwatch-Coverage"
"""Header with the statement of the coverage."""
NO_ROWS = "Shutwatch-No-Rows"
"""Header with the sentence that says why there are none."""
MEDIA_TYPE = "text/csv; charset=utf-8; header=present"

AT_ONCE = 8
"""Files sent at once to the public; as many to operators."""
_PIECE = 256 * 1024
"""Bytes sent at once: the server moves the unsent rest each time the kernel accepts some."""


class Downloads:
    """Files being sent: each holds a batch of rows until its client takes it."""

    def __init__(self) -> None:
        self._free = {False: AT_ONCE, True: AT_ONCE}

    def begin(self, *, public: bool) -> Callable[[], None]:
        """Take a place, and return what gives it back. ProblemError where there is none."""
        if not self._free[public]:
            raise ProblemError(
                503, "too many files are being sent: try again later", headers={"Retry-After": "30"}
            )
        self._free[public] -= 1
        held = True

        def end() -> None:
            nonlocal held
            if held:
                held = False
                self._free[public] += 1

        return end


class _Download(StreamingResponse):
    """A file that gives its place back, whatever becomes of it."""

    def __init__(
        self,
        body: AsyncIterator[bytes | memoryview],
        headers: dict[str, str],
        end: Callable[[], None],
    ) -> None:
        super().__init__(body, headers=headers)
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._end()


async def csv_file(
    request: Request,
    resource: Resource,
    store: Store,
    query: Query,
    readers: asyncio.Semaphore,
    interval: float,
    downloads: Downloads,
) -> Response:
    """The file that `query` selects; `readers` limits concurrent reads of the store and `downloads`
    the files that are being sent, `interval` is the seconds between two cycles.

    A file without a row says in a header why, and one of events also what that means.
    If the store fails halfway the connection is closed without an end, so that no client takes a
    part for the whole file. Raises StorageError if it fails before the first byte, ProblemError
    while too many are being sent.
    """
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Content-Disposition": f'attachment; filename="shutwatch-{resource.name}.csv"',
    }
    if request.method == "HEAD":
        return Response(headers=headers)
    end = downloads.begin(public=query.hidden)
    try:
        file = file_of(query.seen(resource.export), store, query.selection)
        # Before anything is sent, so that a store that fails at once gets an error response.
        first = await _lines(file, readers)
        if not first:
            async with readers:
                headers |= await empty_headers(resource, store, query)
        if first is None and query.covered:
            async with readers:
                known = await stored_coverage(store, query.counted, interval, utc_now())
            headers[COVERAGE] = coverage_headline(words_in(), known)
    except BaseException:
        end()
        raise
    return _Download(_body(first, file, resource, readers), headers, end)


async def empty_headers(resource: Resource, store: Store, query: Query) -> dict[str, str]:
    """The header that says why an answer has no rows. Raises StorageError."""
    why = await why_no_rows(resource.export, store, query.selection)
    if query.hidden and why is NoRows.ANOTHER_TIME:
        why = NoRows.NOT_YET
    return {NO_ROWS: no_rows_text(words_in(), why)}


async def _body(
    first: str | None, file: File, resource: Resource, readers: asyncio.Semaphore
) -> AsyncIterator[bytes | memoryview]:
    try:
        yield header(resource.columns).encode()
        lines = first
        while lines is not None:
            piece = lines.encode()
            for start in range(0, len(piece), _PIECE):
                yield memoryview(piece)[start : start + _PIECE]
            lines = await _lines(file, readers)
    finally:
        await file.batches.aclose()


async def _lines(file: File, readers: asyncio.Semaphore) -> str | None:
    async with readers:
        batch = await anext(file.batches, None)
        return None if batch is None else await asyncio.to_thread(file.lines, batch)
