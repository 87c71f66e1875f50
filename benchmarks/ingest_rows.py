"""Signed batches as agents send them: one cycle each, looks of the usual size, no two alike."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import uuid_utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks import store_rows
from benchmarks.signed_batches import Agent, Sent, agent, report, sent
from benchmarks.store_rows import PLATFORMS, Place, look
from monitor.keys.sealing import sealing_key, sealing_text
from probes.measurement import Measurement, Purpose

LOOKS = 60
"""In one cycle."""
FAILING = 0.1
"""Part of the looks at which a layer failed; each is followed by two more."""
LASTS = timedelta(seconds=50)
"""From the start of a cycle to its end."""
LATENCIES = (0.02, 0.2)
COLLECTOR = Ed25519PrivateKey.from_private_bytes(b"collector".ljust(32, b"."))
"""The key of the collector that all is sealed to."""


def agents() -> list[Agent]:
    """One for each of twenty places."""
    return [agent(place.vantage, place.country, place.asn) for place in store_rows.PLACES]


def batches(of: Agent, number: int, rng: random.Random) -> Iterator[Sent]:
    """That many of one agent, the newest cycle begun a minute ago, each an interval after the one
    before."""
    first = datetime.now(UTC) - store_rows.INTERVAL * number - timedelta(minutes=1)
    place = Place(of.point.country, of.point.asn, of.point.id)
    for n in range(number):
        cycle, begun = str(uuid_utils.uuid7()), first + store_rows.INTERVAL * n
        looks = tuple(_looks(place, cycle, begun, rng))
        made = report(of, cycle, begun, begun + LASTS, looks, rng.uniform(-2, 2))
        yield sent(of, made, sealing_text(sealing_key(COLLECTOR)), datetime.now(UTC))


def _looks(place: Place, cycle: str, at: datetime, rng: random.Random) -> Iterator[Measurement]:
    made = 0
    while made < LOOKS:
        one = look(place, rng.choice(PLATFORMS), rng.randrange(8))
        failing = rng.random() < FAILING
        kinds = (
            (Purpose.SCHEDULED, Purpose.RETRY, Purpose.FOLLOW_UP)
            if failing
            else (Purpose.SCHEDULED,)
        )
        for attempt, kind in enumerate(kinds, 1):
            yield varied(one, cycle, at, kind, attempt, failing=failing, rng=rng)
            made += 1


def varied(
    one: Measurement,
    cycle: str,
    at: datetime,
    kind: Purpose,
    attempt: int,
    *,
    failing: bool,
    rng: random.Random,
) -> Measurement:
    """The look with times, digests and addresses of its own, cut off at TLS where it fails."""
    seen = [
        msgspec.structs.replace(
            layer, start=round(rng.uniform(0, 1), 6), duration=round(rng.uniform(*LATENCIES), 6)
        )
        for layer in one.observations
    ]
    if failing:
        seen = seen[:6]
        seen[2] = msgspec.structs.replace(seen[2], failure="connection_reset")
        seen[5] = msgspec.structs.replace(seen[5], failure="connection_reset")
    else:
        seen[-1] = msgspec.structs.replace(
            seen[-1],
            body_sha256=rng.randbytes(32).hex(),
            headers=(
                ("content-type", "text/html; charset=utf-8"),
                ("server", "made-up"),
                ("date", at.strftime("%a, %d %b %Y %H:%M:%S GMT")),
                ("set-cookie", f"id={rng.randbytes(12).hex()}; Path=/; Secure; HttpOnly"),
            ),
        )
    return msgspec.structs.replace(
        one,
        id=str(uuid_utils.uuid7()),
        cycle=cycle,
        look=kind,
        attempt=attempt,
        started_at=at + timedelta(seconds=rng.uniform(0, 45)),
        duration=round(rng.uniform(0.2, 1.5), 6),
        observations=tuple(seen),
        reached=not failing,
    )
