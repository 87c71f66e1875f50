"""`POST /-/reload`: read the configuration again, for those who cannot send a signal."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from monitor.config.reload import Reloaded

Reload = Callable[[], Awaitable[Reloaded]]
"""Does it."""


def reload_route(reload: Reload, allowed: Callable[[], bool]) -> Route:
    """The route; while it is not `allowed`, it says how to allow it.

    Who may come this far at all is for the gate to say. What is wrong with a file is said in the
    log alone: the reader of an answer need not be the one who may read the file.
    """

    async def answer(request: Request) -> Response:
        if not allowed():
            return _said("Off. Set reload = true under [server], or send SIGHUP.\n", 403)
        if _from_another_page(request):
            return _said("Not from a page elsewhere.\n", 403)
        done = await reload()
        if done.done:
            return _said("reloaded\n")
        count = len(done.problems)
        what = "1 problem" if count == 1 else f"{count} problems"
        return _said(
            f"not reloaded, the configuration before stays in use: {what}, see the log\n", 422
        )

    return Route("/-/reload", answer, methods=["POST"])


def _said(text: str, status: int = 200) -> Response:
    return PlainTextResponse(text, status_code=status, headers={"Cache-Control": "no-store"})


def _from_another_page(request: Request) -> bool:
    """Whether a browser says so: it sends a reader's password along with any page's request."""
    site = request.headers.get("sec-fetch-site", "none")
    origin = request.headers.get("origin", "")
    own = origin.partition("://")[2] == request.headers.get("host", "")
    return site not in ("none", "same-origin") or bool(origin and not own)
