"""Routes: what an operator's browser and Prometheus may ask for."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from monitor.publisher import Publisher
from monitor.server.access import Access, Gate, sees_vantages
from monitor.server.api import create_api
from monitor.server.headers import SecurityHeaders
from monitor.server.page import ICON, POLICY, render
from monitor.server.reload import Reload, reload_route
from storage.store import Store


def create_app(
    publisher: Publisher,
    registry: CollectorRegistry,
    ready: Callable[[], tuple[bool, str]] | None = None,
    *,
    access: Access | None = None,
    store: Store | None = None,
    reload: Reload | None = None,
) -> Starlette:
    """The application over one publisher.

    `ready` tells whether there is anything to show, and why not; by default the publisher does.
    `access` decides who may see it; by default everybody. With a `store` there is the interface
    for programs too. `reload` reads the configuration again, where that is allowed.
    Handlers are plain functions on purpose: Starlette runs them in a thread, so that rendering
    thousands of samples does not hold up the probes' event loop. They read one immutable
    snapshot each.
    """
    is_ready = ready or publisher.ready
    gate = access or Access()

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": content_type, "Vary": "Accept"})

    def healthy(_: Request) -> Response:
        return PlainTextResponse("healthy\n")

    def readiness(_: Request) -> Response:
        yes, reason = is_ready()
        return PlainTextResponse(f"{reason}\n", status_code=200 if yes else 503)

    def index(_: Request) -> Response:
        return HTMLResponse(
            render(publisher.snapshot, publisher.now()),
            headers={"Content-Security-Policy": POLICY},
        )

    def icon(_: Request) -> Response:
        return Response(ICON, media_type="image/svg+xml")

    api: list[BaseRoute] = (
        [] if store is None else [Mount("/api/v1", create_api(store, sees_vantages))]
    )
    return Starlette(
        routes=[
            Route("/", index),
            Route("/metrics", metrics),
            Route("/-/healthy", healthy),
            Route("/-/ready", readiness),
            *([] if reload is None else [reload_route(reload, lambda: gate.reload_allowed)]),
            Route("/icon.svg", icon),
            *api,
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(GZipMiddleware, minimum_size=1000),
            Middleware(Gate, access=gate),
        ],
    )
