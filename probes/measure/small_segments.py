"""The endpoint greeted once more in small packets, after it fell silent.

Where the way there loses large packets, no error says so: connections are made, and each handshake
falls silent. The short greeting fits into one packet, so a censor who reads names in single packets
sees it as usual.
"""

from probes.failure_strings import TIMEOUTS
from probes.measure.connections import Connections
from probes.measure.follow_up_reasons import Reason
from probes.measure.unscrubbed_record import UnscrubbedRecord
from probes.measurement import Hello, TlsObservation

SMALL_SEGMENT = 536
"""Bytes that every IPv4 path carries: RFC 9293, section 3.7.1."""


async def greet_in_small_segments(
    record: UnscrubbedRecord, connections: Connections, host: str, *, verify: bool
) -> None:
    """Greet `host` again, at one address, where every handshake with it timed out."""
    name = host.rstrip(".")
    usual = [
        one
        for one in record.observations
        if isinstance(one, TlsObservation) and not one.reason and one.server_name == name
    ]
    if not usual or not all(one.address and one.failure in TIMEOUTS for one in usual):
        return
    since, silent = len(record.observations), usual[0]
    opened = await connections.connect(silent.address, silent.port, SMALL_SEGMENT)
    if opened is not None:
        await connections.handshake(opened, silent.port, name, verify, Hello.SHORT)
        opened.stream.close()
    record.mark(Reason.SMALL_SEGMENTS, since)
