"""What a probe of RIPE Atlas found, as a measurement that our rules can judge.

`dns` gives whole messages. `sslcert` gives a chain that nobody verified, so it is verified here; a
reset after the greeting reads there as a timeout, and is never said to be a reset. Which resolver
answered is dropped: it may be the host's.
"""

import base64
import ipaddress
import ssl
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import certifi
from cryptography import x509
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    ServerVerifier,
    Store,
    VerificationError,
)

from monitor.sources.atlas_client import Lookup, Result
from probes.catalog.catalog import Authority, certificates_for
from probes.failure_strings import Failure
from probes.layers.bogon import BogonList
from probes.layers.dns_message import decode_reply
from probes.measurement import (
    AnyObservation,
    DnsAnswer,
    DnsObservation,
    Layer,
    TcpObservation,
    TlsObservation,
)
from probes.sockets.failure_mapping import MalformedReplyError

RESOLVER = "the probe's resolver"
_PORT = 443
_RCODES: Mapping[str, Failure] = {
    "NXDOMAIN": Failure.DNS_NXDOMAIN,
    "SERVFAIL": Failure.DNS_SERVFAIL,
    "REFUSED": Failure.DNS_REFUSED,
}
_NAMES: Sequence[tuple[str, Failure]] = (
    ("nodename nor servname", Failure.DNS_NXDOMAIN),
    ("no address associated", Failure.DNS_NO_ANSWER),
    ("temporary failure", Failure.DNS_TEMPORARY),
    ("non-recoverable failure", Failure.DNS_NON_RECOVERABLE),
)
_CONNECTIONS: Sequence[tuple[str, Failure]] = (
    ("connect: timeout", Failure.GENERIC_TIMEOUT),
    ("connect: connection refused", Failure.CONNECTION_REFUSED),
    ("connect: connection reset", Failure.CONNECTION_RESET),
    ("connect: no route", Failure.HOST_UNREACHABLE),
    ("connect: network is unreachable", Failure.NETWORK_UNREACHABLE),
    ("connect: connection timed out", Failure.TIMED_OUT),
)
_SILENT = ("timeout reading hello", "timeout reading certificates")
_NOT_TLS = ("bad type", "bad len", "server hello too short")


class Roots:
    """Whom certificates may lead to: Mozilla's roots, and those of the configuration."""

    def __init__(self, anchors: Iterable[str] = (), authorities: Iterable[Authority] = ()) -> None:
        """`anchors` are PEM files, for every name; `authorities` for their own domains."""
        context = ssl.create_default_context(cafile=certifi.where())
        for path in anchors:
            context.load_verify_locations(cafile=path)
        self._authorities = tuple(authorities)
        with warnings.catch_warnings():
            # An old root has a serial number that no new one may have.
            warnings.simplefilter("ignore")
            found = map(_root, context.get_ca_certs(binary_form=True))
            self._roots = [one for one in found if one is not None]
            self._stores = {"": Store(self._roots)}

    def _store_for(self, host: str) -> Store:
        pem = certificates_for(host, self._authorities)
        if pem not in self._stores:
            more = x509.load_pem_x509_certificates(pem.encode())
            self._stores[pem] = Store([*self._roots, *more])
        return self._stores[pem]

    def problem(self, chain: Sequence[str], host: str, at: datetime) -> Failure | None:
        """Why a chain (PEM, leaf first) does not prove that `host` was reached at `at` (UTC)."""
        # As browsers do: what is odd about a certificate is no forgery.
        odd = ExtensionPolicy.permit_all()
        named = odd.require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
        builder = PolicyBuilder().store(self._store_for(host)).time(at)
        issuers = odd.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
        builder = builder.extension_policies(ca_policy=issuers, ee_policy=named)
        verifier = builder.build_server_verifier(x509.DNSName(host))
        try:
            leaf, *others = [x509.load_pem_x509_certificate(one.encode()) for one in chain]
            return _problem(verifier, leaf, others, host, at)
        except Exception:  # noqa: BLE001 - a censor picks the bytes, and so the error
            return Failure.SSL_INVALID_CERTIFICATE


def _problem(
    verifier: ServerVerifier,
    leaf: x509.Certificate,
    others: list[x509.Certificate],
    host: str,
    at: datetime,
) -> Failure | None:
    try:
        verifier.verify(leaf, others)
    except VerificationError:
        return _why(leaf, host, at)
    return None


def _root(der: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        return None


def _why(leaf: x509.Certificate, host: str, at: datetime) -> Failure:
    """Who is to blame for a chain that does not verify, as far as its leaf tells."""
    if not leaf.not_valid_before_utc <= at <= leaf.not_valid_after_utc:
        return Failure.SSL_INVALID_CERTIFICATE
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        known = names.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        known = []
    wild = f"*.{host.partition('.')[2]}"
    return (
        Failure.SSL_UNKNOWN_AUTHORITY
        if {host, wild} & set(known)
        else (Failure.SSL_INVALID_HOSTNAME)
    )


def looked_up(result: Result, name: str, bogons: BogonList) -> DnsObservation | None:
    """What the probe's resolvers say of a name; None where the probe could not ask."""
    several = result.resultset
    if not several:
        error = result.error if isinstance(result.error, dict) else None
        several = (Lookup(result=result.result, error=error),)
    answers, failures = [], []
    for one in several:
        if one.result is not None and one.result.abuf:
            answer, failure = _answer(one.result.abuf, name, one.result.rt, bogons)
        elif one.error and "timeout" in one.error:
            answer, failure = None, Failure.GENERIC_TIMEOUT
        else:
            continue  # the probe's own fault
        failures.append(failure)
        if answer is not None:
            answers.append(answer)
    if not failures:
        return None
    good = next((n for n, one in enumerate(failures) if one is None), None)
    return DnsObservation(
        start=0.0,
        duration=max((one.delay for one in answers), default=0.0),
        failure=None if good is not None else failures[0],
        name=name,
        rtype="A",
        resolver=RESOLVER,
        stub=True,
        answers=tuple(answers[:1] if good is None else [answers[_position(failures, good)]]),
    )


def _position(failures: Sequence[Failure | None], good: int) -> int:
    """Which answer belongs to the good one: timeouts have none."""
    return sum(one is not Failure.GENERIC_TIMEOUT for one in failures[:good])


def _answer(
    abuf: str, name: str, took: float, bogons: BogonList
) -> tuple[DnsAnswer | None, Failure | None]:
    try:
        reply = decode_reply(base64.b64decode(abuf, validate=True))
    except (ValueError, MalformedReplyError):
        return None, Failure.DNS_SERVER_MISBEHAVING
    delay = _seconds(took)
    answer = DnsAnswer(delay=delay, rcode=reply.rcode, addresses=reply.addresses)
    if reply.name != name.lower():
        return answer, Failure.DNS_SERVER_MISBEHAVING
    if reply.rcode != "NOERROR":
        return answer, _RCODES.get(reply.rcode, Failure.DNS_SERVER_MISBEHAVING)
    if not reply.addresses:
        return answer, Failure.DNS_NO_ANSWER
    if all(one in bogons for one in reply.addresses):
        return answer, Failure.DNS_BOGON
    return answer, None


def greeted(
    result: Result, name: str, roots: Roots, lookup: DnsObservation | None, at: datetime
) -> tuple[tuple[AnyObservation, ...], tuple[Layer, ...], bool] | None:
    """What `sslcert` found, layer by layer; the layers that are not told; and whether the right
    server answered. `lookup` is what the same probe found by asking for the name alone, and `at`
    when it tested (UTC). None where the probe could not test."""
    address = _literal(result.dst_addr)
    dns, tcp = _seconds(result.ttr), _seconds(result.ttc)
    resolved: tuple[AnyObservation, ...] = (lookup,) if lookup is not None else ()
    if result.dnserr:
        failure = _first(_NAMES, result.dnserr.lower())
        return (resolved if lookup and lookup.failure else (_name(name, dns, failure),)), (), False
    if isinstance(result.error, str) and "address not allowed" in result.error:
        bogon = _name(name, dns, Failure.DNS_BOGON)
        return (resolved if lookup and lookup.failure else (bogon,)), (), False
    if lookup is None and address:
        answer = DnsAnswer(delay=dns, rcode="NOERROR", addresses=(address,))
        resolved = (_name(name, dns, None, answer),)
    text = result.err.lower()
    refused = next((failure for said, failure in _CONNECTIONS if text.startswith(said)), None)
    connected = TcpObservation(
        start=dns, duration=tcp, address=address, port=_PORT, failure=refused
    )
    if refused is not None:
        return (*resolved, connected), (), False
    failed: Failure | None = None
    if any(text.startswith(one) for one in _SILENT):
        failed = Failure.GENERIC_TIMEOUT
    elif result.alert is not None or any(text.startswith(one) for one in _NOT_TLS):
        failed = Failure.SSL_FAILED_HANDSHAKE
    elif not result.cert:
        return None
    else:
        failed = roots.problem(result.cert, name, at)
    shaken = TlsObservation(
        start=dns + tcp,
        duration=max(0.0, _seconds(result.rt) - tcp),
        address=address,
        port=_PORT,
        server_name=name,
        version=f"TLSv{result.ver[:3]}" if result.ver in ("1.0", "1.1", "1.2", "1.3") else "",
        alert=result.alert is not None,
        failure=failed,
    )
    reached = failed is None
    return (*resolved, connected, shaken), ((Layer.HTTP,) if reached else ()), reached


def _name(name: str, took: float, failure: Failure | None, *answers: DnsAnswer) -> DnsObservation:
    return DnsObservation(
        start=0.0,
        duration=took,
        failure=failure,
        name=name,
        rtype="A",
        resolver=RESOLVER,
        stub=True,
        answers=answers,
    )


def _first(table: Sequence[tuple[str, Failure]], text: str) -> Failure:
    return next((failure for said, failure in table if said in text), Failure.GENERIC_TIMEOUT)


def _literal(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _seconds(milliseconds: float | None) -> float:
    """Within what a test may take; 0 where it is not known."""
    return min(max(milliseconds or 0.0, 0.0), 60_000.0) / 1000


CLOCK_TRUSTED = timedelta(hours=1)
"""Longest time since a probe's clock was set."""
