"""Routes: what an operator's browser and Prometheus may ask for."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from monitor.metrics.exposition import exposition
from monitor.metrics.publisher import Publisher
from monitor.server.access import Access, Gate, sees_vantages
from monitor.server.api import create_api
from monitor.server.headers import SecurityHeaders
from monitor.server.page import ICON
from monitor.server.pages import Pages
from monitor.server.reload_route import Reload, reload_route
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
    for programs, and the page knows what was, not only what is. `reload` reads the configuration
    again, where that is allowed.
    What takes long is done in a thread, so that rendering thousands of samples does not hold up
    the probes' event loop: Starlette runs plain functions in one, pages see to it themselves. Each
    reads one immutable snapshot.
    """
    is_ready = ready or publisher.ready
    gate = access or Access()

    def metrics(request: Request) -> Response:
        body, content_type = exposition(registry, request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type, "Vary": "Accept"})

    def healthy(_: Request) -> Response:
        return PlainTextResponse("healthy\n")

    def readiness(_: Request) -> Response:
        yes, reason = is_ready()
        return PlainTextResponse(f"{reason}\n", status_code=200 if yes else 503)

    def icon(_: Request) -> Response:
        return Response(ICON, media_type="image/svg+xml")

    api: list[BaseRoute] = (
        [] if store is None else [Mount("/api/v1", create_api(store, sees_vantages))]
    )
    pages = Pages(publisher, store)
    return Starlette(
        routes=[
            *pages.routes(),
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
            Middleware(GZipMiddleware, minimum_size=1000),
            Middleware(Gate, access=gate),
        ],
    )
