"""What agents hand in and people decide of them, for the stores to keep; small, and the same on
every call."""

import hashlib
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from probes.measurement import REFERENCE_PLATFORM, Measurement, Purpose
from probes.vantage import VantageRole
from storage.values.cycle import Cycle
from storage.values.fleet import (
    Enrolment,
    Invitation,
    Quarantine,
    ReceivedBatch,
    SeenCycle,
    WaitingCycle,
)
from tests.contract.cycles import PLAIN, at, cycle, measurement


def batch(
    number: int,
    *,
    vantage: str = "khi-ptcl",
    country: str = "PK",
    body: bytes = b"\x1f\x8b\x00 as it was sent",
    seconds: float | None = None,
) -> ReceivedBatch:
    """Batch `number` of one vantage, received five minutes after the one before."""
    return ReceivedBatch(
        country=country,
        vantage=vantage,
        id=f"batch-{vantage}-{number:06}",
        fingerprint="ab" * 32,
        sent_at="2024-02-17T12:00:00.000000Z",
        encoding="gzip",
        signature="c2lnbmVk",
        body_sha256=hashlib.sha256(body).hexdigest(),
        body=body,
        received_at=at(number * 300.0 + 90 if seconds is None else seconds),
    )


def seen(whole: Cycle, *, hurried: bool = False, backfilled: bool = False) -> SeenCycle:
    """What was seen in a cycle, with nothing that was concluded."""
    return SeenCycle(
        country=whole.country,
        id=whole.id,
        vantage=whole.vantage,
        started_at=whole.started_at,
        finished_at=whole.finished_at,
        health=whole.health,
        hurried=hurried,
        backfilled=backfilled,
        measurements=whole.measurements,
    )


def waits(whole: SeenCycle, came: ReceivedBatch) -> WaitingCycle:
    """How a cycle waits that came in a batch."""
    return WaitingCycle(
        country=whole.country,
        id=whole.id,
        vantage=whole.vantage,
        started_at=whole.started_at,
        finished_at=whole.finished_at,
        received_at=came.received_at,
        health=whole.health,
        hurried=whole.hurried,
        backfilled=whole.backfilled,
    )


def seen_cycle(number: int, *, vantage: str = "khi-ptcl", country: str = "PK") -> SeenCycle:
    """What was seen in `tests.contract.cycles.cycle` of that number."""
    return seen(cycle(number, vantage=vantage, country=country))


def control_look(
    number: int,
    seconds: float,
    *,
    cycle: str = "",
    vantage: str = "ams",
    look: Purpose = Purpose.CONTROL,
    endpoint: str = "https://x.com/0",
) -> Measurement:
    """One look of a control, begun `seconds` after START."""
    made = measurement(
        f"control-{vantage}-{number:06}",
        seconds,
        cycle=cycle,
        country="NL",
        vantage=vantage,
        look=look,
        endpoint=endpoint,
        platform=REFERENCE_PLATFORM if look is Purpose.REFERENCE else "x",
        asn=1136,
        network="KPN",
    )
    return replace(made, vantage_role=VantageRole.CONTROL.value)


def enrolment(
    number: int = 1, seconds: float = 0.0, *, vantage: str = "khi-ptcl", network: str = "PTCL"
) -> Enrolment:
    """Key `number`, enrolled `seconds` after START."""
    return Enrolment(
        vantage=vantage,
        country="PK",
        asn=17557,
        network=network,
        role="field",
        profile="quiet",
        key=f"key-{number}",
        fingerprint=hashlib.sha256(f"key-{number}".encode()).hexdigest(),
        enrolled_at=at(seconds),
    )


def invitation(
    number: int = 1, seconds: float = 0.0, *, vantage: str = "khi-ptcl", network: str = "PTCL"
) -> Invitation:
    """Invitation `number`, made `seconds` after START, for an hour."""
    return Invitation(
        digest=hashlib.sha256(f"secret-{number}".encode()).hexdigest(),
        vantage=vantage,
        country="PK",
        asn=17557,
        network=network,
        role="field",
        profile="quiet",
        held_by="host-7",
        made_at=at(seconds),
        expires_at=at(seconds + 3600),
    )


def quarantine(vantage: str = "khi-ptcl", *, reason: str = PLAIN) -> Quarantine:
    """A person's decision to leave a vantage out from START on."""
    return Quarantine(
        vantage=vantage, country="PK", since=at(0), until=None, reason=reason, at=at(7)
    )


def ids(looks: Sequence[Measurement | WaitingCycle | ReceivedBatch]) -> list[str]:
    """Of what was found, in its order."""
    return [one.id for one in looks]


def by_start(looks: Iterable[Measurement]) -> list[Measurement]:
    """As stores list them."""
    return sorted(looks, key=lambda look: (look.started_at, look.country, look.id))
