"""Certificates that are the platform's own, though they do not verify here."""

import contextlib
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from monitor.analysis.judge.fingerprint import Fingerprint, Scope, Where
from monitor.analysis.verdict import Evidence, State
from probes.failure_strings import Failure
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Hello, TlsObservation
from probes.sockets.failure_mapping import failure_of
from probes.sockets.network import TlsContexts
from tests.worlds.build import (
    HOST,
    V4_OTHER,
    case,
    control,
    dns,
    follow_up,
    health,
    http,
    repeated,
    tcp,
    tls,
)
from tests.worlds.judged import judge

# -- wrong by dates alone ------------------------------------------------------------------------


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM)


def made(
    name: str,
    above: Made | None = None,
    *,
    days: tuple[float, float] = (-90, 90),
    signed_by: Made | None = None,
    authority: bool = False,
) -> Made:
    """A certificate that names the authority above as its issuer, else itself, and is signed by
    that one unless by another; valid from and until so many days from now."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = signed_by or above
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.certificate.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days[0]))
        .not_valid_after(now + timedelta(days[1]))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(signer.key if signer else key, hashes.SHA256())
    )
    return Made(certificate=built, key=key)


ROOT = made("Trusted Root", authority=True)
BETWEEN = made("Trusted", ROOT, authority=True)
LAPSED, EARLY = (-90, -1), (1, 90)
OLD = made("Trusted", ROOT, days=LAPSED, authority=True)
STRANGER = made("Stranger", authority=True)


def shown(folder: Path, *chain: Made) -> TlsObservation:
    """What a handshake with a server that has this chain comes to, by this Python's OpenSSL."""
    file = folder / "server.pem"
    key = chain[0].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(key + b"".join(one.pem for one in chain))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    anchor = folder / "root.pem"
    anchor.write_bytes(ROOT.pem)
    client = TlsContexts((str(anchor),)).verifying
    here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(here, there, server_hostname=HOST),
        server.wrap_bio(there, here, server_side=True),
    )
    try:
        for end in ends * 3:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    except ssl.SSLCertVerificationError as error:
        return msgspec.structs.replace(
            tls(failure_of(error)),
            verify_error=error.verify_message,
            chain=tuple(one.certificate.public_bytes(Encoding.DER) for one in chain),
        )
    return tls()


def here(seen: TlsObservation, **kwargs: object) -> tuple[str, Evidence]:
    """Rule and evidence where each attempt shows this."""
    address = follow_up(Reason.DOH, dns())
    attempts = repeated(dns(), tcp(), seen, times=4)
    verdict = judge(case(*attempts, follow_ups=(address,), **kwargs))  # type: ignore[arg-type]
    return verdict.rule_id, verdict.evidence


def test_a_chain_with_formal_faults_alone_verifies(tmp_path: Path) -> None:
    """Certificates here have no key identifiers: browsers accept them, and Python's default from
    3.13 on does not. A vantage on a newer Python would have seen interceptions others did not."""
    assert shown(tmp_path, made(HOST, BETWEEN), BETWEEN).failure is None
    flags = {TlsContexts().of(hello, verify=True).verify_flags for hello in Hello}
    assert flags == {ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST}


GENUINE: dict[str, Callable[[], tuple[Made, ...]]] = {
    "lapsed": lambda: (made(HOST, BETWEEN, days=LAPSED), BETWEEN),
    "lapsed, from the root": lambda: (made(HOST, ROOT, days=LAPSED),),
    "not yet valid": lambda: (made(HOST, BETWEEN, days=EARLY), BETWEEN),
    "authority lapsed": lambda: (made(HOST, OLD), OLD),
}


@pytest.mark.parametrize("name", GENUINE)
def test_a_chain_that_is_wrong_by_its_dates_alone_is_weak(name: str, tmp_path: Path) -> None:
    """A server that lapsed, or a clock some hours off after a renewal, read as strong evidence of
    an interception. So did a resolver that leads to such a server."""
    seen = shown(tmp_path, *GENUINE[name]())
    assert seen.failure == Failure.SSL_INVALID_CERTIFICATE
    assert here(seen) == ("tls.certificate", Evidence.WEAK)
    honest = follow_up(Reason.HONEST_ADDRESS, tcp(address=V4_OTHER), tls(address=V4_OTHER))
    there = control(
        *(dns(addresses=(V4_OTHER,)), tcp(address=V4_OTHER), tls(address=V4_OTHER)),
        http(address=V4_OTHER),
    )
    led = case(*repeated(dns(), tcp(), seen, times=4), follow_ups=(honest,), controls=(there,))
    verdict = judge(led)
    assert (verdict.rule_id, verdict.evidence) == ("dns.hijack", Evidence.WEAK)
    known = Fingerprint(
        id="pk-root",
        where=Where.CERTIFICATE,
        pattern="Trusted",
        scope=Scope.COUNTRY,
        countries=("PK",),
        confident=True,
    )
    assert here(seen, fingerprints=(known,)) == ("tls.known_certificate", Evidence.STRONG)


def test_attack_a_lapsed_authority_explains_no_leaf_that_cannot_be_read(tmp_path: Path) -> None:
    """OpenSSL never reads what is below a lapsed authority, so anybody can put anything there."""
    seen = shown(tmp_path, *GENUINE["authority lapsed"]())
    leaf = seen.chain[0].replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x04", 1)
    assert leaf != seen.chain[0]
    seen = msgspec.structs.replace(seen, chain=(leaf, *seen.chain[1:]))
    assert here(seen) == ("tls.certificate", Evidence.STRONG)


@pytest.mark.parametrize(
    ("days", "hours", "evidence"),
    [
        ((-90, -0.5), 20, Evidence.NONE),
        ((-90, -0.5), 11, Evidence.WEAK),
        ((-90, -0.5), -20, Evidence.WEAK),
        ((0.5, 90), -20, Evidence.NONE),
        ((0.5, 90), -11, Evidence.WEAK),
        ((0.5, 90), 20, Evidence.WEAK),
        ((0.5, 90), None, Evidence.WEAK),
    ],
)
def test_a_clock_that_is_hours_off_explains_dates(
    days: tuple[float, float], hours: float | None, evidence: Evidence, tmp_path: Path
) -> None:
    """Servers showed how far off it is: by the right time the certificate is valid."""
    seen = shown(tmp_path, made(HOST, BETWEEN, days=days), BETWEEN)
    attempts = repeated(dns(), tcp(), seen, times=4)
    now = [msgspec.structs.replace(one, started_at=datetime.now(UTC)) for one in attempts]
    there = (msgspec.structs.replace(control(), started_at=datetime.now(UTC) + timedelta(hours=1)),)
    ahead = None if hours is None else hours * 3600.0
    field = msgspec.structs.replace(health(), clock_skew=ahead)
    verdict = judge(case(*now, controls=there, field=field))
    assert verdict.evidence is evidence
    assert verdict.rule_id == (
        "look.unexplained" if evidence is Evidence.NONE else "tls.certificate"
    )


FORGED: dict[str, Callable[[], tuple[Made, ...]]] = {
    "signed by itself": lambda: (made(HOST, days=LAPSED),),
    "another name": lambda: (made("other.example", BETWEEN, days=LAPSED), BETWEEN),
    "unknown authority": lambda: (made(HOST, STRANGER, days=LAPSED), STRANGER),
    "signed by somebody else": lambda: (
        made(HOST, BETWEEN, days=LAPSED, signed_by=STRANGER),
        BETWEEN,
    ),
    "below a lapsed authority": lambda: (made(HOST, OLD, signed_by=STRANGER), OLD),
}


@pytest.mark.parametrize("name", FORGED)
def test_attack_dates_make_no_forgery_genuine(name: str, tmp_path: Path) -> None:
    """OpenSSL reads dates last, but for what is below an authority that lapsed: it says of a forged
    certificate which names a genuine old authority that it has expired."""
    seen = shown(tmp_path, *FORGED[name]())
    assert seen.failure is not None
    rule_id, evidence = here(seen)
    assert rule_id == "tls.certificate"
    assert evidence in (Evidence.STRONG, Evidence.CONCLUSIVE)


def test_one_forged_certificate_among_lapsed_ones_accuses(tmp_path: Path) -> None:
    """Each attempt must be explained."""
    lapsed = shown(tmp_path, made(HOST, ROOT, days=LAPSED))
    forged = shown(tmp_path, made(HOST))
    attempts = (
        *repeated(dns(), tcp(), lapsed, times=2),
        *(
            msgspec.structs.replace(one, id=f"m-{n}")
            for n, one in enumerate(repeated(dns(), tcp(), forged, times=2))
        ),
    )
    assert judge(case(*attempts)).evidence is Evidence.STRONG


# -- known nowhere -------------------------------------------------------------------------------


def test_an_authority_that_no_list_knows_is_no_outage() -> None:
    """Signal signs its own, and may change to another one: for who watches, the list is old. A
    certificate that signed itself, or another fault at one control, is an outage."""

    def shown(
        chain: str, failure: str = "ssl_unknown_authority", error: str = ""
    ) -> TlsObservation:
        made = tls(failure)
        return msgspec.structs.replace(made, chain_sha256=chain, verify_error=error)

    def rule(here: TlsObservation, *there: TlsObservation) -> tuple[State, str]:
        controls = tuple(
            control(dns(), tcp(), one, reached=False, vantage=vantage)
            for one, vantage in zip(there, ("ctl-fra", "ctl-ams"), strict=False)
        )
        well = {one.vantage: health() for one in controls}
        found = judge(
            case(*repeated(dns(), tcp(), here, times=2), controls=controls, control_health=well)
        )
        return found.state, found.rule_id

    spared, down = (State.INSUFFICIENT, "tls.known_nowhere"), (State.DOWN, "control.also_fails")
    new = shown("aa")
    assert rule(new, new) == rule(new, new, new) == spared
    assert rule(new, shown("bb")) == rule(new, new, tls("connection_reset")) == down
    itself = shown("aa", error="self-signed certificate")
    assert rule(itself, itself) == down
    lapsed = shown("aa", "ssl_invalid_certificate")
    assert rule(lapsed, lapsed) == down


# -- verified elsewhere --------------------------------------------------------------------------


@pytest.mark.parametrize("failure", ["ssl_unknown_authority", "ssl_invalid_certificate"])
def test_the_very_chain_that_a_control_verified_is_no_forgery(failure: str) -> None:
    """A vantage with an old list of authorities met a new one, and called the platform's own
    certificate forged beyond doubt."""

    def showing(chain: str, failure: str | None = None, name: str = HOST) -> TlsObservation:
        return msgspec.structs.replace(tls(failure, server_name=name), chain_sha256=chain)

    def judged(there: TlsObservation, *chains: str) -> tuple[State, str, Evidence]:
        looks = [
            msgspec.structs.replace(one, id=f"m-{n}-{chain}")
            for n, chain in enumerate(chains)
            for one in repeated(dns(), tcp(), showing(chain, failure), times=1)
        ]
        address = follow_up(Reason.DOH, dns())
        controls = (control(dns(), tcp(), there, http()),)
        found = judge(case(*looks, controls=controls, follow_ups=(address,)))
        return found.state, found.rule_id, found.evidence

    spared = (State.INSUFFICIENT, "tls.same_chain", Evidence.NONE)
    assert judged(showing("aa"), "aa", "aa", "aa") == spared
    for there in (showing("bb"), showing(""), showing("aa", name="other.example")):
        assert judged(there, "aa", "aa", "aa")[:2] == (State.BLOCKED, "tls.certificate")
    assert judged(showing("aa"), "aa", "aa", "cc")[0] is State.BLOCKED
    assert judged(showing(""), "", "", "")[0] is State.BLOCKED
