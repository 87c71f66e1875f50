"""Forms that only our own pages can send, for the user they were made for.

A browser adds the stored password to whatever request a page of another site has it make. So each
form holds a token: an HMAC of its user and its hour by a key that lives as long as the process.
"""

import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from urllib.parse import parse_qsl

from starlette.requests import Request

LONGEST_FORM = 16 * 1024
"""Bytes."""
_MOST_FIELDS = 20
VALID_HOURS = 12
"""Hours for which a form can be sent, at least."""
TOKEN = "token"  # noqa: S105 # the name of a field


class FormError(Exception):
    """A form that cannot be read."""


class FormTokens:
    """Tokens of one server."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def make(self, user: str, now: datetime) -> str:
        """The token for a user's forms at that moment."""
        return self._of(user, _hour(now))

    def holds(self, token: str, user: str, now: datetime) -> bool:
        """Whether the token is this user's and not too old."""
        if not user:
            return False
        hours = range(_hour(now) - VALID_HOURS, _hour(now) + 1)
        known = [self._of(user, hour).encode() for hour in hours]
        given = token.encode("utf-8", "surrogateescape")
        return sum(hmac.compare_digest(given, one) for one in known) > 0

    def _of(self, user: str, hour: int) -> str:
        return hmac.digest(self._key, f"{hour} {user}".encode(), sha256).hex()


def _hour(now: datetime) -> int:
    return int(now.timestamp() // 3600)


def from_another_page(request: Request) -> bool:
    """Whether a page of another site sends it. A proxy in front must pass `Host` on."""
    site = request.headers.get("sec-fetch-site", "none")
    origin = request.headers.get("origin", "")
    own = origin.partition("://")[2] == request.headers.get("host", "")
    return site not in ("none", "same-origin") or bool(origin and not own)


async def form_of(request: Request) -> Mapping[str, str]:
    """The fields of a form as browsers send one without files. FormError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise FormError("not a form")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            raise FormError("too long")
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise FormError("not a form in UTF-8") from error
    # Browsers send line ends of a text area as CR LF.
    return {name: value.replace("\r\n", "\n") for name, value in fields}
