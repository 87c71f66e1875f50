"""A stored measurement in OONI's data format, for OONI's own tools.

A measurement of a website from the field becomes a `web_connectivity` measurement, with the control
measurement in the place of OONI's test helper. All others (other kinds of endpoint, controls,
follow-ups, transfers) become `urlgetter` measurements, which only state what was observed. Nothing
is judged: `blocking` is null, which OONI reads as "not judged".

Vantages appear by their network alone, and no address of theirs is in it. Specification:
https://github.com/ooni/spec/tree/master/data-formats (df-000 to df-008).
"""

import base64
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from monitor import __version__
from probes.catalog.endpoint_kinds import DEFAULT_PORTS, EndpointKind
from probes.measurement import (
    AnyObservation,
    DnsAnswer,
    DnsObservation,
    HttpObservation,
    Measurement,
    Purpose,
    QuicObservation,
    TcpObservation,
    TlsObservation,
)
from storage.values.summary_columns import Summary, summarise

Json = dict[str, Any]

NO_CONTROL = "unknown_failure: no control looked"
"""Stands in `control_failure`: controls measure only after a failure in the field."""
_TEST_VERSION = "0.5.0"
"""Of OONI's tests: the version whose fields are used."""
_WEBSITES = ("https://", "http://")
_AS_A_VISITOR = frozenset({Purpose.SCHEDULED, Purpose.RETRY, Purpose.REFERENCE, Purpose.ADHOC})
"""Purposes of measurements that do only what a visitor's browser does."""
_OPERATIONS = {
    "egress": "connect",
    "dns": "resolve",
    "tcp": "connect",
    "tls": "tls_handshake",
    "http": "http_round_trip",
}
_RCODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}


def ooni_measurement(measurement: Measurement, control: Measurement | None = None) -> Json:
    """One measurement in OONI's format, ready to be written as JSON."""
    website = measurement.endpoint.startswith(_WEBSITES) and measurement.look in _AS_A_VISITOR
    moment = measurement.started_at.strftime("%Y-%m-%d %H:%M:%S")
    summary = summarise(measurement)
    return {
        "annotations": _annotations(measurement),
        "data_format_version": "0.2.0",
        "input": measurement.endpoint,
        "measurement_start_time": moment,
        "measurement_uid": measurement.id,
        "probe_asn": f"AS{measurement.asn}",
        "probe_cc": measurement.country,
        "probe_ip": "127.0.0.1",
        "probe_network_name": measurement.network,
        "report_id": measurement.cycle,
        "resolver_asn": "AS0",
        "resolver_ip": "127.0.0.2",
        "resolver_network_name": "",
        "software_name": "shutwatch",
        "software_version": __version__,
        "test_helpers": {},
        "test_keys": {
            **_seen(measurement.observations),
            **(
                _website(measurement, summary, control) if website else _plain(measurement, summary)
            ),
        },
        "test_name": "web_connectivity" if website else "urlgetter",
        "test_runtime": measurement.duration,
        "test_start_time": moment,
        "test_version": _TEST_VERSION,
    }


def _annotations(measurement: Measurement) -> dict[str, str]:
    """What OONI has no field for; all text, as OONI requires."""
    return {
        "platform": measurement.platform,
        "function": measurement.function,
        "look": measurement.look.value,
        "attempt": str(measurement.attempt),
        "vantage_role": measurement.vantage_role,
        "started_at": measurement.started_at.isoformat(timespec="microseconds"),
        "reached": "true" if measurement.reached else "false",
        "not_observed": " ".join(measurement.not_observed),
    }


def _website(measurement: Measurement, summary: Summary, control: Measurement | None) -> Json:
    return {
        "client_resolver": "",
        "retries": measurement.attempt - 1,
        "dns_experiment_failure": summary.dns_failure,
        "http_experiment_failure": None if measurement.reached else _failure(summary)[1],
        "accessible": measurement.reached,
        "blocking": None,
        "control": {} if control is None else _control(control),
        "control_failure": NO_CONTROL if control is None else None,
    }


def _plain(measurement: Measurement, summary: Summary) -> Json:
    operation, failure = (None, None) if measurement.reached else _failure(summary)
    return {"agent": "redirect", "failed_operation": operation, "failure": failure}


def _failure(summary: Summary) -> tuple[str | None, str | None]:
    """The first operation that failed, and its failure, in OONI's words."""
    for layer, operation in _OPERATIONS.items():
        failure = getattr(summary, f"{layer}_failure")
        if failure is not None:
            return operation, failure
    return None, "unknown_failure: not reached"


def _seen(observations: Sequence[AnyObservation]) -> Json:
    lookups = [o for o in observations if isinstance(o, DnsObservation)]
    requests = [_request(o) for o in observations if isinstance(o, HttpObservation)]
    known = (DnsObservation, TcpObservation, TlsObservation, HttpObservation, QuicObservation)
    others = [msgspec.to_builtins(o) for o in observations if not isinstance(o, known)]
    return {
        "queries": [_query(o, o.answers[0] if o.answers else None) for o in lookups],
        "tcp_connect": [_connect(o) for o in observations if isinstance(o, TcpObservation)],
        "tls_handshakes": [_handshake(o) for o in observations if isinstance(o, TlsObservation)],
        # OONI lists the last request first.
        "requests": requests[::-1],
        "network_events": [],
        "quic_handshakes": [_quic(o) for o in observations if isinstance(o, QuicObservation)],
        # More replies to the same query, as a censor that injects replies causes.
        "x_dns_duplicate_responses": [
            _query(o, answer) for o in lookups for answer in o.answers[1:]
        ],
        "x_shutwatch_observations": others,
    }


def _timed(observation: AnyObservation) -> Json:
    return {
        "t0": round(observation.start, 6),
        "t": round(observation.start + observation.duration, 6),
        "transaction_id": 0,
        "tags": [observation.reason] if observation.reason else [],
    }


def _query(lookup: DnsObservation, answer: DnsAnswer | None) -> Json:
    addresses = answer.addresses if answer is not None else ()
    first = answer is None or answer is lookup.answers[0]
    return {
        "hostname": lookup.name,
        "query_type": lookup.rtype,
        "engine": "system" if lookup.stub else lookup.transport,
        "resolver_address": lookup.resolver,
        "failure": lookup.failure if first else None,
        "rcode": _RCODES.get(answer.rcode) if answer is not None else None,
        "answers": [
            *(
                {"answer_type": "CNAME", "hostname": name}
                for name in (answer.cnames if answer else ())
            ),
            *(_address(one) for one in addresses),
        ],
        **_timed(lookup),
        **({} if answer is None else {"t": round(lookup.start + answer.delay, 6)}),
    }


def _address(address: str) -> Json:
    if ":" in address:
        return {"answer_type": "AAAA", "ipv6": address}
    return {"answer_type": "A", "ipv4": address}


def _connect(tcp: TcpObservation) -> Json:
    return {
        "ip": tcp.address,
        "port": tcp.port,
        "status": {"success": tcp.failure is None, "failure": tcp.failure},
        **_timed(tcp),
    }


def _handshake(tls: TlsObservation) -> Json:
    return {
        "network": "tcp",
        "address": _socket(tls.address, tls.port),
        "server_name": tls.server_name,
        "tls_version": tls.version,
        "cipher_suite": tls.cipher,
        "negotiated_protocol": tls.alpn,
        "no_tls_verify": False,
        "peer_certificates": [
            {"format": "base64", "data": base64.b64encode(one).decode()} for one in tls.chain
        ],
        "failure": tls.failure,
        "x_chain_sha256": tls.chain_sha256,
        "x_verify_error": tls.verify_error,
        **_timed(tls),
    }


def _quic(quic: QuicObservation) -> Json:
    return {
        "network": "udp",
        "address": _socket(quic.address, quic.port),
        "server_name": quic.server_name,
        "negotiated_protocol": quic.alpn,
        "failure": quic.failure,
        **_timed(quic),
    }


def _request(http: HttpObservation) -> Json:
    answered = http.failure is None
    return {
        "failure": http.failure,
        "network": "tcp",
        "address": _socket(http.address, _port(http.url)),
        "request": {
            "method": "GET",
            "url": http.url,
            "headers": {},
            "headers_list": [],
            "body": "",
            "x_transport": "tcp",
        },
        "response": {
            "code": http.status,
            "headers": dict(http.headers),
            "headers_list": [[name, value] for name, value in http.headers],
            # Kept only when it is suspicious.
            "body": http.body,
            "body_is_truncated": http.body_truncated or (answered and not http.body),
            "x_body_length": http.body_length,
            "x_body_sha256": http.body_sha256,
            "x_title": http.title,
        },
        **_timed(http),
    }


def _port(url: str) -> int:
    try:
        parts = urlsplit(url)
        return parts.port or DEFAULT_PORTS[EndpointKind(parts.scheme)]
    except (ValueError, KeyError):
        return 443


def _socket(address: str, port: int) -> str:
    if not address:
        return ""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _control(control: Measurement) -> Json:
    """A control measurement, in the place of the test helper's answer."""
    own = [one for one in control.observations if not one.reason]
    lookups = [o for o in own if isinstance(o, DnsObservation)]
    addresses = dict.fromkeys(address for o in lookups for address in o.addresses)
    failed = next((o.failure for o in lookups if o.failure), None)
    pages = [o for o in own if isinstance(o, HttpObservation)]
    return {
        "dns": {"failure": None if addresses else failed, "addrs": list(addresses)},
        "tcp_connect": {
            _socket(o.address, o.port): {"status": o.failure is None, "failure": o.failure}
            for o in own
            if isinstance(o, TcpObservation)
        },
        "tls_handshake": {
            _socket(o.address, o.port): {
                "server_name": o.server_name,
                "status": o.failure is None,
                "failure": o.failure,
            }
            for o in own
            if isinstance(o, TlsObservation)
        },
        "http_request": _control_page(pages[-1] if pages else None, summarise(control)),
    }


def _control_page(page: HttpObservation | None, summary: Summary) -> Json:
    if page is None:
        return {"failure": _failure(summary)[1], "status_code": -1, "body_length": -1}
    return {
        "failure": page.failure,
        "status_code": page.status or -1,
        "body_length": page.body_length,
        "title": page.title,
        "headers": dict(page.headers),
    }
