"""Whatever is sent, a collector answers with a status of its own and never falls over."""

import asyncio
import copy
import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as examples_of
from hypothesis import strategies as st
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from monitor.collector.batch_checks import frame_of, read_batch
from monitor.config.load import default_settings
from monitor.export.kinds import EXPORTS
from monitor.keys.keys import public_text
from monitor.metrics.scrapes import create_registry
from monitor.wire.answers import BATCHES, CONTROLS, ENROLMENT, SETTINGS, STATUS, TIME
from monitor.wire.batch import ENCODINGS, MOST_UNPACKED, Batch, encode_batch
from monitor.wire.envelope import SEALED
from monitor.wire.invitation import INVITATION, PUBLIC
from monitor.wire.refusal import Refused
from monitor.wire.unpacking import unpack
from probes.measure.follow_up_reasons import Reason
from probes.measurement import (
    LAYER_OF,
    TRANSFER_TARGET,
    AnyObservation,
    AppObservation,
    EgressObservation,
    Hello,
    Layer,
    Purpose,
    TransferObservation,
)
from storage.open_store import sql_store
from storage.values.zstandard import zstd
from tests.collector.world import (
    NOW,
    OTHER_KEY,
    Collector,
    batch,
    collecting,
    enrolment,
    good_request,
    health,
    measurement,
    refusal,
    report,
    request,
    sealed_request,
    settings,
)
from tests.contract.listing import EVERYTHING
from tests.properties import examples
from tests.worlds.build import V4, dns, http, quic, tcp, tls
from tests.worlds.collector_world import Clock, leading, publisher_of
from tests.worlds.http_client import httpx

FRAME = frame_of(NOW, 300.0, 90 * 86400.0)
ODD: tuple[object, ...] = (
    *(None, True, False, 0, -1, 10**30, 1.5, -0.0, 1e308, "", "x" * 5000, "\0", "\u202e", [], {}),
    *("2026-03-01T12:00:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", [[]], [None]),
)
"""Values where others are expected."""


EVERY_KIND: tuple[AnyObservation, ...] = (
    EgressObservation(start=0.0, duration=0.1, failure="connection_refused", reply="5"),
    dns(),
    msgspec.structs.replace(tcp("generic_timeout_error"), routers=2, ways=4, reason=Reason.WAY),
    tcp(),
    msgspec.structs.replace(tls(), hello=Hello.PARTS, hello_bytes=1700, reason=Reason.OTHER_HELLO),
    tls("connection_reset"),
    http(
        "http_invalid_redirect_location_host", headers=(("server", "x"),), body="<title>no</title>"
    ),
    quic("generic_timeout_error"),
    AppObservation(start=0.4, duration=0.1, address=V4, protocol="mtproto", port=443),
    TransferObservation(
        start=0.5,
        duration=9.0,
        reason=TRANSFER_TARGET,
        url="https://x.com/",
        address=V4,
        server_name="x.com",
        bytes_before=4000,
        bytes_wanted=131072,
        bytes_read=16384,
        marks=((0.1, 4096), (0.2, 16384)),
        held_up=0.01,
    ),
)
"""Every kind of observation, with the fields of today's format that differ from the usual."""
PROOF = f"{43 * 'A'}="
"""Of no invitation."""
NEW = (
    *("routers", "ways", "hello", "hello_bytes", "bytes_before", "held_up", "marks", "passing"),
    *("nat64", "exit_country", "exit_asn", "clock_skew", "offset", "hurried", "not_observed"),
)
"""Fields that must be among them."""


def every_kind() -> Batch:
    """A batch of a cycle with looks of every purpose, in a country where a list passes."""
    one = report(
        health=health(
            state="allowlist",
            passing=("x.com",),
            nat64=("64:ff9b::/96",),
            exit_country="DE",
            exit_asn=3320,
            clock_skew=1.5,
        ),
        offset=0.25,
        hurried=True,
    )
    x = next(each for each in default_settings().catalog.platforms if each.name == "x")
    places = [(f.name, e.id) for f in x.functions for e in f.endpoints]
    purposes = [Purpose.SCHEDULED, Purpose.RETRY, Purpose.FOLLOW_UP, Purpose.TRANSFER]
    looks = [
        measurement(
            one.cycle,
            look=purpose,
            function=function,
            endpoint=endpoint,
            attempt=1 + number,
            reached=purpose is Purpose.TRANSFER,
            observations=EVERY_KIND,
            not_observed=(Layer.QUIC,),
        )
        for function, endpoint in places[:2]
        for number, purpose in enumerate(purposes)
    ]
    return batch(msgspec.structs.replace(one, measurements=tuple(looks)))


def mutated(rng: random.Random) -> bytes:
    """A whole batch in which one to three things are other than they should be."""
    document = json.loads(encode_batch(every_kind()))
    for _ in range(rng.randint(1, 3)):
        holder, key = _place(document, rng)
        what = rng.random()
        if what < 0.6:
            # A copy, or the next change would be to ODD itself.
            holder[key] = copy.deepcopy(rng.choice(ODD))
        elif what < 0.8 and isinstance(holder, dict):
            del holder[key]
        else:
            other, its = _place(document, rng)
            holder[key] = json.loads(json.dumps(other[its])) if other is not holder else []
    return json.dumps(document).encode()


def _place(document: Any, rng: random.Random) -> tuple[Any, Any]:
    """A place in a document, all of a whole one alike: what holds it, and under which key. One that
    an earlier change removed is not chosen."""
    while True:
        holder, (*path, last) = document, rng.choice(_paths())
        try:
            for key in path:
                holder = holder[key]
            holder[last]
        except (LookupError, TypeError):
            continue
        if isinstance(holder, dict | list):
            return holder, last


@cache
def _paths() -> list[tuple[Any, ...]]:
    """The way to every place in a whole batch: they are the same in each."""
    found: list[tuple[Any, ...]] = []

    def add(value: Any, path: tuple[Any, ...]) -> None:
        for key in value if isinstance(value, dict) else range(len(value)):
            found.append((*path, key))
            if isinstance(value[key], dict | list):
                add(value[key], (*path, key))

    add(json.loads(encode_batch(every_kind())), ())
    return found


def broken(rng: random.Random, body: bytes) -> bytes:
    """Bytes with a few of them changed, lost or doubled."""
    text = bytearray(body)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text))
        change: Callable[[], None] = rng.choice(
            [
                lambda at=at: text.__setitem__(at, rng.randrange(256)),
                lambda at=at: text.__delitem__(slice(at, at + rng.randrange(1, 50))),
                lambda at=at: text.__setitem__(slice(at, at), text[at : at + 20]),
            ]
        )
        change()
        if not text:
            break
    return bytes(text)


def taken_or_refused(body: bytes) -> bool:
    """Whether a body would be taken; anything but a refusal is a fault."""
    try:
        read_batch(body, enrolment(), FRAME)
    except Refused:
        return False
    return True


@given(st.integers(0, 2**32))
@examples_of(max_examples=examples(400))
def test_a_mutated_batch_is_taken_or_refused(seed: int) -> None:
    """Values of other kinds, missing fields and parts in wrong places are no fault of ours."""
    taken_or_refused(mutated(random.Random(seed)))


@given(st.integers(0, 2**32))
@examples_of(max_examples=examples(200))
def test_a_broken_batch_is_taken_or_refused(seed: int) -> None:
    """Neither are changed, lost and doubled bytes."""
    rng = random.Random(seed)
    taken_or_refused(broken(rng, encode_batch(every_kind())))


@given(st.binary(max_size=300), st.sampled_from(ENCODINGS))
@examples_of(max_examples=examples(400))
def test_any_bytes_are_unpacked_or_refused(body: bytes, encoding: str) -> None:
    """Whatever is said to be gzip or zstd is that, or refused."""
    try:
        unpacked = unpack(body, encoding, MOST_UNPACKED)
    except Refused:
        return
    assert len(unpacked) <= MOST_UNPACKED


def test_the_fuzzer_reaches_what_is_taken_and_what_is_refused() -> None:
    """It is no fuzzer that only ever sees one of the two, or leaves out a kind or a field."""
    whole = encode_batch(every_kind())
    assert taken_or_refused(whole)
    kinds = {type(one) for one in EVERY_KIND}
    assert kinds == set(LAYER_OF)
    assert [name for name in NEW if f'"{name}"'.encode() not in whole] == []
    found = {taken_or_refused(mutated(random.Random(seed))) for seed in range(200)}
    assert found == {True, False}


async def _ask(collector: Collector, rng: random.Random) -> httpx.Response:
    """One request of some kind, signed or nearly so."""
    body = mutated(rng) if rng.random() < 0.7 else broken(rng, encode_batch(batch()))
    path = rng.choice([BATCHES, BATCHES, BATCHES, CONTROLS, ENROLMENT, SETTINGS, TIME])
    method = "POST" if path in (BATCHES, CONTROLS, ENROLMENT) else "GET"
    encoding = rng.choice(["gzip", "identity", "zstd", "zstd", "br"])
    if encoding == "zstd":
        body = zstd.compress(body)
    headers, packed = request(body, path=path, method=method, encoding=encoding)
    if path == ENROLMENT:
        headers |= {INVITATION: PROOF, PUBLIC: public_text(OTHER_KEY)}
    for name in list(headers):
        what = rng.random()
        if what < 0.02:
            del headers[name]
        elif what < 0.06:
            headers[name] = rng.choice(
                ["", "x", "0", "9" * 3000, headers[name][::-1], "caf\xe9", "a, b"]
            )
    if rng.random() < 0.1:
        packed = broken(rng, packed)
    outside, sealed = sealed_request(headers, packed)
    if rng.random() < 0.1:
        sealed = broken(rng, sealed or b"x")
    if rng.random() < 0.1:
        odd = ("", "x", "9" * 5000, outside[SEALED][::-1], "caf\xe9", "a, b")
        outside[SEALED] = rng.choice(odd)
    raw = [(name.encode(), value.encode("latin-1")) for name, value in outside.items()]
    query = rng.choice(["", "", "", "", "?a=1", "?%00"])
    return await collector.client.request(method, path + query, headers=raw, content=sealed)


async def test_attack_what_is_taken_can_be_judged_stored_and_shown(tmp_path: Path) -> None:
    """A value that is taken and that the judge, the database, the page or the metrics then fail on
    would leave a country without verdicts, or without a page. Hundreds of mutated batches that are
    taken are judged by a collector's leader, each by its rules, and read back in every form."""
    rng = random.Random(7)
    used = msgspec.structs.replace(settings(), interval=300.0)
    clock = Clock()
    clock.at = NOW
    store = sql_store(f"sqlite:///{tmp_path}/judged.db")
    publisher = publisher_of(used, clock)
    with capture_logs() as log:
        async with collecting(store=store, used=used) as collector:
            taken = 0
            while taken < 150:
                body = mutated(rng)
                if taken_or_refused(body):
                    response = await collector.send(*request(body))
                    assert response.status_code in (200, 409), response.text
                    taken += response.status_code == 200
                    collector.clock.now += 60
            async with leading(used, store, clock, publisher):
                async with asyncio.timeout(120):
                    while await store.waiting(1):  # noqa: ASYNC110 # it tells nobody
                        await asyncio.sleep(0.05)
            assert b"shutwatch_" in generate_latest(create_registry(publisher))
            for export in EXPORTS.values():
                rows = [row async for some in export.batches(store, EVERYTHING) for row in some]
                for row in rows:
                    assert [column.value(export.prepare(row)) for column in export.columns]
    failed = [one for one in log if one["log_level"] in ("error", "critical")]
    assert not failed, failed[0]


@pytest.mark.parametrize("seed", range(3))
async def test_no_request_makes_a_collector_fail(seed: int, tmp_path: Path) -> None:
    """Hundreds of requests over HTTP, each wrong in its own way: every answer is a receipt or a
    refusal with the status of its reason, the database takes all that is let through, and a good
    batch is taken after."""
    rng = random.Random(seed)
    async with collecting(store=sql_store(f"sqlite:///{tmp_path}/fuzz.db")) as collector:
        statuses = set()
        for _ in range(100):
            response = await _ask(collector, rng)
            collector.clock.now += 60
            assert response.status_code < 500, response.text
            if response.status_code != 200:
                refused = refusal(response)
                assert STATUS[refused.reason] == response.status_code
            statuses.add(response.status_code)
        assert len(statuses) >= 3
        assert (await collector.send(*good_request())).status_code == 200
