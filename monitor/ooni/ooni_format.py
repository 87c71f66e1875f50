"""OONI's measurement format: tolerant structs, and decoding them.

Fields differ between engines and years. Unknown ones are ignored, missing ones are empty, and every
known spelling is accepted. `probe_ip` is read only to remove that address from everything else.
"""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any

import msgspec

from storage.values.times import in_utc

TESTS = ("web_connectivity", "telegram", "whatsapp", "facebook_messenger", "signal")


class OoniError(ValueError):
    """A file that is no OONI measurement; the message names the field."""


class UnsupportedTestError(OoniError):
    """A measurement of a test that says nothing about platforms."""


class Binary(msgspec.Struct, frozen=True):
    data: str = ""
    format: str = ""


# Within bounds, since these values end up in a database.
Seconds = Annotated[float, msgspec.Meta(ge=-86_400, le=86_400)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Status = Annotated[int, msgspec.Meta(ge=-1, le=999)]
Length = Annotated[int, msgspec.Meta(ge=-1, le=2**53)]
MaybeBinary = str | Binary | None
MaybeFailure = str | bool | None


class Timed(msgspec.Struct, frozen=True):
    t0: Seconds | None = None
    """When it began, counted from the measurement's start."""
    t: Seconds | None = None
    """When it ended."""


class WireAnswer(msgspec.Struct, frozen=True):
    answer_type: str | None = None
    ipv4: str | None = None
    ipv6: str | None = None
    hostname: str | None = None


class WireQuery(Timed, frozen=True, kw_only=True):
    hostname: str = ""
    query_type: str = "A"
    engine: str | None = None
    failure: MaybeFailure = None
    resolver_address: str | None = None
    answers: list[WireAnswer] | None = None


class WireStatus(msgspec.Struct, frozen=True):
    failure: MaybeFailure = None
    success: bool | None = None


class WireConnect(Timed, frozen=True, kw_only=True):
    ip: str = ""
    port: Port = 0
    status: WireStatus | bool | None = None


class WireHandshake(Timed, frozen=True, kw_only=True):
    address: str | None = None
    server_name: str | None = None
    failure: MaybeFailure = None
    tls_version: str | None = None
    cipher_suite: str | None = None
    negotiated_protocol: str | None = None
    peer_certificates: list[MaybeBinary] | None = None


class WireRequest(msgspec.Struct, frozen=True):
    url: str = ""
    method: str = "GET"


class WireResponse(msgspec.Struct, frozen=True):
    """The response; code 0 or none without one."""

    code: Status | None = None
    body: MaybeBinary = None
    body_is_truncated: bool | None = None
    headers: dict[str, Any] | None = None
    headers_list: list[tuple[str, Any]] | None = None


class WireTransaction(Timed, frozen=True, kw_only=True):
    request: WireRequest | None = None
    response: WireResponse | None = None
    failure: MaybeFailure = None
    address: str | None = None
    tags: list[str] | None = None


class WireControlStatus(msgspec.Struct, frozen=True):
    status: bool | None = None
    failure: MaybeFailure = None
    server_name: str | None = None


class WireControlDns(msgspec.Struct, frozen=True):
    failure: MaybeFailure = None
    addrs: list[str] | None = None


class WireControlHttp(msgspec.Struct, frozen=True):
    """The test helper's last response; -1 without one."""

    failure: MaybeFailure = None
    status_code: Status | None = None
    body_length: Length | None = None
    title: str | None = None
    headers: dict[str, Any] | None = None


class WireControl(msgspec.Struct, frozen=True):
    """The test helper's measurement of the same URL from outside."""

    dns: WireControlDns | None = None
    tcp_connect: dict[str, WireControlStatus] | None = None
    tls_handshake: dict[str, WireControlStatus] | None = None
    http_request: WireControlHttp | None = None


class WireKeys(msgspec.Struct, frozen=True):
    queries: list[WireQuery] | None = None
    tcp_connect: list[WireConnect] | None = None
    tls_handshakes: list[WireHandshake] | None = None
    requests: list[WireTransaction] | None = None
    control: WireControl | None = None
    control_failure: MaybeFailure = None


class WireMeasurement(msgspec.Struct, frozen=True):
    test_name: str
    probe_cc: str
    test_keys: WireKeys
    measurement_start_time: str
    probe_asn: str = "AS0"
    probe_network_name: str | None = None
    probe_ip: str | None = None
    resolver_asn: str | None = None
    input: str | None = None
    report_id: str | None = None
    measurement_uid: str | None = None
    software_version: str | None = None
    annotations: Any = None

    @property
    def over_vpn(self) -> bool:
        """Whether it was made over a VPN, so that the network is not the person's."""
        known = self.annotations if isinstance(self.annotations, dict) else {}
        return str(known.get("network_type")).lower() == "vpn"

    @property
    def started_at(self) -> datetime:
        """UTC; OONI's times within a measurement count from here. Raises OoniError."""
        return moment(self.measurement_start_time)


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """OONI's own result, in files from its explorer."""

    anomaly: bool
    confirmed: bool


class _Envelope(msgspec.Struct, frozen=True):
    anomaly: bool | None = None
    confirmed: bool | None = None
    measurement: msgspec.Raw = msgspec.Raw()
    """Empty when there is none."""
    raw_measurement: str | None = None


_NOTHING = (b"", b"{}", "", "{}")
"""What OONI answers when it has no measurement of an id, and an empty file."""
_NO_MEASUREMENT = "holds no measurement"
_ENVELOPE = msgspec.json.Decoder(_Envelope)
_NAMED = msgspec.json.Decoder(msgspec.defstruct("_Named", [("test_name", str)], frozen=True))
_MEASUREMENT = msgspec.json.Decoder(WireMeasurement)


def decode(text: bytes | str) -> tuple[WireMeasurement, Flag | None]:
    """One measurement, bare or in the explorer's envelope, and OONI's flag if present.

    Raises UnsupportedTestError for a test that cannot be imported, OoniError for anything else.
    """
    flag: Flag | None = None
    if text.strip() in _NOTHING:
        raise OoniError(_NO_MEASUREMENT)
    try:
        envelope = _ENVELOPE.decode(text)
        if envelope.anomaly is not None:
            flag = Flag(anomaly=envelope.anomaly, confirmed=bool(envelope.confirmed))
        inner: bytes | str | msgspec.Raw = text
        if bytes(envelope.measurement) not in (b"", b"null"):
            inner = envelope.measurement
        elif envelope.raw_measurement is not None:
            if envelope.raw_measurement in _NOTHING:
                raise OoniError(_NO_MEASUREMENT)
            inner = envelope.raw_measurement
        name = _NAMED.decode(inner).test_name  # type: ignore[attr-defined] # made just above
        if name not in TESTS:
            raise UnsupportedTestError(f"test {name!r} is none of {', '.join(TESTS)}")
        return _MEASUREMENT.decode(inner), flag
    except msgspec.DecodeError as error:
        raise OoniError(_named(str(error))) from error
    except (UnicodeError, RecursionError) as error:
        raise OoniError("not JSON in UTF-8, or nested too deep") from error


def _named(message: str) -> str:
    """msgspec's message, with the field first."""
    words, separator, path = message.partition(" - at `$.")
    return f"field {path.rstrip('`')}: {words}" if separator else message


def moment(text: str) -> datetime:
    """`2023-03-07 14:25:42`, always UTC. Raises OoniError."""
    try:
        return in_utc(datetime.fromisoformat(text))
    except ValueError as error:
        raise OoniError(f"field measurement_start_time: {text!r} is no time") from error


def octets(value: MaybeBinary) -> bytes:
    """Text or binary data as bytes; invalid base64 is empty."""
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    try:
        return base64.b64decode(value.data, validate=False)
    except (binascii.Error, ValueError):
        return b""


def header_pairs(response: WireResponse | WireControlHttp) -> tuple[tuple[str, str], ...]:
    """Headers in order, names in lower case, from either spelling."""
    listed = response.headers_list if isinstance(response, WireResponse) else None
    pairs = listed if listed else list((response.headers or {}).items())
    return tuple(
        (name.lower(), value) for name, written in pairs for value in (_header_values(written))
    )


def _header_values(written: Any) -> list[str]:
    if isinstance(written, str):
        return [written]
    if isinstance(written, list):
        return [value for one in written for value in _header_values(one)]
    if isinstance(written, dict) and isinstance(written.get("data"), str):
        return [octets(Binary(data=written["data"])).decode("utf-8", "replace")]
    return []
