"""The routes that browsers and Prometheus use."""

import gzip
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from monitor.export.public_view import PublicView
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import Scrapes
from monitor.server.access import Access, Gate, sees_vantages
from monitor.server.actions import Acting, Actions
from monitor.server.api import create_api
from monitor.server.documents import FOLDER as DOCUMENTS
from monitor.server.event_filter import shown_names
from monitor.server.headers import SecurityHeaders
from monitor.server.own_forms import FormTokens
from monitor.server.page import ICON
from monitor.server.pages import Pages
from monitor.server.reload_route import Reload, reload_route
from storage.store import Store
from storage.values.names import Names

METRICS_EFFORT = 1
"""How hard metrics are compressed: an eighth of the usual time for a quarter more bytes."""


def create_app(
    publisher: Publisher,
    scrapes: Scrapes,
    ready: Callable[[], tuple[bool, str]] | None = None,
    *,
    access: Access | None = None,
    store: Store | None = None,
    reload: Reload | None = None,
    documents: Path = DOCUMENTS,
    acting: Acting | None = None,
) -> Starlette:
    """The application over one publisher.

    `ready` returns whether there is anything to show, and the reason; the default asks the
    publisher. `access` decides who gets in; the default admits everybody. With a `store`,
    the application serves `/api/v1` and the pages show history. With `reload`, it serves the
    route that reloads the configuration. `documents` is the folder of the site at `/docs`. With
    `acting`, editors may act on the pages.

    Slow work runs in a thread, so that writing thousands of samples does not block the probes'
    event loop: Starlette runs plain functions in a thread, the pages start their own. Each request
    reads one immutable snapshot.
    """
    is_ready = ready or publisher.ready
    gate = access or Access()

    def metrics(request: Request) -> Response:
        text, content_type = scrapes.scrape(request.headers.get("accept", ""))
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            # Here, in a thread: the middleware would do it on the event loop.
            text = gzip.compress(text, METRICS_EFFORT)
            headers["Content-Encoding"] = "gzip"
        return Response(text, headers=headers)

    def healthy(_: Request) -> Response:
        return PlainTextResponse("healthy\n")

    def readiness(_: Request) -> Response:
        yes, reason = is_ready()
        return PlainTextResponse(f"{reason}\n", status_code=200 if yes else 503)

    def icon(_: Request) -> Response:
        return Response(ICON, media_type="image/svg+xml")

    def names() -> Names:
        return shown_names(publisher.snapshot)

    def public_view() -> PublicView:
        return gate.public_view

    def interval() -> float:
        return publisher.snapshot.interval

    api: list[BaseRoute] = (
        []
        if store is None
        else [
            Mount("/api/v1", create_api(store, sees_vantages, names, interval, public_view)),
        ]
    )
    tokens = FormTokens() if acting is not None else None
    quarantines = acting.store.quarantines if acting is not None else None
    pages = Pages(
        publisher, store, public_view, lambda: gate.public, documents, tokens, quarantines
    )
    acts = (
        Actions(publisher, acting, tokens, pages.reader).routes()
        if acting is not None and tokens is not None
        else []
    )

    def sign_in(_: Request) -> Response:
        # Whoever comes this far is signed in, and sees more of the first page.
        return RedirectResponse("./", status_code=303)

    app = Starlette(
        routes=[
            *pages.routes(),
            *acts,
            Route("/sign-in", sign_in),
            Route("/metrics", metrics),
            Route("/-/healthy", healthy),
            Route("/-/ready", readiness),
            *([] if reload is None else [reload_route(reload, lambda: gate.reload_allowed)]),
            Route("/icon.svg", icon),
            *api,
        ],
        exception_handlers={404: pages.problem},
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=6),
            Middleware(Gate, access=gate),
        ],
    )
    # Such a redirect leads to whatever host the request names.
    app.router.redirect_slashes = False
    return app
