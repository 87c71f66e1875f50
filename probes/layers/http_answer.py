"""What an HTTP answer counts for, and what of it is kept as evidence."""

import hashlib
from collections.abc import Iterable

import msgspec

from probes.catalog.catalog import Endpoint
from probes.layers.http import UNAVAILABLE_FOR_LEGAL_REASONS, Exchange
from probes.layers.scrub import Scrubber
from probes.measurement import HttpObservation

_KEPT_BODY = 16 * 1024
"""Characters of a suspicious body that are kept as evidence."""
_KEPT_TITLE = 200
"""Characters of a title that are kept."""
_ORDINARY_HEADERS = frozenset(
    {"content-type", "content-length", "date", "location", "server", "via", "alt-svc"}
)
"""Kept of a healthy answer; of a suspicious one every header is."""
_NEVER_KEPT = frozenset({"set-cookie"})
"""Cookies identify the visitor; that one was set is kept, its value is not."""


def as_stated(endpoint: Endpoint, answer: Exchange) -> bool:
    """Whether the answer is what the catalogue says it must be; True when it says nothing."""
    if endpoint.expect_status and answer.status not in endpoint.expect_status:
        return False
    return endpoint.expect_body.encode() in answer.body


def trustworthy(endpoint: Endpoint, last_url: str, answer: Exchange) -> bool:
    """Whether the last answer proves reach by itself.

    Over verified TLS any status does, except the one that says the law forbids it. In cleartext
    only an answer the catalogue spells out does: anyone on the path could have written another.
    """
    if last_url.startswith("https:"):
        return answer.status != UNAVAILABLE_FOR_LEGAL_REASONS
    return bool(endpoint.expect_status or endpoint.expect_body)


def with_content(
    observation: HttpObservation,
    answer: Exchange,
    scrubber: Scrubber,
    own: Iterable[str],
    *,
    suspicious: bool,
) -> HttpObservation:
    """The observation with what the answer held, none of it showing the vantage's address.

    `own`: the vantage's addresses.
    """
    body, text = answer.body, ""
    if suspicious:
        text = scrubber.text(body.decode("utf-8", "replace"))
        digest = hashlib.sha256(text.encode()).hexdigest()
    else:
        # Scrubbing every healthy page would cost more than the look; its digest must only not
        # depend on our own address.
        for address in own:
            body = body.replace(address.encode(), b"")
        digest = hashlib.sha256(body).hexdigest()
    kept = tuple(
        (name, "" if name in _NEVER_KEPT else value)
        for name, value in answer.headers
        if suspicious or name in _ORDINARY_HEADERS
    )
    return msgspec.structs.replace(
        observation,
        title=scrubber.text(answer.title)[:_KEPT_TITLE],
        headers=kept,
        location=answer.header("location"),
        body_length=len(answer.body),
        body_truncated=answer.truncated,
        body_sha256=digest if answer.status else "",
        body=text[:_KEPT_BODY],
    )
