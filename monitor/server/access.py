"""Access control: one gate in front of every page, file and API route.

Without `[server]` everybody is an operator, which the configuration allows on a loopback address
only. With users or tokens only they get in. With `public` everybody may read, but nothing finer
than a network; handlers ask `sees_vantages`.

Wrong passwords are limited by where they come from, see `monitor.server.sign_in`. Tokens, and
readers who signed in before, are never slowed down. Readers who are no operators share a bounded
part of the processor, see `monitor.server.public_share`.
"""

import asyncio
import base64
import binascii
import hmac
import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import urlsplit

from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.config.loopback import LOOPBACK_NAMES
from monitor.config.settings import ServerSettings
from monitor.export.public_view import PublicView
from monitor.keys.passwords import NOBODY, User, digest
from monitor.logs import logger
from monitor.server.connection_limits import source_of
from monitor.server.public_share import PublicShare
from monitor.server.sign_in import PAUSE, Answer, SignIn

log = logger(__name__)

OPEN = frozenset({"/-/healthy", "/-/ready", "/icon.svg"})
"""Paths open to everybody: health, readiness and the icon."""

OPERATORS_ONLY = (
    *("/metrics/", "/vantages/", "/actions/", "/sign-in/", "/-/"),
    "/api/v1/vantages/",
)
"""Paths that are never public, with all below them: they name vantages or are for operators."""

REALM = 'Basic realm="shutwatch", charset="UTF-8"'

_OPERATOR = "shutwatch.operator"
"""Key of the ASGI scope; the gate sets it for readers who are operators."""
_EDITOR = "shutwatch.editor"
"""Key of the ASGI scope: the name of a user who may act."""
_WRONG = "Wrong user, password or token.\n"
_LONGEST_HEADER = 2048
_REMEMBERED = 64
"""Readers who signed in before; for each a keyed digest of the credentials is kept."""
_LOG_EVERY = 60.0
"""Seconds between two log lines about wrong passwords."""


def sees_vantages(request: HTTPConnection) -> bool:
    """Whether this reader may see ids, health and measurements of single vantages. A request that
    did not pass the gate may not."""
    return request.scope.get(_OPERATOR) is True


def editor_of(request: HTTPConnection) -> str:
    """Name of the signed-in user who sends a request, if they may act; else empty. Nobody may on a
    server without users, and no program by a token."""
    return str(request.scope.get(_EDITOR, ""))


class Access:
    """Decides who gets in. One for the life of a server."""

    def __init__(
        self,
        settings: ServerSettings | None = None,
        *,
        own_hosts: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """With `own_hosts`, an open server accepts only an IP address or localhost as Host. It
        prevents that another site reads it through the reader's browser (DNS rebinding). `clock`
        gives seconds.
        """
        self._clock = clock
        self._own_hosts = own_hosts
        self._key = secrets.token_bytes(32)
        self._sign_in = SignIn(clock)
        self._refused = 0
        self._logged_at = -_LOG_EVERY
        self.use(settings or ServerSettings())

    def use(self, settings: ServerSettings) -> None:
        """Switch to other settings. Every reader must sign in again."""
        self._settings = settings
        self._users = {user.name: user for user in settings.users}
        self._known: OrderedDict[bytes, str] = OrderedDict()

    @property
    def public_view(self) -> PublicView:
        """What readers see who are no operators."""
        settings = self._settings
        return PublicView(delay=settings.public_delay, bucket=settings.public_bucket)

    @property
    def public(self) -> bool:
        """Whether everybody may read."""
        return self._settings.guarded and self._settings.public

    @property
    def reload_allowed(self) -> bool:
        """Whether operators may reload the configuration over HTTP."""
        return self._settings.reload

    async def refusal(self, scope: Scope) -> Response | None:
        """The response that refuses a request. None: it may pass, and `scope` says whether its
        reader is an operator."""
        headers = Headers(scope=scope)
        if not self._settings.guarded:
            if self._own_hosts and not _own_host(headers.get("host", "")):
                return PlainTextResponse(
                    "This server has no users, so it accepts only an IP address or localhost as "
                    "its name. To use another name, set users or tokens under [server].\n",
                    status_code=421,
                )
            scope[_OPERATOR] = True
            return None
        authorization = headers.get("authorization", "")
        if authorization:
            return await self._check(scope, authorization)
        if self._settings.public and not f"{get_route_path(scope)}/".startswith(OPERATORS_ONLY):
            return None
        return self._challenge("Sign in to read this.\n")

    async def _check(self, scope: Scope, authorization: str) -> Response | None:
        scheme, _, credentials = authorization.partition(" ")
        credentials = credentials.strip()
        if len(authorization) <= _LONGEST_HEADER:
            if scheme.lower() == "bearer" and self._is_token(credentials):
                scope[_OPERATOR] = True
                return None
            if scheme.lower() == "basic" and self._users:
                return await self._check_password(scope, credentials)
        # Tokens are too long to guess, so this needs no limit.
        self._count()
        return self._challenge(_WRONG)

    def _is_token(self, token: str) -> bool:
        found = digest(token)
        # Compare with every token, so that the time taken reveals nothing.
        return sum(hmac.compare_digest(found, known) for known in self._settings.tokens) > 0

    async def _check_password(self, scope: Scope, credentials: str) -> Response | None:
        mark = hmac.digest(self._key, credentials.encode("utf-8", "surrogateescape"), sha256)
        if mark in self._known:
            self._known.move_to_end(mark)
            self._let_in(scope, self._known[mark])
            return None
        settings = self._settings

        name, password = _name_and_password(credentials)

        async def is_right() -> bool:
            return await asyncio.to_thread(self._is_right, name, password)

        answer = await self._sign_in.check(self._source(scope), is_right)
        if answer is not Answer.RIGHT:
            self._count()
            return self._challenge(_WRONG) if answer is Answer.WRONG else _slowed_down()
        if settings is self._settings:
            self._known[mark] = name
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._let_in(scope, name)
        return None

    def _let_in(self, scope: Scope, name: str) -> None:
        scope[_OPERATOR] = True
        if name in self._settings.editors:
            scope[_EDITOR] = name

    def _is_right(self, name: str, password: str) -> bool:
        user: User = self._users.get(name, NOBODY)
        return user.knows(password) and user is not NOBODY

    def _source(self, scope: Scope) -> str:
        """Where a request comes from: of one that trusted proxies pass on, what they say."""
        client = scope.get("client")
        address = client[0] if client else ""
        passed_on = Headers(scope=scope).getlist("x-forwarded-for")
        for before in reversed(",".join(passed_on).split(",")):
            if not self.is_proxy(address):
                break
            address = before.strip() or address
        return source_of(address)

    def is_proxy(self, address: str) -> bool:
        """Whether it is that of a trusted proxy in front."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in ipaddress.ip_network(one) for one in self._settings.proxies)

    def _count(self) -> None:
        self._refused += 1
        if self._clock() - self._logged_at >= _LOG_EVERY:
            log.warning("wrong users, passwords or tokens", number=self._refused)
            self._refused, self._logged_at = 0, self._clock()

    def _challenge(self, text: str) -> Response:
        if not (self._users or self._settings.tokens):
            return PlainTextResponse(
                "Not public. Set users or tokens under [server] to read this.\n", status_code=403
            )
        return PlainTextResponse(
            text,
            status_code=401,
            headers={"WWW-Authenticate": REALM if self._users else 'Bearer realm="shutwatch"'},
        )


def _name_and_password(credentials: str) -> tuple[str, str]:
    """As a browser sends them; both empty when they are no base64 of UTF-8."""
    try:
        text = base64.b64decode(credentials, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        text = ""
    name, _, password = text.partition(":")
    return name, password


def _slowed_down() -> Response:
    return PlainTextResponse(
        "Too many wrong passwords. Try again in a few seconds.\n",
        status_code=429,
        headers={"Retry-After": str(round(PAUSE))},
    )


class Gate:
    """ASGI middleware: only requests that Access permits reach the application."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._public = PublicShare()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and get_route_path(scope) not in OPEN:
            refusal = await self._access.refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
            if scope.get(_OPERATOR) is not True:
                await self._public.answer(self._app, scope, receive, send)
                return
        await self._app(scope, receive, send)


def _own_host(header: str) -> bool:
    """Whether a Host header names an IP address, or a loopback name."""
    if not header:  # HTTP/1.0: every browser sends it
        return True
    try:
        host = urlsplit(f"//{header}").hostname or ""
        return host.rstrip(".") in LOOPBACK_NAMES or bool(ipaddress.ip_address(host))
    except ValueError:
        return False
