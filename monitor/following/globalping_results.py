"""What a Globalping probe found, as a measurement that our rules can judge.

A test that failed keeps nothing but a text, which names the layer or leaves it open. What is not
told is not observed. Texts measured with the probe's own versions of Node and undici, and with dig.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence

from monitor.sources.globalping_client import Result, Timings
from probes.failure_strings import CERTIFICATE_FAILURES, Failure
from probes.layers.bogon import BogonList
from probes.measurement import (
    LEGAL_REASONS,
    AnyObservation,
    DnsAnswer,
    DnsObservation,
    HttpObservation,
    Layer,
    TcpObservation,
    TlsObservation,
)

RESOLVER = "the probe's resolver"
_ABOVE_DNS = (Layer.TCP, Layer.TLS, Layer.HTTP)
_INTERNAL = re.compile(
    r"measurement timed out|reported an invalid result|^Test failed|EMFILE|currently offline|"
    r"couldn't get address for"
)
"""The probe's own faults: they say nothing about the name."""
_TEXTS: Sequence[tuple[re.Pattern[str], Layer, Failure]] = tuple(
    (re.compile(text), layer, failure)
    for text, layer, failure in (
        (r"^query\w+ ENOTFOUND", Layer.DNS, Failure.DNS_NXDOMAIN),
        (r"ENODATA", Layer.DNS, Failure.DNS_NO_ANSWER),
        (r"^query\w+ ESERVFAIL", Layer.DNS, Failure.DNS_SERVFAIL),
        (r"^query\w+ EREFUSED", Layer.DNS, Failure.DNS_REFUSED),
        (r"^query\w+ (EFORMERR|ENOTIMP|EBADRESP)", Layer.DNS, Failure.DNS_SERVER_MISBEHAVING),
        (r"^query\w+ ETIMEOUT", Layer.DNS, Failure.GENERIC_TIMEOUT),
        (r"^query\w+ ECONNREFUSED", Layer.DNS, Failure.CONNECTION_REFUSED),
        (r"^Private IP ranges", Layer.DNS, Failure.DNS_BOGON),
        (
            r"[Cc]onnection refused\.?$|failed: connection refused",
            Layer.DNS,
            Failure.CONNECTION_REFUSED,
        ),
        (r"^;; Got bad packet", Layer.DNS, Failure.DNS_SERVER_MISBEHAVING),
        (r"communications error|no servers could be reached", Layer.DNS, Failure.GENERIC_TIMEOUT),
        (r"^connect ECONNREFUSED", Layer.TCP, Failure.CONNECTION_REFUSED),
        (r"^connect ECONNRESET", Layer.TCP, Failure.CONNECTION_RESET),
        (r"^connect ETIMEDOUT", Layer.TCP, Failure.TIMED_OUT),
        (r"^connect EHOSTUNREACH", Layer.TCP, Failure.HOST_UNREACHABLE),
        (r"^connect ENETUNREACH", Layer.TCP, Failure.NETWORK_UNREACHABLE),
        (r"disconnected before secure TLS", Layer.TLS, Failure.EOF),
        (r"^(read|write) ECONNRESET", Layer.TLS, Failure.CONNECTION_RESET),
        (r"SSL routines|SSL alert", Layer.TLS, Failure.SSL_FAILED_HANDSHAKE),
        # After the handshake a reset and a close look alike.
        (r"^other side closed", Layer.HTTP, Failure.EOF),
    )
)
_CERTIFICATES: Mapping[str, Failure] = {
    "SELF_SIGNED_CERT_IN_CHAIN": Failure.SSL_UNKNOWN_AUTHORITY,
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE": Failure.SSL_UNKNOWN_AUTHORITY,
    "DEPTH_ZERO_SELF_SIGNED_CERT": Failure.SSL_UNKNOWN_AUTHORITY,
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY": Failure.SSL_UNKNOWN_AUTHORITY,
    "ERR_TLS_CERT_ALTNAME_INVALID": Failure.SSL_INVALID_HOSTNAME,
}
_RCODES: Mapping[str, Failure] = {
    "NXDOMAIN": Failure.DNS_NXDOMAIN,
    "SERVFAIL": Failure.DNS_SERVFAIL,
    "REFUSED": Failure.DNS_REFUSED,
}


def usable(result: Result) -> bool:
    """Whether a test says anything: not where the probe is gone or failed by itself."""
    if result.status not in ("finished", "failed") or result.failure_source == "internal":
        return False
    return not (result.status == "failed" and _INTERNAL.search(result.raw_output or ""))


def looked_up(name: str, result: Result, bogons: BogonList) -> DnsObservation | None:
    """What a `dns` test found; None where it says nothing."""
    if not usable(result):
        return None
    delay = _milliseconds((result.timings or Timings()).total)
    addresses = tuple(
        one.value for one in result.answers or () if one.type == "A" and _literal(one.value)
    )
    if result.status == "failed":
        layer, failure = _told(result)
        if layer is not Layer.DNS:
            failure = Failure.GENERIC_TIMEOUT
        return _dns(name, delay, failure)
    rcode = result.status_code_name or "NOERROR"
    failed = _RCODES.get(rcode)
    if failed is None and rcode != "NOERROR":
        failed = Failure.DNS_SERVER_MISBEHAVING
    if failed is None and not addresses:
        failed = Failure.DNS_NO_ANSWER
    if addresses and all(one in bogons for one in addresses):
        failed = Failure.DNS_BOGON
    answer = DnsAnswer(delay=delay, rcode=rcode, addresses=addresses)
    return _dns(name, delay, failed, answer)


def fetched(
    url: str,
    name: str,
    port: int,
    result: Result,
    *,
    lookup: DnsObservation | None = None,
    address: str = "",
    reason: str = "",
) -> tuple[tuple[AnyObservation, ...], tuple[Layer, ...], bool]:
    """What an `http` test found, layer by layer; the layers that are not told; and whether the
    right server answered. `lookup` is what the same probe found by asking for the name alone,
    `address` where the test went if not by the name."""
    times = result.timings or Timings()
    dns, tcp, tls = (_milliseconds(one) for one in (times.dns, times.tcp, times.tls))
    at = result.resolved_address or address or next(_public(lookup), "")
    at = at if _literal(at) else ""
    resolved: tuple[AnyObservation, ...] = ()
    if not address:
        own = _dns(name, dns, None, DnsAnswer(delay=dns, rcode="NOERROR", addresses=(at,)))
        known = lookup if lookup is not None and (not at or at in lookup.addresses) else own
        resolved = (known,) if lookup is not None or at else ()
    layer, failure = (None, None) if result.status == "finished" else _told(result)
    if layer is Layer.DNS:
        failed = _dns(name, dns, failure)
        forged = lookup is not None and lookup.failure is not None
        return ((lookup if lookup is not None and forged else failed),), (), False
    if result.status != "finished" and layer is None:
        return resolved, _ABOVE_DNS, False
    connected = TcpObservation(
        start=dns,
        duration=tcp,
        address=at,
        port=port,
        reason=reason,
        failure=failure if layer is Layer.TCP else None,
    )
    if layer is Layer.TCP:
        return (*resolved, connected), (), False
    if result.status == "finished" and result.tls is None:
        return (*resolved, connected), (Layer.TLS, Layer.HTTP), False
    shaken = TlsObservation(
        start=dns + tcp,
        duration=tls,
        address=at,
        port=port,
        server_name=name,
        reason=reason,
        version=(result.tls.protocol or "") if result.tls else "",
        verify_error=(result.tls.error or "")[:100] if result.tls else "",
        alert="SSL alert" in (result.raw_output or "") and layer is Layer.TLS,
        failure=failure if layer is Layer.TLS else _certificate(result),
    )
    if layer is Layer.TLS:
        return (*resolved, connected, shaken), (), False
    page = HttpObservation(
        start=dns + tcp + tls,
        duration=_milliseconds(times.firstByte),
        url=url,
        address=at,
        status=result.status_code or 0,
        reason=reason,
        failure=failure,
    )
    verified = shaken.failure is None
    reached = verified and page.failure is None and page.status not in (0, LEGAL_REASONS)
    seen = (*resolved, connected, shaken)
    # Our own tests ask for no page from a server whose certificate is another's.
    return (seen if shaken.failure in CERTIFICATE_FAILURES else (*seen, page)), (), reached


def _told(result: Result) -> tuple[Layer | None, Failure]:
    """Layer and failure that the text of a failed test names; no layer where that stays open."""
    text = (result.raw_output or "")[:2000]
    for pattern, layer, failure in _TEXTS:
        if pattern.search(text):
            return layer, failure
    if text.startswith("Request timeout.") and result.failure_source == "resolver":
        return Layer.DNS, Failure.GENERIC_TIMEOUT
    return None, Failure.GENERIC_TIMEOUT


def _certificate(result: Result) -> Failure | None:
    if result.tls is None or result.tls.authorized:
        return None
    return _CERTIFICATES.get(result.tls.error or "", Failure.SSL_INVALID_CERTIFICATE)


def _dns(name: str, delay: float, failure: Failure | None, *answers: DnsAnswer) -> DnsObservation:
    return DnsObservation(
        start=0.0,
        duration=delay,
        failure=failure,
        name=name,
        rtype="A",
        resolver=RESOLVER,
        stub=True,
        answers=tuple(one for one in answers if one.addresses != ("",)),
    )


def _public(lookup: DnsObservation | None) -> Iterator[str]:
    return iter(lookup.addresses if lookup is not None and lookup.failure is None else ())


def _milliseconds(value: float | None) -> float:
    """Seconds, within what a test may take; 0 where it is not known."""
    return min(max(value or 0.0, 0.0), 60_000.0) / 1000


def _literal(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
