"""Whose authority opens TLS: the vantage's own site's, or somebody else's."""

import msgspec
import pytest

from monitor.analysis.judge.fingerprint import Fingerprint, Scope, Where
from monitor.analysis.judge.interception import local_authorities
from monitor.analysis.verdict import State
from monitor.config.fingerprints import shipped_fingerprints
from probes.measurement import Measurement
from tests.worlds.build import case, certificate, dns, look, repeated, tcp, tls
from tests.worlds.judged import judge

OWNERS = {"x": "X Corp.", "facebook": "Meta", "instagram": "Meta"}
GATEWAY = "CN=Gateway"


def forged(platform: str, name: str, chain: bytes | None = None) -> Measurement:
    """A measurement of `name` that shows a certificate nobody trusts."""
    shown = chain or certificate(name, by="Gateway")
    seen = tls("ssl_unknown_authority", server_name=name, chain=(shown,))
    made = look(dns(name=name), tcp(), seen, endpoint=f"https://{name}/")
    return msgspec.structs.replace(made, platform=platform)


def test_an_authority_that_signs_for_a_reference_is_the_sites_own() -> None:
    """Nobody blocks a reference for its content; one platform alone tells nothing."""
    x = forged("x", "x.com")
    assert local_authorities([x, forged("reference", "www.wikipedia.org")], OWNERS) == {GATEWAY}
    assert not local_authorities([x, x], OWNERS)


def test_platforms_of_one_owner_may_be_blocked_together() -> None:
    """A country that intercepts Meta's platforms does not look like an office's proxy."""
    meta = [forged("facebook", "www.facebook.com"), forged("instagram", "i.instagram.com")]
    assert not local_authorities(meta, OWNERS)
    assert local_authorities([*meta, forged("x", "x.com")], OWNERS) == {GATEWAY}


GATEWAYS = certificate("x.com", by="Gateway")
OF_NO_VERSION = GATEWAYS.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x04", 1)
"""OpenSSL takes it for one of an unknown authority; there is no such version of X.509."""


@pytest.mark.parametrize(
    "shown",
    [
        certificate("blocked.isp.example", by="Gateway"),
        certificate("x.com"),
        b"not a certificate",
        OF_NO_VERSION,
    ],
    ids=["for-its-own-name", "self-signed", "malformed", "of no version"],
)
def test_a_block_page_mints_nothing(shown: bytes) -> None:
    """One certificate for whatever name is asked, or one that signed itself, is a block page's."""
    seen = [forged(p, "x.com", shown) for p in ("x", "facebook", "reference")]
    assert not local_authorities(seen, OWNERS)


def test_attack_a_certificate_that_cannot_be_read_keeps_nothing_from_being_judged() -> None:
    """Whoever intercepts picks its bytes. The library's errors have no class in common, and one of
    them cost the whole cycle, with all other platforms in it."""
    assert OF_NO_VERSION != GATEWAYS
    shown = tls("ssl_unknown_authority", chain=(OF_NO_VERSION,))
    looks = repeated(dns(), tcp(), shown, times=2)
    found = judge(case(*looks, fingerprints=shipped_fingerprints()))
    assert (found.state, found.rule_id) == (State.BLOCKED, "tls.certificate")


def test_a_known_state_is_accused_whatever_else_it_opens() -> None:
    """Kazakhstan's authority signed for platforms of a dozen owners."""
    state = Fingerprint(
        id="state",
        where=Where.CERTIFICATE,
        pattern="Gateway",
        scope=Scope.COUNTRY,
        countries=("PK",),
        confident=True,
    )
    chain = (certificate("x.com", by="Gateway"),)
    looks = repeated(dns(), tcp(), tls("ssl_unknown_authority", chain=chain), times=2)
    seen = case(*looks, fingerprints=(state,), local_authorities=frozenset({GATEWAY}))
    assert judge(seen).rule_id == "tls.known_certificate"
    unknown = msgspec.structs.replace(seen, fingerprints=())
    assert (judge(unknown).state, judge(unknown).rule_id) == (
        State.INSUFFICIENT,
        "tls.local_authority",
    )


@pytest.mark.parametrize(
    "maker",
    [
        "Kaspersky Anti-Virus Personal Root Certificate",
        "ESET SSL Filter CA",
        "Avast Web/Mail Shield Root",
        "AVG Web/Mail Shield Root",
        "Bitdefender Personal CA.Net-Defender",
        "AdGuard Personal CA",
        "Qustodio CA",
    ],
)
def test_known_software_of_the_machine_accuses_nobody(maker: str) -> None:
    """It opens some sites only, as parents or offices set it: one platform alone, for a start."""
    chain = (certificate("x.com", by=maker),)
    looks = repeated(dns(), tcp(), tls("ssl_unknown_authority", chain=chain), times=2)
    found = judge(case(*looks, fingerprints=shipped_fingerprints()))
    assert (found.state, found.rule_id) == (State.INSUFFICIENT, "tls.local_authority")
    other = (certificate("x.com", by="Gateway"),)
    looks = repeated(dns(), tcp(), tls("ssl_unknown_authority", chain=other), times=2)
    assert judge(case(*looks, fingerprints=shipped_fingerprints())).state is State.BLOCKED
