"""Agents with keys, and what they send: cycles signed by them and sealed to a collector."""

import gzip
import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import uuid_utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.analysis.verdict import VantageHealth, VantageState
from monitor.keys.keys import fingerprint, public_text
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
from probes.measurement import Measurement
from probes.vantage import VantagePoint, VantageRole
from storage.values.fleet import Enrolment
from storage.values.times import time_text


class Agent(NamedTuple):
    """One vantage and its key."""

    point: VantagePoint
    key: Ed25519PrivateKey

    def enrolment(self, since: datetime) -> Enrolment:
        """As one that has been known for long."""
        public = public_text(self.key)
        return Enrolment(
            vantage=self.point.id,
            country=self.point.country,
            asn=self.point.asn,
            network=self.point.network,
            role=self.point.role.value,
            key=public,
            fingerprint=fingerprint(public),
            enrolled_at=since - timedelta(days=30),
            established_at=since - timedelta(days=30),
        )


class Sent(NamedTuple):
    """One request, and what is in it."""

    headers: Mapping[str, str]
    body: bytes
    measurements: int
    packed: int
    unpacked: int
    """Bytes of the body, before it was sealed and before it was packed."""

    def request(self, *, close: bool = False) -> bytes:
        """It as HTTP, over a connection that stays open unless it is to `close`."""
        lines = [f"POST {BATCHES} HTTP/1.1", "host: c", f"content-length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += ["connection: close"] if close else []
        return "\r\n".join((*lines, "", "")).encode() + self.body


def agent(name: str, country: str, asn: int, role: VantageRole = VantageRole.FIELD) -> Agent:
    """An agent with a key of its own, which is the same in every run."""
    point = VantagePoint(id=name, country=country, asn=asn, network=f"Network {asn}", role=role)
    return Agent(
        point, Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    )


def report(
    of: Agent,
    cycle: str,
    begun: datetime,
    ended: datetime,
    made: tuple[Measurement, ...],
    offset: float = 0.0,
) -> CycleReport:
    """A cycle of a vantage that works, with these measurements; `offset` is that of its clock, in
    seconds."""
    health = VantageHealth(
        vantage=of.point.id,
        country=of.point.country,
        asn=of.point.asn,
        network=of.point.network,
        vantage_role=of.point.role,
        state=VantageState.OK,
        rule_id="vantage.ok",
        references_ok=8,
        references_total=8,
        timeout_rate=0.0,
        families=("ipv4", "ipv6"),
        at=ended,
        measured_at=begun,
    )
    return CycleReport(
        cycle=cycle,
        started_at=begun,
        finished_at=ended,
        offset=offset,
        health=health,
        measurements=made,
    )


def sent(of: Agent, made: CycleReport, sealing: str, at: datetime) -> Sent:
    """A batch of that cycle as it is sent at a moment (UTC), sealed to the key of a collector."""
    batch = Batch(format=FORMAT, vantage=of.point.id, version="0.1.0", reports=(made,))
    body = encode_batch(batch)
    packed = gzip.compress(body, 6)
    headers = signed_headers(
        of.key,
        method="POST",
        path=BATCHES,
        vantage=of.point.id,
        request=str(uuid_utils.uuid7()),
        sent_at=time_text(at),
        encoding="gzip",
        body=packed,
    )
    inside = {**headers, ANSWER_KEY: answer_key_text(new_answer_key()), SPOOL: "0 0"}
    return Sent(
        seal_headers(sealing, inside),
        seal_body(sealing, packed).sealed,
        len(made.measurements),
        len(packed),
        len(body),
    )
