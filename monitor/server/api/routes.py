"""The routes of the API, made from the table of resources."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.export.public_view import PublicView
from monitor.logs import logger
from monitor.server.api.csv_download import Downloads, csv_file
from monitor.server.api.cursor import Cursors
from monitor.server.api.json_page import json_page
from monitor.server.api.openapi import document
from monitor.server.api.problem import ProblemError, answer
from monitor.server.api.request import Query, read_request
from monitor.server.api.resources import RESOURCES, Resource
from monitor.server.entity_tag import tagged
from storage.store import StorageError, Store
from storage.values.names import Names

log = logger(__name__)

METHODS = ("GET", "HEAD", "OPTIONS")
"""The API is read only."""
OPENAPI_PATH = "/openapi.json"
READERS = 2
"""Requests that read the store at once, so that any number of readers slows neither measuring nor
recording."""

Handler = Callable[[Request], Awaitable[Response]]


def create_api(
    store: Store,
    sees_vantages: Callable[[Request], bool],
    known: Callable[[], Names] = Names,
    interval: Callable[[], float] = lambda: 0.0,
    view: Callable[[], PublicView] = PublicView,
) -> Starlette:
    """The application to mount at `/api/v1`, over an open store.

    `sees_vantages` decides whether the reader of a request may see single vantages; others see
    only what `view` gives. `known` gives names that may be selected by besides those of
    stored rows. `interval` gives the seconds between two cycles, 0 where it is not known.
    """
    cursors = Cursors()
    readers = asyncio.Semaphore(READERS)
    downloads = Downloads()

    def read(request: Request, resource: Resource, *, paged: bool) -> Awaitable[Query]:
        seen = None if sees_vantages(request) else view()
        return read_request(request, resource, store, cursors, known(), paged=paged, view=seen)

    def page(resource: Resource) -> Handler:
        async def get(request: Request) -> Response:
            query = await read(request, resource, paged=True)
            return await json_page(request, resource, store, query, cursors, readers, interval())

        return get

    def file(resource: Resource) -> Handler:
        async def get(request: Request) -> Response:
            query = await read(request, resource, paged=False)
            return await csv_file(request, resource, store, query, readers, interval(), downloads)

        return get

    openapi_document = msgspec.json.encode(document())

    async def openapi(request: Request) -> Response:
        return tagged(request, openapi_document, "application/json")

    routes = [_route(OPENAPI_PATH, openapi)]
    for resource in RESOURCES:
        routes.append(_route(f"/{resource.name}", page(resource)))
        routes.append(_route(f"/{resource.name}.csv", file(resource)))
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


def _route(path: str, get: Handler) -> Route:
    """A route that answers OPTIONS as well."""

    async def handle(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": ", ".join(METHODS)})
        return await get(request)

    return Route(path, handle, methods=METHODS)


def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 # narrows for the type checker
    return answer(error)


def _http_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 # narrows for the type checker
    if error.status_code == 405:
        allow = {"Allow": ", ".join(METHODS)}
        return answer(ProblemError(405, "the API is read only: use GET", headers=allow))
    names = ", ".join((*(resource.name for resource in RESOURCES), OPENAPI_PATH[1:]))
    return answer(ProblemError(error.status_code, f"the resources are {names}"))


def _storage_problem(_: Request, error: Exception) -> Response:
    # Only the log may name files of this machine.
    log.error("the API cannot read the store", error=str(error))
    return answer(ProblemError(503, "try again in a few seconds", headers={"Retry-After": "5"}))
