"""Every kind of forged or broken batch that is known, each with the reason it is refused for.

docs/poisoning.md, which is made from them, lists them by reason.
"""

import gzip
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from monitor.wire.answers import BATCHES, Reason
from monitor.wire.batch import FORMAT, MOST_PACKED, MOST_UNPACKED, encode_batch
from monitor.wire.signing import KEY, REQUEST, SENT, VANTAGE, signed_headers
from probes.measurement import Purpose
from storage.values.times import time_text
from storage.values.zstandard import zstd
from tests.collector import world
from tests.collector.world import (
    NOW,
    OTHER_KEY,
    batch,
    good_request,
    health,
    measurement,
    new_id,
    report,
    request,
)
from tests.worlds.build import dns, http, tcp

Request = tuple[dict[str, str], bytes]


class Forged(NamedTuple):
    """One kind."""

    words: str
    reason: Reason
    make: Callable[[], Request]


def _of(report_or_reports: Any = None, **changed: Any) -> Request:
    reports = (report_or_reports,) if report_or_reports is not None else ()
    return request(encode_batch(batch(*reports, **changed)))


def _with(**changed: Any) -> Request:
    """One measurement with some fields changed."""
    cycle = new_id()
    made = measurement(**{"cycle": cycle, **changed})
    return _of(report(cycle=cycle, measurements=(made,)))


def _health(**changed: Any) -> Request:
    return _of(report(health=health(**changed)))


def _altered(change: Callable[[dict[str, Any]], None]) -> Request:
    """A batch whose JSON was changed before it was signed."""
    document = json.loads(encode_batch(batch()))
    change(document)
    return request(json.dumps(document).encode())


def _replaced(old: bytes, new: bytes) -> Request:
    """A batch with some bytes of its JSON replaced before it was signed."""
    body = encode_batch(batch())
    assert old in body
    return request(body.replace(old, new, 1))


def _header(name: str, value: str | None) -> Request:
    headers, body = good_request()
    return {k: v for k, v in {**headers, name: value}.items() if v is not None}, body


def _set(path: str, value: Any) -> Request:
    """A batch with one value of its JSON replaced; `path` as in `reports.0.cycle`."""

    def change(document: dict[str, Any]) -> None:
        *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
        inner: Any = document
        for step in steps:
            inner = inner[step]
        inner[last] = value

    return _altered(change)


def _tampered() -> Request:
    headers, body = good_request()
    return headers, body[:-1] + bytes([body[-1] ^ 1])


def _swapped() -> Request:
    return good_request()[0], good_request()[1]


def _other_path() -> Request:
    return good_request(path="/agent/v1/controls")


def _zstd(packed: bytes) -> Request:
    return request(packed, encoding="zstd")


def _raw_gzip(packed: bytes) -> Request:
    """Signed as gzip, whatever it is."""
    headers = signed_headers(
        world.AGENT_KEY,
        method="POST",
        path=BATCHES,
        vantage="khi-ptcl",
        request=new_id(),
        sent_at=time_text(NOW),
        encoding="gzip",
        body=packed,
    )
    return headers, packed


def _twice() -> Request:
    cycle = new_id()
    made = measurement(cycle)
    return _of(report(cycle=cycle, measurements=(made, made)))


def _other_cycle() -> Request:
    return _of(report(measurements=(measurement(new_id()),)))


def _cycle_twice() -> Request:
    cycle = new_id()
    return request(encode_batch(batch(report(cycle=cycle), report(cycle=cycle))))


def _long(value: str, times: int) -> str:
    return value * times


def _at(moment: datetime) -> Request:
    """A cycle that ended then."""
    cycle = new_id()
    return _of(
        report(
            cycle=cycle,
            started_at=moment - timedelta(seconds=50),
            finished_at=moment,
            health=health(at=moment),
            measurements=(measurement(cycle, started_at=moment - timedelta(seconds=40)),),
        )
    )


_BOMB = b" " * (MOST_UNPACKED + 1)
_YEAR = timedelta(days=365)

FORGED: dict[str, Forged] = {
    # -- who says so -----------------------------------------------------------------
    "stranger": Forged(
        "an unenrolled key",
        Reason.UNKNOWN_KEY,
        lambda: good_request(key=OTHER_KEY),
    ),
    "unknown_vantage": Forged(
        "an unknown vantage",
        Reason.UNKNOWN_KEY,
        lambda: good_request(vantage="nowhere"),
    ),
    "another_vantages_key": Forged(
        "another vantage than the key's",
        Reason.UNKNOWN_KEY,
        lambda: good_request(vantage="lhe-zong", key=world.AGENT_KEY),
    ),
    "revoked": Forged(
        "a revoked key",
        Reason.REVOKED_KEY,
        lambda: good_request(key=world.REVOKED_KEY, vantage="isb-nayatel"),
    ),
    "claimed_key": Forged(
        "an enrolled key named, signed by another",
        Reason.BAD_SIGNATURE,
        lambda: (
            {**good_request(key=OTHER_KEY)[0], KEY: good_request()[0][KEY]},
            good_request()[1],
        ),
    ),
    "tampered_body": Forged("one bit of the body changed", Reason.BAD_SIGNATURE, _tampered),
    "swapped_body": Forged("the body of another batch", Reason.BAD_SIGNATURE, _swapped),
    "changed_id": Forged(
        "another id than signed",
        Reason.BAD_SIGNATURE,
        lambda: _header(REQUEST, new_id()),
    ),
    "changed_time": Forged(
        "another time of sending than signed",
        Reason.BAD_SIGNATURE,
        lambda: _header(SENT, time_text(NOW - timedelta(seconds=1))),
    ),
    "changed_encoding": Forged(
        "another encoding than signed",
        Reason.BAD_SIGNATURE,
        lambda: _header("content-encoding", "zstd"),
    ),
    "other_path": Forged("another route than signed", Reason.BAD_SIGNATURE, _other_path),
    "no_signature": Forged(
        "no signature", Reason.MALFORMED, lambda: _header("shutwatch-signature", None)
    ),
    "garbled_signature": Forged(
        "a signature that is none",
        Reason.BAD_SIGNATURE,
        lambda: _header("shutwatch-signature", "AAAA"),
    ),
    "no_vantage": Forged(
        "no header of the vantage", Reason.MALFORMED, lambda: _header(VANTAGE, None)
    ),
    "request_id": Forged(
        "an id that is no UUID", Reason.MALFORMED, lambda: good_request(identity="1")
    ),
    "time_form": Forged(
        "a time of sending in another form",
        Reason.BAD_SIGNATURE,
        lambda: _header(SENT, "2026-03-01T12:00:00+00:00"),
    ),
    # -- when ------------------------------------------------------------------------
    "stale": Forged(
        "a time of sending six minutes ago",
        Reason.STALE,
        lambda: good_request(sent_at=NOW - timedelta(minutes=6)),
    ),
    "sent_later": Forged(
        "a time of sending six minutes from now",
        Reason.FUTURE,
        lambda: good_request(sent_at=NOW + timedelta(minutes=6)),
    ),
    "future_cycle": Forged(
        "a cycle that ends three minutes from now",
        Reason.FUTURE,
        lambda: _at(NOW + timedelta(minutes=3)),
    ),
    "future_look": Forged(
        "a measurement that begins an hour from now",
        Reason.FUTURE,
        lambda: _with(started_at=NOW + timedelta(hours=1)),
    ),
    "future_end": Forged(
        "a measurement that lasts until tomorrow",
        Reason.FUTURE,
        lambda: _with(duration=86000.0),
    ),
    "future_by_offset": Forged(
        "an offset into the future",
        Reason.FUTURE,
        lambda: _of(report(offset=3600.0)),
    ),
    "too_old": Forged("a cycle older than anything kept", Reason.TOO_OLD, lambda: _at(NOW - _YEAR)),
    "old_look": Forged(
        "a measurement older than anything kept",
        Reason.TOO_OLD,
        lambda: _with(started_at=NOW - _YEAR),
    ),
    "endless_offset": Forged(
        "an offset beyond all calendars",
        Reason.MALFORMED,
        lambda: _set("reports.0.offset", 1e300),
    ),
    "no_zone": Forged(
        "a time without a zone",
        Reason.MALFORMED,
        lambda: _set("reports.0.finished_at", "2026-03-01T11:59:00"),
    ),
    "ends_before_it_begins": Forged(
        "a cycle that ends before it begins",
        Reason.MALFORMED,
        lambda: _of(report(finished_at=NOW - timedelta(hours=1))),
    ),
    "long_cycle": Forged(
        "a cycle of more than seven days",
        Reason.MALFORMED,
        lambda: _of(report(started_at=NOW - timedelta(days=7, minutes=1))),
    ),
    "look_before": Forged(
        "a measurement that begins before its cycle",
        Reason.MALFORMED,
        lambda: _with(started_at=NOW - timedelta(minutes=5)),
    ),
    "look_after": Forged(
        "a measurement that ends after its cycle",
        Reason.MALFORMED,
        lambda: _with(duration=150.0),
    ),
    # -- about whom ------------------------------------------------------------------
    "batch_of_another": Forged(
        "a cycle of another vantage", Reason.OTHER_VANTAGE, lambda: _of(vantage="lhe-zong")
    ),
    "look_of_another": Forged(
        "a measurement of another vantage",
        Reason.OTHER_VANTAGE,
        lambda: _with(vantage="lhe-zong"),
    ),
    "other_country": Forged(
        "another country",
        Reason.OTHER_VANTAGE,
        lambda: _with(country="DE"),
    ),
    "other_asn": Forged("another AS number", Reason.OTHER_VANTAGE, lambda: _with(asn=1)),
    "other_network": Forged(
        "another network",
        Reason.OTHER_VANTAGE,
        lambda: _with(network="Zong"),
    ),
    "made_control": Forged(
        "a field vantage as control",
        Reason.OTHER_VANTAGE,
        lambda: _with(vantage_role="control"),
    ),
    "health_of_another": Forged(
        "the health of another vantage",
        Reason.OTHER_VANTAGE,
        lambda: _health(vantage="lhe-zong"),
    ),
    "control_look": Forged(
        "a control's measurement from a field vantage",
        Reason.MALFORMED,
        lambda: _with(look=Purpose.CONTROL),
    ),
    "adhoc_look": Forged(
        "a measurement asked for by hand",
        Reason.MALFORMED,
        lambda: _with(look=Purpose.ADHOC),
    ),
    # -- how much --------------------------------------------------------------------
    "oversize": Forged(
        "more than 4 MiB as sent",
        Reason.OVERSIZE,
        lambda: request(b" " * (MOST_PACKED + 1), encoding="identity"),
    ),
    "gzip_bomb": Forged("gzip of more than 32 MiB", Reason.OVERSIZE, lambda: request(_BOMB)),
    "zstd_bomb": Forged(
        "zstd of more than 32 MiB",
        Reason.OVERSIZE,
        lambda: _zstd(zstd.compress(_BOMB)),
    ),
    "long_measurement": Forged(
        "a measurement of more than 2 MiB",
        Reason.MALFORMED,
        lambda: _with(observations=(http(body="x" * (2 * 2**20 + 1)),)),
    ),
    "many_observations": Forged(
        "more than 500 observations in a measurement",
        Reason.MALFORMED,
        lambda: _with(observations=(dns(),) * 501),
    ),
    "many_reports": Forged(
        "more than 500 cycles",
        Reason.MALFORMED,
        lambda: request(encode_batch(batch(*(report(0) for _ in range(501))))),
    ),
    "no_reports": Forged("no cycle", Reason.MALFORMED, lambda: _set("reports", [])),
    # -- in which form ---------------------------------------------------------------
    "empty": Forged("an empty body", Reason.MALFORMED, lambda: request(b"", encoding="identity")),
    "not_json": Forged("no JSON", Reason.MALFORMED, lambda: request(b"cycle;verdict\n")),
    "half_json": Forged(
        "JSON cut off",
        Reason.MALFORMED,
        lambda: request(encode_batch(batch())[:-40]),
    ),
    "deep_json": Forged(
        "JSON nested a hundred thousand deep",
        Reason.MALFORMED,
        lambda: request(b'{"reports":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    ),
    "not_utf8": Forged("no UTF-8", Reason.MALFORMED, lambda: _replaced(b'"x"', b'"\xff\xfe"')),
    "lone_surrogate": Forged(
        "half a surrogate pair",
        Reason.MALFORMED,
        lambda: _replaced(b'"x"', b'"\\ud800"'),
    ),
    "nul_in_a_name": Forged(
        "a NUL in a name", Reason.MALFORMED, lambda: _replaced(b'"x"', b'"x\\u0000"')
    ),
    "other_encoding": Forged(
        "another encoding than gzip and zstd",
        Reason.MALFORMED,
        lambda: request(encode_batch(batch()), encoding="br"),
    ),
    "not_gzip": Forged("gzip that is none", Reason.MALFORMED, lambda: _raw_gzip(b"{}")),
    "cut_gzip": Forged(
        "gzip cut off",
        Reason.MALFORMED,
        lambda: _raw_gzip(gzip.compress(encode_batch(batch()))[:-9]),
    ),
    "gzip_and_more": Forged(
        "gzip with more behind its end",
        Reason.MALFORMED,
        lambda: _raw_gzip(gzip.compress(encode_batch(batch())) + b"more"),
    ),
    "cut_zstd": Forged(
        "zstd cut off",
        Reason.MALFORMED,
        lambda: _zstd(zstd.compress(encode_batch(batch()))[:-9]),
    ),
    "zstd_and_more": Forged(
        "zstd with more behind its end",
        Reason.MALFORMED,
        lambda: _zstd(zstd.compress(encode_batch(batch())) + b"more"),
    ),
    "format": Forged("a future format", Reason.NEWER, lambda: _of(format=FORMAT + 1)),
    "first_format": Forged("the first format", Reason.MALFORMED, lambda: _of(format=1)),
    "missing_field": Forged(
        "a missing field",
        Reason.MALFORMED,
        lambda: _altered(lambda document: document["reports"][0].pop("health")),
    ),
    "wrong_type": Forged(
        "text in place of a number",
        Reason.MALFORMED,
        lambda: _set("reports.0.measurements.0.duration", "long"),
    ),
    "unknown_state": Forged(
        "an unknown state of health",
        Reason.MALFORMED,
        lambda: _set("reports.0.health.state", "excellent"),
    ),
    "cycle_id": Forged(
        "a cycle whose id is no UUID",
        Reason.MALFORMED,
        lambda: _of(report(cycle="cycle-1")),
    ),
    "measurement_id": Forged(
        "a measurement whose id is no UUID", Reason.MALFORMED, lambda: _with(id="look-1")
    ),
    "other_cycle": Forged("a measurement of another cycle", Reason.MALFORMED, _other_cycle),
    "look_twice": Forged("a measurement twice", Reason.MALFORMED, _twice),
    "cycle_twice": Forged("a cycle twice", Reason.MALFORMED, _cycle_twice),
    "platform_name": Forged(
        "a platform name that is no label",
        Reason.MALFORMED,
        lambda: _with(platform="X (formerly Twitter)"),
    ),
    "long_endpoint": Forged(
        "an endpoint of more than 2,048 characters",
        Reason.MALFORMED,
        lambda: _with(endpoint="https://x.com/" + _long("a", 2048)),
    ),
    "no_endpoint": Forged(
        "an endpoint that no catalogue can have",
        Reason.MALFORMED,
        lambda: _with(endpoint="the site of X"),
    ),
    "unknown_failure": Forged(
        "an unknown failure",
        Reason.MALFORMED,
        lambda: _with(observations=(dns("a block, really"),)),
    ),
    "not_a_number": Forged(
        "NaN",
        Reason.MALFORMED,
        lambda: _set("reports.0.measurements.0.duration", float("nan")),
    ),
    "infinite": Forged(
        "a number beyond all bounds",
        Reason.MALFORMED,
        lambda: _replaced(b'"duration":1.0', b'"duration":1e999'),
    ),
    "negative": Forged(
        "a negative duration",
        Reason.MALFORMED,
        lambda: _with(duration=-1.0),
    ),
    "huge_integer": Forged(
        "an integer too large for a database",
        Reason.MALFORMED,
        lambda: _set("reports.0.measurements.0.attempt", 10**30),
    ),
    "huge_health": Forged(
        "a count in its health too large for a database",
        Reason.MALFORMED,
        lambda: _health(references_ok=2**70),
    ),
    "huge_length": Forged(
        "a length too large for a database",
        Reason.MALFORMED,
        lambda: _set("reports.0.measurements.0.observations.3.body_length", 2**63),
    ),
    "huge_port": Forged(
        "a port above 65,535",
        Reason.MALFORMED,
        lambda: _with(observations=(tcp(port=2**16),)),
    ),
    "impossible_rate": Forged(
        "a chance above one", Reason.MALFORMED, lambda: _health(timeout_rate=2.0)
    ),
}
