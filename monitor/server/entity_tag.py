"""Responses with an ETag, so that who has the body already does not get it again."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response


def tagged(
    request: Request, body: bytes, media_type: str, headers: dict[str, str] | None = None
) -> Response:
    """A response with an ETag; 304 if the client has this body already."""
    # Weak, since the response may be compressed on its way.
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    sent = {**(headers or {}), "ETag": etag}
    if _matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=sent)
    return Response(body, media_type=media_type, headers=sent)


def _matches(if_none_match: str, etag: str) -> bool:
    """The weak comparison of RFC 9110."""
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in known or etag.removeprefix("W/") in known
