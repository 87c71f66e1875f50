"""Errors as RFC 9457 has them: a status, a title, what to do about it, and which parameter."""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

TITLES = {
    400: "Cannot be understood",
    403: "Not for this reader",
    404: "Not there",
    405: "Only for reading",
    500: "Our fault",
    503: "The store does not answer",
}
"""What each status means here."""


class ProblemError(Exception):
    """Ends a request with an answer that says why."""

    def __init__(
        self,
        status: int,
        detail: str,
        parameter: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`parameter` names the one at fault; `headers` go with the answer."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.parameter = parameter
        self.headers = dict(headers or {})


def answer(problem: ProblemError) -> Response:
    """The answer for one problem."""
    body = {
        "type": "about:blank",
        "title": TITLES.get(problem.status, "Refused"),
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.parameter:
        body["parameter"] = problem.parameter
    return Response(
        msgspec.json.encode(body),
        status_code=problem.status,
        media_type="application/problem+json",
        headers=problem.headers,
    )
