"""Errors as RFC 9457 problems: a status, a title, a remedy, and the parameter that caused it."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response


class ProblemError(Exception):
    """Ends a request with a problem as its response."""

    def __init__(
        self,
        status: int,
        detail: str,
        parameter: str = "",
        headers: Mapping[str, str] | None = None,
        *,
        suggestion: str = "",
    ) -> None:
        """`parameter` is the name of the wrong one, `suggestion` the value it may have meant;
        `headers` are added to the response."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.parameter = parameter
        self.suggestion = suggestion
        self.headers = dict(headers or {})


def answer(problem: ProblemError) -> Response:
    """The response for a problem."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.parameter:
        body["parameter"] = problem.parameter
    if problem.suggestion:
        body["suggestion"] = problem.suggestion
    return Response(
        msgspec.json.encode(body),
        status_code=problem.status,
        media_type="application/problem+json",
        headers=problem.headers,
    )
