"""`POST /-/reload`: reload the configuration, for operators who cannot send a signal."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from monitor.config.reload import Reloaded
from monitor.server.own_forms import from_another_page

Reload = Callable[[], Awaitable[Reloaded]]


def reload_route(reload: Reload, allowed: Callable[[], bool]) -> Route:
    """The route. The gate admits operators only; while `allowed` is false the answer says how to
    allow it. Problems in the file go to the log alone: an operator of the page may not be permitted
    to read the file.
    """

    async def answer(request: Request) -> Response:
        if not allowed():
            return _text("Off. Set reload = true under [server], or send SIGHUP.\n", 403)
        if from_another_page(request):
            return _text("Refused: the request comes from a page of another site.\n", 403)
        reloaded = await reload()
        if reloaded.done:
            return _text("reloaded\n")
        count = len(reloaded.problems)
        problems = "1 problem" if count == 1 else f"{count} problems"
        return _text(
            f"not reloaded, the previous configuration stays in use: {problems}, see the log\n", 422
        )

    return Route("/-/reload", answer, methods=["POST"])


def _text(text: str, status: int = 200) -> Response:
    return PlainTextResponse(text, status_code=status, headers={"Cache-Control": "no-store"})
