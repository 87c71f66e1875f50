"""Why a service did not take a message, from known signs only: neither the address nor the
service's own words, which may repeat secrets."""

import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping

NOT_TAKEN = "the service did not accept it"
NOT_REACHED = "no connection to the service"
SILENT = "no answer from the service in time"
_MESSAGE = "the service refused the message"
_BUSY = "the service is busy"
_FAULT = "the service has a fault of its own"
_REFUSED = "the service refused the token or password"
_BY_STATUS: Mapping[int, str] = {
    401: _REFUSED,
    403: "the service forbids it",
    404: "the service knows no such address",
    408: _BUSY,
    410: "the service knows no such address",
    429: _BUSY,
}


def by_status(status: int) -> str:
    """Why, where the service answered with this HTTP status."""
    shown = f"(HTTP status {status})"
    if 300 <= status < 400:
        return f"the service redirects messages to another address {shown}: write that one instead"
    if status >= 500:
        return f"{_FAULT} {shown}"
    return f"{_BY_STATUS.get(status, _MESSAGE)} {shown}"


def by_error(error: BaseException | None) -> str:
    """Why, where this error ended the attempt; empty where it tells nothing."""
    # What a library raises itself is an OSError too: the first one knows most.
    first = next((one for one in reversed([*_causes(error)]) if isinstance(one, OSError)), None)
    if first is None:
        return ""
    if isinstance(first, smtplib.SMTPException):
        return _REFUSED if isinstance(first, smtplib.SMTPAuthenticationError) else ""
    if isinstance(first, socket.gaierror):
        return f"{NOT_REACHED} (its name does not resolve)"
    if isinstance(first, ssl.SSLError):
        untrusted = isinstance(first, ssl.SSLCertVerificationError)
        why = "its certificate is not valid" if untrusted else "the port may speak none"
        return f"no TLS connection to the service ({why})"
    if isinstance(first, TimeoutError):
        return SILENT
    return f"{NOT_REACHED} ({first.strerror.lower()})" if first.strerror else ""


def passes(reason: str) -> bool:
    """Whether the service may take the same message later, though nobody changes anything."""
    return reason.startswith((_BUSY, _FAULT, SILENT, "no answer within "))


def of_message(reason: str) -> bool:
    """Whether the service may take another message all the same."""
    return reason.startswith((_MESSAGE, NOT_TAKEN))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
