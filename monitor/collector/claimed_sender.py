"""The sender that a request claims, and the time of sending."""

from datetime import datetime

import msgspec
from starlette.requests import Request

from monitor.collector.batch_checks import is_id
from monitor.wire.answers import AGE_LIMIT, Reason
from monitor.wire.refusal import Refused, malformed
from monitor.wire.signing import Claim, IncompleteError, claim_of
from storage.values.fleet import Enrolment
from storage.values.times import text_time, time_text


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """The sender of a request whose signature was checked."""

    claim: Claim
    enrolment: Enrolment
    began: float
    """When the request came, in seconds of the collector's own clock."""


def claim_in(request: Request) -> Claim:
    """What a request claims about itself. Refused when it is incomplete."""
    if request.scope["query_string"]:
        raise malformed("nothing here has a query")
    try:
        claim = claim_of(request.method, request.scope["path"], request.headers)
    except IncompleteError as error:
        raise malformed(f"the header {error} is missing, or is none") from None
    if not is_id(claim.request):
        raise malformed("the id of the request is no UUID")
    return claim


def check_age(sent_at: str, now: datetime) -> None:
    """Refused for a time of sending that is too old, in the future, or malformed."""
    sent = _moment(sent_at)
    if sent is None:
        raise malformed("the time of sending is not of the form 2026-01-02T03:04:05.678901Z")
    age = (now - sent).total_seconds()
    if age > AGE_LIMIT:
        raise Refused(Reason.STALE, f"sent more than {AGE_LIMIT:.0f} seconds ago")
    if age < -AGE_LIMIT:
        raise Refused(Reason.FUTURE, f"sent more than {AGE_LIMIT:.0f} seconds from now")


def _moment(written: str) -> datetime | None:
    """The time, if it has the canonical form."""
    try:
        found = text_time(written)
        return found if time_text(found) == written else None
    except (ValueError, OverflowError):
        return None
