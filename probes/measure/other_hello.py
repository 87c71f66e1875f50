"""The endpoint greeted once more, in another form of TLS greeting, after the usual one worked.

Some boxes read a name only where a greeting fits into one packet, others only where they put
several together. Browsers send long greetings, many apps and older programs short ones: whichever
is cut off, some people are. An innocuous name in the form that failed tells whether the server
takes it.
"""

from collections.abc import Iterable

from probes.catalog.host import is_literal
from probes.measure.connections import Connections
from probes.measure.follow_up_reasons import Reason
from probes.measure.unscrubbed_record import UnscrubbedRecord
from probes.measurement import ONE_PACKET, Hello, TlsObservation


def other_hello(usual: Iterable[TlsObservation]) -> Hello:
    """The form of greeting that differs from these usual ones in its number of packets."""
    known = [o.hello_bytes for o in usual if o.hello_bytes]
    return Hello.PARTS if known and max(known) <= ONE_PACKET else Hello.SHORT


async def greet_otherwise(
    record: UnscrubbedRecord, connections: Connections, host: str, *, verify: bool
) -> None:
    """Greet `host` again where a handshake with it worked."""
    await connections.settle()  # else a family that fails meanwhile would get the reason, too
    name = host.rstrip(".")
    usual = [
        o
        for o in record.observations
        if isinstance(o, TlsObservation) and not o.reason and o.server_name == name
    ]
    worked = [o for o in usual if o.failure is None and o.address]
    if not worked or is_literal(host):
        return
    form = other_hello(usual)

    async def greets(server_name: str, reason: Reason, *, judged: bool) -> bool:
        since = len(record.observations)
        opened = await connections.connect(worked[0].address, worked[0].port)
        answered = opened is not None and await connections.handshake(
            opened, worked[0].port, server_name, judged, form
        )
        if opened is not None:
            opened.stream.close()
        record.mark(reason, since)
        return answered

    innocuous = record.settings.innocuous
    if not await greets(name, Reason.OTHER_HELLO, judged=verify) and innocuous:
        await greets(innocuous, Reason.OTHER_HELLO_INNOCUOUS, judged=False)
