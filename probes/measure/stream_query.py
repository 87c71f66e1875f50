"""One DNS question that goes over a stream or HTTPS, put on record as an observation."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from probes.layers.dns import answer_of, failure_of_reply
from probes.layers.dns_message import Reply
from probes.measure.unscrubbed_record import UnscrubbedRecord
from probes.measurement import DnsAnswer, DnsObservation
from probes.sockets.failure_mapping import (
    MalformedReplyError,
    PeerClosedError,
    ReportedError,
    failure_of,
)


async def stream_query(
    record: UnscrubbedRecord,
    ask: Callable[[str], Awaitable[Reply]],
    rtype: str,
    *,
    name: str,
    resolver: str,
    transport: str,
    reason: str = "",
) -> DnsObservation:
    """Ask for one record type within the DNS timeout.

    `failure` is set only when no reply came; `with_rcode` sets it from the reply code.
    """
    start = record.elapsed()
    failure: str | None = None
    answers: tuple[DnsAnswer, ...] = ()
    try:
        async with asyncio.timeout(record.settings.dns_timeout):
            reply = await ask(rtype)
    except (OSError, ValueError, PeerClosedError, MalformedReplyError, ReportedError) as error:
        failure = failure_of(error)
    else:
        answers = (answer_of(reply, record.elapsed() - start),)
    return DnsObservation(
        start=start,
        duration=record.elapsed() - start,
        failure=failure,
        reason=reason,
        name=name,
        rtype=rtype,
        resolver=resolver,
        transport=transport,
        answers=answers,
    )


def with_rcode(observation: DnsObservation, *, resolved: bool) -> DnsObservation:
    """The observation with the failure that its reply code stands for, if a reply came.

    `resolved`: any record type of the name has addresses, or may have.
    """
    if not observation.answers:
        return observation
    failure = failure_of_reply(observation.answers[0].rcode, has_addresses=resolved)
    return msgspec.structs.replace(observation, failure=failure)
