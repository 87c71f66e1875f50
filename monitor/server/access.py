"""Who may see what: one gate in front of every page, file and interface.

Private by default. Without `[server]` everything is open, and the configuration allows that on a
loopback address only. With users or tokens nobody else gets in. With `public` anybody may read, and
sees nothing finer than a network: `sees_vantages` tells a handler whether this reader may.

Wrong passwords are slowed down for all together, since a client's address says little behind a
proxy and is nothing to keep: a handful at once, then one every other second. A reader who was let
in before, and every token, is not slowed down.
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
from enum import StrEnum
from hashlib import sha256

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.config.loopback import LOOPBACK_NAMES
from monitor.config.settings import ServerSettings
from monitor.keys.passwords import NOBODY, User, digest
from monitor.logs import logger

log = logger(__name__)

OPEN = frozenset({"/-/healthy", "/-/ready", "/icon.svg"})
"""For everybody, always: whether the process runs and has something to show, and its picture."""

OPERATORS_ONLY = ("/metrics", "/vantages", "/-/", "/api/v1/vantages")
"""Never public, since they name vantages or are an operator's business; with all below them."""

REALM = 'Basic realm="shutwatch", charset="UTF-8"'

_WRONG = "Wrong user, password or token.\n"
_LONGEST_HEADER = 2048
_BURST = 10
"""Wrong passwords at once, before anybody waits."""
_PAUSE = 2.0
"""Seconds in which one more is allowed."""
_WAITING = 4
"""Passwords being looked at or waiting for it; one at a time is looked at."""
_REMEMBERED = 64
"""Readers let in before, kept as a keyed digest of what they sent."""
_LOG_EVERY = 60.0
"""Seconds between two lines in the log about wrong passwords."""


class Audience(StrEnum):
    """Who is reading."""

    OPERATOR = "operator"
    PUBLIC = "public"
    """Anybody, where `public` is set: nothing finer than a network."""


def audience_of(request: HTTPConnection) -> Audience:
    """Who asks. What did not pass the gate is treated as the public."""
    audience = request.scope.get("shutwatch.audience", Audience.PUBLIC)
    return Audience(audience)


def sees_vantages(request: HTTPConnection) -> bool:
    """Whether this reader may see ids, health and looks of single vantages."""
    return audience_of(request) is Audience.OPERATOR


class Access:
    """Decides; one for the life of a server."""

    def __init__(
        self,
        settings: ServerSettings | None = None,
        *,
        own_hosts: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`own_hosts`: where everything is open, answer only to an address or to localhost, so that
        a page elsewhere cannot have the reader's browser ask in another name (DNS rebinding).

        `clock` gives seconds.
        """
        self._clock = clock
        self._own_hosts = own_hosts
        self._key = secrets.token_bytes(32)
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._allowed = float(_BURST)
        self._counted_at = clock()
        self._refused = 0
        self._logged_at = -_LOG_EVERY
        self.use(settings or ServerSettings())

    def use(self, settings: ServerSettings) -> None:
        """Go by other settings from now on; who was let in before must show it again."""
        self._settings = settings
        self._users = {user.name: user for user in settings.users}
        self._known: OrderedDict[bytes, None] = OrderedDict()

    @property
    def reload_allowed(self) -> bool:
        """Whether whoever is let in may have the configuration read again."""
        return self._settings.reload

    async def refusal(self, scope: Scope) -> Response | None:
        """What to answer instead, or None; then `scope` says who asks."""
        headers = Headers(scope=scope)
        if not self._settings.guarded:
            if self._own_hosts and not _own_host(headers.get("host", "")):
                return PlainTextResponse(
                    "This is open to its own machine only, so it answers to an address and to "
                    "localhost. To reach it by another name, set users or tokens under [server].\n",
                    status_code=421,
                )
            scope["shutwatch.audience"] = Audience.OPERATOR
            return None
        shown = headers.get("authorization", "")
        if shown:
            return await self._judged(scope, shown)
        if self._settings.public and not _operators_only(scope["path"]):
            scope["shutwatch.audience"] = Audience.PUBLIC
            return None
        return self._asked_for_more()

    async def _judged(self, scope: Scope, shown: str) -> Response | None:
        scheme, _, credentials = shown.partition(" ")
        credentials = credentials.strip()
        if len(shown) <= _LONGEST_HEADER:
            if scheme.lower() == "bearer" and self._is_token(credentials):
                scope["shutwatch.audience"] = Audience.OPERATOR
                return None
            if scheme.lower() == "basic" and self._users:
                return await self._judged_password(scope, credentials)
        # Nobody comes upon a token by trying, so this needs no slowing down.
        self._count()
        return self._asked_for_more(_WRONG)

    def _is_token(self, token: str) -> bool:
        found = digest(token)
        # Each of them every time, so that time tells nothing.
        return sum(hmac.compare_digest(found, known) for known in self._settings.tokens) > 0

    async def _judged_password(self, scope: Scope, credentials: str) -> Response | None:
        mark = hmac.digest(self._key, credentials.encode("utf-8", "surrogateescape"), sha256)
        if mark in self._known:
            self._known.move_to_end(mark)
            scope["shutwatch.audience"] = Audience.OPERATOR
            return None
        if self._waiting >= _WAITING or not self._may_try():
            return self._slowed_down()
        settings = self._settings
        self._waiting += 1
        try:
            async with self._turn:
                # Others may have used up what there was while this one waited.
                if not self._may_try():
                    return self._slowed_down()
                right = await asyncio.to_thread(self._is_right, credentials)
                if not right:
                    self._allowed -= 1
                    self._count()
                    return self._asked_for_more(_WRONG)
        finally:
            self._waiting -= 1
        if settings is self._settings:
            self._known[mark] = None
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        scope["shutwatch.audience"] = Audience.OPERATOR
        return None

    def _is_right(self, credentials: str) -> bool:
        try:
            text = base64.b64decode(credentials, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            text = ""
        name, _, password = text.partition(":")
        user: User = self._users.get(name, NOBODY)
        return user.knows(password) and user is not NOBODY

    def _may_try(self) -> bool:
        now = self._clock()
        self._allowed = min(_BURST, self._allowed + (now - self._counted_at) / _PAUSE)
        self._counted_at = now
        return self._allowed >= 1

    def _slowed_down(self) -> Response:
        self._count()
        return PlainTextResponse(
            "Too many wrong passwords, by whomever: try again in a moment.\n",
            status_code=429,
            headers={"Retry-After": str(round(_PAUSE))},
        )

    def _count(self) -> None:
        self._refused += 1
        if self._clock() - self._logged_at >= _LOG_EVERY:
            log.warning("wrong users, passwords or tokens", number=self._refused)
            self._refused, self._logged_at = 0, self._clock()

    def _asked_for_more(self, why: str = "Who is there?\n") -> Response:
        if not (self._users or self._settings.tokens):
            return PlainTextResponse(
                "Not public. Set users or tokens under [server] to read this.\n", status_code=403
            )
        return PlainTextResponse(
            why,
            status_code=401,
            headers={"WWW-Authenticate": REALM if self._users else 'Bearer realm="shutwatch"'},
        )


class Gate:
    """ASGI middleware: nothing behind it is reached but by whom Access lets in."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        if scope["type"] == "http" and scope["path"] not in OPEN:
            refusal = await self._access.refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _operators_only(path: str) -> bool:
    return any(
        path == one or path.startswith(one if one.endswith("/") else f"{one}/")
        for one in OPERATORS_ONLY
    )


def _own_host(header: str) -> bool:
    """Whether a Host header names an address, or this machine as it calls itself."""
    if not header:  # HTTP/1.0: no browser leaves it out
        return True
    host = header
    if header.startswith("["):
        host = header[1:].partition("]")[0]
    elif header.count(":") <= 1:
        host = header.partition(":")[0]
    if host.lower().rstrip(".") in LOOPBACK_NAMES:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
