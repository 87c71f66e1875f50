"""Routes of the interface, from the table of resources."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.logs import logger
from monitor.server.api.csv_download import csv_file
from monitor.server.api.cursor import Cursors
from monitor.server.api.json_page import json_page, tagged
from monitor.server.api.openapi import document
from monitor.server.api.problem import ProblemError, answer
from monitor.server.api.request import Asked, asked
from monitor.server.api.resources import RESOURCES, Resource
from storage.store import StorageError, Store

log = logger(__name__)

METHODS = ("GET", "HEAD", "OPTIONS")
"""Everything here is for reading alone."""
OPENAPI_PATH = "/openapi.json"
AT_ONCE = 2
"""Pages worked on at once: looking goes on, and so does recording, however many read."""

Answer = Callable[[Request], Awaitable[Response]]


def create_api(store: Store, sees_vantages: Callable[[Request], bool]) -> Starlette:
    """The application to mount at `/api/v1`, over an open store.

    `sees_vantages` tells whether a request comes from somebody who may see single vantages; nobody
    else gets anything finer than a network.
    """
    cursors = Cursors()
    turns = asyncio.Semaphore(AT_ONCE)

    def read(request: Request, resource: Resource, *, paged: bool) -> Awaitable[Asked]:
        hidden = not sees_vantages(request)
        return asked(request, resource, store, cursors, paged=paged, hidden=hidden)

    def page(resource: Resource) -> Answer:
        async def give(request: Request) -> Response:
            wanted = await read(request, resource, paged=True)
            return await json_page(request, resource, store, wanted, cursors, turns)

        return give

    def file(resource: Resource) -> Answer:
        async def give(request: Request) -> Response:
            wanted = await read(request, resource, paged=False)
            return await csv_file(request, resource, store, wanted, turns)

        return give

    described = msgspec.json.encode(document())

    async def openapi(request: Request) -> Response:
        return tagged(request, described, "application/json")

    routes = [Route(OPENAPI_PATH, _reading(openapi), methods=METHODS)]
    for resource in RESOURCES:
        routes += [
            Route(f"/{resource.name}", _reading(page(resource)), methods=METHODS),
            Route(f"/{resource.name}.csv", _reading(file(resource)), methods=METHODS),
        ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            ProblemError: _problem,
            HTTPException: _http_problem,
            StorageError: _storage_problem,
        },
    )
    app.router.redirect_slashes = False
    return app


def _reading(give: Answer) -> Answer:
    """OPTIONS is answered alike everywhere."""

    async def handle(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": ", ".join(METHODS)})
        return await give(request)

    return handle


def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 # narrows for the type checker
    return answer(error)


def _http_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 # narrows for the type checker
    if error.status_code == 405:
        return answer(ProblemError(405, "use GET", headers={"Allow": ", ".join(METHODS)}))
    names = ", ".join(resource.name for resource in RESOURCES)
    return answer(ProblemError(error.status_code, f"there are {names} and {OPENAPI_PATH[1:]}"))


def _storage_problem(_: Request, error: Exception) -> Response:
    # The message names files of this machine: it is for the log.
    log.error("interface cannot read the store", error=str(error))
    return answer(ProblemError(503, "try again in a moment", headers={"Retry-After": "5"}))
