"""Converts one OONI measurement into a cycle: measurements, controls and vantage health.

**The control.** web_connectivity asks OONI's test helper to fetch the same URL while the test runs.
The answer is the control measurement. It is dated at the end of the field measurement, since any
earlier time would make it "older than the failure"; that the platform went down within these few
seconds is a risk. The other tests have no control.

**The vantage's health.** OONI measures no references. But a target that answered, or the helper's
report, shows that the line worked, and then the vantage counts as healthy. Otherwise its health is
unknown and nobody is accused. Over a VPN the line is not the one that the report names. The timeout
rate is estimated from all measurements of the report, possibly blocked ones included.

Importing the same measurement again gives the same ids.
"""

import hashlib
import math
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.measurement_summary import working_families
from monitor.analysis.verdict import VantageHealth, VantageState
from monitor.ooni.apps import PLATFORMS, tested_by_app
from monitor.ooni.entries import TestedEndpoint
from monitor.ooni.observations import Reader
from monitor.ooni.ooni_format import Flag, OoniError, WireMeasurement
from monitor.ooni.web import helper_answered, read_web
from probes.catalog.catalog import Catalog, Endpoint, Function, Platform
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.endpoint_text import parse_endpoint
from probes.failure_strings import TIMEOUTS
from probes.layers.bogon import BogonList
from probes.measurement import Measurement, Purpose
from probes.vantage import VantagePoint, VantageRole

HELPER_VANTAGE = "ooni-test-helper"
_HELPER = VantagePoint(
    id=HELPER_VANTAGE, country="ZZ", network="OONI test helper", role=VantageRole.CONTROL
)
_SITE = "site:"
"""Prefix of the platform of a URL that belongs to none in the catalogue."""
_WITNESSES = (EndpointKind.TCP, EndpointKind.TLS, EndpointKind.HTTPS)
"""Kinds whose success shows a working line; a resolved name shows only a resolver."""
_UNNAMED_NETWORKS = ("", "<unknown>", "Unknown")


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    """UUIDv7 of the cycle."""
    uid: str
    """OONI's id of the measurement, else of the report; empty when not submitted."""
    test: str
    input: str
    """The URL tested; empty for tests of applications."""
    flag: Flag | None
    """OONI's own result, when the file has it."""
    vantage: VantagePoint
    started_at: datetime
    ended_at: datetime
    """UTC; when the last measurement ended."""
    measurements: tuple[Measurement, ...]
    follow_ups: tuple[Measurement, ...]
    controls: tuple[Measurement, ...]
    health: VantageHealth
    control_health: dict[str, VantageHealth]
    platform: Platform
    """Only the functions and endpoints that this test measured."""


def convert(
    wire: WireMeasurement, flag: Flag | None, catalog: Catalog, *, bogons: BogonList | None = None
) -> Imported:
    """The converted measurement. Raises OoniError naming the invalid field."""
    reader = Reader(wire, BogonList() if bogons is None else bogons)
    started_at = wire.started_at
    uid = _identity(wire)
    vantage = _vantage(wire)
    control: TestedEndpoint | None = None
    follow_up: TestedEndpoint | None = None
    if wire.test_name in PLATFORMS:
        seen = tested_by_app(wire.test_name, wire.test_keys, reader)
        platform = _platform(PLATFORMS[wire.test_name], catalog)
    else:
        endpoint = _endpoint(wire.input)
        platform, function = _place(endpoint, catalog)
        both = read_web(endpoint, function.name, wire.test_keys, reader)
        seen, follow_up, control = [both.field], both.follow_up, both.control
    cycle = _Cycle(
        id=_uuid7(started_at, uid), uid=uid, platform=platform.name, started_at=started_at
    )
    made: Counter[str] = Counter()
    measurements: tuple[Measurement, ...] = ()
    for one in seen:
        made[one.endpoint.id] += 1
        attempt = made[one.endpoint.id]
        measurements += (cycle.measurement(one, vantage, attempt=attempt),)
    ended_at = max((_ended_at(m) for m in measurements), default=started_at)
    follow_ups: tuple[Measurement, ...] = ()
    controls: tuple[Measurement, ...] = ()
    if follow_up is not None:
        follow_ups = (cycle.measurement(follow_up, vantage, Purpose.FOLLOW_UP, at=ended_at),)
    if control is not None:
        controls = (cycle.measurement(control, _HELPER, Purpose.CONTROL, at=ended_at),)
    return Imported(
        id=cycle.id,
        uid=wire.measurement_uid or wire.report_id or "",
        test=wire.test_name,
        input=reader.scrubber.text(wire.input or ""),
        flag=flag,
        vantage=vantage,
        started_at=started_at,
        ended_at=ended_at,
        measurements=measurements,
        follow_ups=follow_ups,
        controls=controls,
        health=_health(vantage, measurements, wire, ended_at),
        control_health={HELPER_VANTAGE: _helper_health(ended_at)} if controls else {},
        platform=_as_measured(platform, seen),
    )


def _identity(wire: WireMeasurement) -> str:
    """What identifies a measurement, wherever the file came from.

    Not `measurement_uid`, which only some sources add, nor `id`, which engines do not vary.
    """
    return "\0".join(
        (
            wire.report_id or "",
            wire.test_name,
            wire.input or "",
            wire.measurement_start_time,
            wire.probe_cc,
            wire.probe_asn,
        )
    )


def _vantage(wire: WireMeasurement) -> VantagePoint:
    number = wire.probe_asn.upper().removeprefix("AS")
    if not (number.isascii() and number.isdecimal() and len(number) <= 10):
        raise OoniError(f"field probe_asn: {wire.probe_asn!r} is no AS number")
    country = wire.probe_cc.upper()
    if not (country.isascii() and country.isalpha() and len(country) == 2):
        raise OoniError(f"field probe_cc: {wire.probe_cc!r} is no country code")
    name = wire.probe_network_name or ""
    return VantagePoint(
        id=f"ooni-{country.lower()}-as{int(number)}",
        country=country,
        asn=int(number),
        network="" if name in _UNNAMED_NETWORKS else name,
    )


def _endpoint(url: str | None) -> Endpoint:
    try:
        endpoint = parse_endpoint((url or "").partition("#")[0])
    except ValueError as error:
        raise OoniError(f"field input: {url!r}: {error.args[0]}") from error
    if endpoint.kind not in (EndpointKind.HTTP, EndpointKind.HTTPS):
        raise OoniError(f"field input: {url!r} is no web address")
    return endpoint


def _place(endpoint: Endpoint, catalog: Catalog) -> tuple[Platform, Function]:
    """Platform and function with this host, of any kind; else the site by itself."""
    bare = endpoint.host.removeprefix("www.")
    for host in dict.fromkeys((endpoint.host, bare, f"www.{bare}")):
        for platform in catalog.platforms:
            for function in platform.functions:
                if any(one.host == host for one in function.endpoints):
                    return platform, function
    function = Function(name="web", core=True, endpoints=(endpoint,))
    name = f"{_SITE}{endpoint.host}"
    return Platform(
        name=name, title=endpoint.host, owner=endpoint.host, functions=(function,)
    ), function


def _platform(name: str, catalog: Catalog) -> Platform:
    unknown = Platform(name=name, title=name, owner=name, functions=())
    return next((one for one in catalog.platforms if one.name == name), unknown)


def _as_measured(platform: Platform, seen: Sequence[TestedEndpoint]) -> Platform:
    """The platform with the functions and endpoints that were measured, in the order measured."""
    known = {function.name: function for function in platform.functions}
    functions = []
    for name in dict.fromkeys(one.function for one in seen):
        function = known.get(name) or Function(name=name, endpoints=())
        here = {one.endpoint.id: one.endpoint for one in seen if one.function == name}
        endpoints = tuple(here.values())
        canonical = function.canonical and endpoints[:1] == function.endpoints[:1]
        functions.append(
            msgspec.structs.replace(function, endpoints=endpoints, canonical=canonical)
        )
    return msgspec.structs.replace(platform, functions=tuple(functions))


class _Cycle(msgspec.Struct, frozen=True, kw_only=True):
    """What the measurements of one cycle share."""

    id: str
    uid: str
    platform: str
    started_at: datetime

    def measurement(
        self,
        tested: TestedEndpoint,
        vantage: VantagePoint,
        purpose: Purpose = Purpose.SCHEDULED,
        *,
        at: datetime | None = None,
        attempt: int = 1,
    ) -> Measurement:
        """One tested endpoint as a measurement; `at` is when it started, None: when OONI says."""
        began = min((o.start for o in tested.observations), default=0.0)
        started_at = at or self.started_at + timedelta(seconds=began)
        observations = [
            msgspec.structs.replace(o, start=max(0.0, o.start - began)) for o in tested.observations
        ]
        endpoint = tested.endpoint.id
        return Measurement(
            id=_uuid7(started_at, self.uid, vantage.id, purpose, endpoint, str(attempt)),
            cycle=self.id,
            **vantage.origin,
            platform=self.platform,
            function=tested.function,
            endpoint=endpoint,
            look=purpose,
            attempt=attempt,
            started_at=started_at,
            duration=max((o.start + o.duration for o in observations), default=0.0),
            observations=tuple(sorted(observations, key=lambda o: o.start)),
            not_observed=tested.not_observed,
            reached=tested.reached,
        )


def _ended_at(measurement: Measurement) -> datetime:
    """When a measurement ended, rounded up, so that what begins then did not begin before."""
    return measurement.started_at + timedelta(
        microseconds=math.ceil(measurement.duration * 1e6) + 1
    )


def _uuid7(at: datetime, *parts: str) -> str:
    """A UUIDv7 that depends only on the moment and `parts`."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).digest()
    milliseconds = max(0, int(at.timestamp() * 1000)) & (1 << 48) - 1
    number = milliseconds << 80 | int.from_bytes(digest[:10], "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=number))


def _health(
    vantage: VantagePoint, measurements: Sequence[Measurement], wire: WireMeasurement, at: datetime
) -> VantageHealth:
    keys = wire.test_keys
    reached = [m for m in measurements if m.reached]
    witnesses = [m for m in reached if m.endpoint.partition(":")[0] in _WITNESSES]
    helped = helper_answered(keys)
    asked = helped or keys.control_failure is not None
    well = bool(witnesses) or helped
    timeouts = sum(
        not m.reached and any(o.failure in TIMEOUTS for o in m.observations if not o.reason)
        for m in measurements
    )
    total = len(measurements) + helped
    rule = "vantage.ok" if well else "vantage.no_references"
    if wire.over_vpn:
        well, rule = False, "vantage.other_network"
    return VantageHealth(
        **vantage.origin,
        state=VantageState.OK if well else VantageState.UNKNOWN,
        rule_id=rule,
        references_ok=len(witnesses) + helped,
        references_total=len(measurements) + asked,
        timeout_rate=(timeouts + 0.5) / (total + 1),
        families=tuple(sorted({f for m in witnesses for f in working_families(m)})),
        at=at,
        measured_at=min((m.started_at for m in measurements), default=None),
    )


def _helper_health(at: datetime) -> VantageHealth:
    """The helper serves every probe, so its answer shows that it is up."""
    return VantageHealth(
        **_HELPER.origin,
        state=VantageState.OK,
        rule_id="vantage.ok",
        references_ok=1,
        references_total=1,
        timeout_rate=0.5,
        families=(),
        at=at,
    )
