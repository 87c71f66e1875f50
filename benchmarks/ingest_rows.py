"""Signed batches as agents send them: one cycle each, looks of the usual size, no two alike."""

import gzip
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
import uuid_utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks import store_rows
from benchmarks.store_rows import PLATFORMS, Place, look
from monitor.analysis.verdict import VantageHealth, VantageState
from monitor.keys.keys import fingerprint, public_text
from monitor.keys.sealing import sealing_key, sealing_text
from monitor.wire.answers import BATCHES
from monitor.wire.batch import FORMAT, Batch, CycleReport, encode_batch
from monitor.wire.envelope import (
    ANSWER_KEY,
    SPOOL,
    answer_key_text,
    new_answer_key,
    seal_body,
    seal_headers,
)
from monitor.wire.signing import signed_headers
from probes.measurement import Measurement, Purpose
from storage.values.fleet import Enrolment
from storage.values.times import time_text

LOOKS = 60
"""In one cycle."""
FAILING = 0.1
"""Part of the looks at which a layer failed; each is followed by two more."""
LATENCIES = (0.02, 0.2)
COLLECTOR = Ed25519PrivateKey.from_private_bytes(b"collector".ljust(32, b"."))
"""The key of the collector that all is sealed to."""


class Agent(NamedTuple):
    """One vantage and its key."""

    place: Place
    key: Ed25519PrivateKey

    @property
    def enrolment(self) -> Enrolment:
        """As it stands in the database."""
        public = public_text(self.key)
        return Enrolment(
            vantage=self.place.vantage,
            country=self.place.country,
            asn=self.place.asn,
            network=f"Network {self.place.asn}",
            role="field",
            key=public,
            fingerprint=fingerprint(public),
            enrolled_at=datetime.now(UTC),
        )


class Sent(NamedTuple):
    """One request, ready for the wire, and what is in it."""

    request: bytes
    measurements: int
    packed: int
    unpacked: int
    """Bytes of the body, as sealed and as read."""


def agents() -> list[Agent]:
    """One for each of twenty places."""
    return [Agent(place, Ed25519PrivateKey.generate()) for place in store_rows.PLACES]


def batches(agent: Agent, number: int, rng: random.Random) -> Iterator[Sent]:
    """That many of one agent, the newest cycle begun a minute ago, each an interval after the one
    before."""
    first = datetime.now(UTC) - store_rows.INTERVAL * number - timedelta(minutes=1)
    for n in range(number):
        yield _sent(agent, first + store_rows.INTERVAL * n, rng)


def _sent(agent: Agent, at: datetime, rng: random.Random) -> Sent:
    report = _report(agent.place, at, rng)
    batch = Batch(format=FORMAT, vantage=agent.place.vantage, version="0.1.0", reports=(report,))
    body = encode_batch(batch)
    packed = gzip.compress(body, 6)
    headers = signed_headers(
        agent.key,
        method="POST",
        path=BATCHES,
        vantage=agent.place.vantage,
        request=str(uuid_utils.uuid7()),
        sent_at=time_text(datetime.now(UTC)),
        encoding="gzip",
        body=packed,
    )
    inside = {**headers, ANSWER_KEY: answer_key_text(new_answer_key()), SPOOL: "0 0"}
    public = sealing_text(sealing_key(COLLECTOR))
    sealed = seal_body(public, packed).sealed
    (header,) = seal_headers(public, inside).items()
    head = (
        f"POST {BATCHES} HTTP/1.1\r\nhost: c\r\ncontent-length: {len(sealed)}\r\n"
        f"{': '.join(header)}\r\n\r\n"
    )
    return Sent(head.encode() + sealed, len(report.measurements), len(packed), len(body))


def _report(place: Place, at: datetime, rng: random.Random) -> CycleReport:
    cycle = str(uuid_utils.uuid7())
    looks = tuple(_looks(place, cycle, at, rng))
    health = VantageHealth(
        vantage=place.vantage,
        country=place.country,
        asn=place.asn,
        network=f"Network {place.asn}",
        state=VantageState.OK,
        rule_id="vantage.ok",
        references_ok=8,
        references_total=8,
        timeout_rate=0.05,
        families=("ipv4", "ipv6"),
        at=at,
    )
    return CycleReport(
        cycle=cycle,
        started_at=at,
        finished_at=at + timedelta(seconds=50),
        offset=rng.uniform(-2, 2),
        health=health,
        measurements=looks,
    )


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
