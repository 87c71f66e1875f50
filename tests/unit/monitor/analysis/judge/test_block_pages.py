"""Known block pages: what they prove, and where the same words prove nothing."""

from typing import Any

import pytest

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.fingerprint import Fingerprint, Kind, Scope, Where
from monitor.analysis.verdict import Evidence, State, VantageState
from probes.measurement import AnyObservation
from tests.worlds.build import case, certificate, control, dns, health, http, repeated, tcp, tls
from tests.worlds.judged import judge

URL = "http://example.com/"
WORDS = "This page is blocked by order 4711"


def fingerprint(**changes: Any) -> Fingerprint:
    """Known beyond doubt from Pakistan, unless told otherwise."""
    values: dict[str, Any] = {
        "id": "pk-order",
        "where": Where.BODY,
        "pattern": "blocked by order",
        "scope": Scope.COUNTRY,
        "countries": ("PK",),
        "confident": True,
        **changes,
    }
    return Fingerprint(**values)


def page(**content: Any) -> tuple[AnyObservation, ...]:
    """A response without encryption; the block page unless told otherwise."""
    content = {"body": WORDS, "length": 90, **content}
    return dns(name="example.com"), tcp(port=80), http(url=URL, **content)


GENUINE = page(title="Welcome to the Gazette", body="", length=9000)


def shown(
    *seen: AnyObservation,
    known: tuple[Fingerprint, ...] = (fingerprint(),),
    genuine: tuple[AnyObservation, ...] | None = GENUINE,
    times: int = 1,
    **kwargs: Any,
) -> Case:
    """Looks that were shown this page, beside what the control was shown."""
    controls = () if genuine is None else (control(*genuine, reached=False, endpoint=URL),)
    return case(
        *repeated(*seen, times=times, endpoint=URL),
        controls=controls,
        endpoint=URL,
        fingerprints=known,
        **kwargs,
    )


def found(*args: Any, **kwargs: Any) -> tuple[str, Evidence]:
    """Rule and evidence of the verdict on such a case."""
    verdict = judge(shown(*args, **kwargs))
    return verdict.rule_id, verdict.evidence


# -- what it proves ----------------------------------------------------------------------------


def test_a_page_known_from_the_country_is_strong_at_once() -> None:
    """With or without a control, and the verdict names it."""
    for genuine in (GENUINE, None):
        verdict = judge(shown(*page(), genuine=genuine))
        assert (verdict.rule_id, verdict.evidence) == ("http.known_blockpage", Evidence.STRONG)
        assert (verdict.state, verdict.method, verdict.sub_method) == (
            State.BLOCKED,
            "http",
            "blockpage",
        )
        assert verdict.failures == {"http": "blockpage:pk-order"}


@pytest.mark.parametrize(
    "known",
    [fingerprint(countries=("IR",)), fingerprint(confident=False), fingerprint(countries=())],
)
def test_a_page_not_known_from_the_country_needs_support(known: Fingerprint) -> None:
    """Weak by itself and without a control; two looks beside a control make it strong."""
    rule = "http.known_blockpage"
    assert found(*page(), known=(known,)) == (rule, Evidence.WEAK)
    assert found(*page(), known=(known,), times=2) == (rule, Evidence.STRONG)
    assert found(*page(), known=(known,), times=2, genuine=None) == (rule, Evidence.WEAK)


def test_a_page_gone_everywhere_but_blocked_here() -> None:
    """A block that outlives its site is still one, weakly."""
    gone = (dns("dns_nxdomain_error", name="example.com"),)
    assert found(*page(), genuine=gone) == ("http.known_blockpage", Evidence.WEAK)


def test_the_fingerprint_that_tells_most_is_named() -> None:
    """One known from the country comes before others, whatever their order."""
    product = fingerprint(id="a-product", scope=Scope.VENDOR, countries=(), confident=False)
    for known in ((product, fingerprint()), (fingerprint(), product)):
        assert judge(shown(*page(), known=known)).failures == {"http": "blockpage:pk-order"}


# -- where it proves nothing -------------------------------------------------------------------


def test_words_of_the_site_itself_prove_nothing() -> None:
    """What the control was shown as well is no block page."""
    assert judge(shown(*page(), genuine=page())).state is State.OK


def test_words_over_a_verified_connection_prove_nothing() -> None:
    """Nobody on the path can have written them."""
    seen = (dns(), tcp(), tls(), http(body=WORDS, expected=False))
    verdict = judge(case(*repeated(*seen, times=2), fingerprints=(fingerprint(),)))
    assert verdict.rule_id == "http.unexpected"


def test_a_guards_challenge_is_no_block_page() -> None:
    """A site that wants to see a person turns away robots; nobody is accused."""
    challenge = page(status=403, headers=(("CF-Mitigated", "challenge"),))
    assert found(*challenge, times=2) == ("http.refused_by_site", Evidence.NONE)
    assert found(*challenge, times=2, known=()) == ("http.refused_by_site", Evidence.NONE)


def test_a_control_that_is_challenged_is_no_witness_to_a_difference() -> None:
    """The site distrusts the control's datacentre; that the page differs tells nothing."""
    challenged = page(status=403, headers=(("cf-mitigated", "challenge"),), body="")
    seen = page(title="Gazette", body="", length=5000)
    assert found(*seen, genuine=challenged, times=2) == ("http.refused_by_site", Evidence.NONE)
    both = found(*challenged, genuine=challenged, times=2)
    assert both == ("http.same_as_control", Evidence.NONE)


def test_a_portal_with_such_a_page_accuses_nobody() -> None:
    """From behind a captive portal nothing is said of the platform."""
    captive = health(VantageState.CAPTIVE_PORTAL)
    assert found(*page(), field=captive)[0] == "vantage.captive_portal"


# -- where the words stand ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "content", "near_miss"),
    [
        ({"where": Where.BODY}, {"body": "BLOCKED BY ORDER"}, {"body": "blocked by mistake"}),
        ({"where": Where.TITLE}, {"title": WORDS, "body": ""}, {"title": "", "body": WORDS}),
        (
            {"where": Where.HEADER, "header": "server", "pattern": "filter"},
            {"headers": (("Server", "Filter/2"),)},
            {"headers": (("X-Served-By", "filter"),)},
        ),
        (
            {"where": Where.LOCATION, "kind": Kind.HOST, "pattern": "block.example"},
            {"status": 302, "location": "http://www.block.example/?u=x"},
            {"status": 302, "location": "http://notblock.example/block.example"},
        ),
        (
            {"where": Where.LOCATION, "pattern": "/deny"},
            {"status": 302, "location": "http://192.0.2.7/deny?x"},
            {"status": 200, "location": "http://192.0.2.7/deny?x"},
        ),
        ({"kind": Kind.REGEX, "pattern": r"order \d+"}, {}, {"body": "in order"}),
        ({"kind": Kind.PREFIX, "pattern": "This"}, {}, {"body": f" {WORDS}"}),
        ({"kind": Kind.FULL, "pattern": WORDS}, {}, {"body": f"{WORDS}!"}),
    ],
)
def test_where_and_how_words_are_compared(
    known: dict[str, Any], content: dict[str, Any], near_miss: dict[str, Any]
) -> None:
    """Each place and each kind of comparison finds what it should and nothing beside it."""
    one = fingerprint(**known)
    assert found(*page(**content), known=(one,))[0] == "http.known_blockpage"
    assert found(*page(**near_miss), known=(one,))[0] != "http.known_blockpage"


@pytest.mark.parametrize(
    ("countries", "evidence"), [(("PK",), Evidence.STRONG), ((), Evidence.WEAK)]
)
def test_a_states_certificate_is_known(countries: tuple[str, ...], evidence: Evidence) -> None:
    """The certificate of the country's own interception is strong at once, without a control."""
    known = fingerprint(where=Where.CERTIFICATE, pattern="Example Root", countries=countries)
    forged = tls("ssl_unknown_authority", chain=(certificate("Example Root CA"),))
    looks = repeated(dns(), tcp(), forged, times=1)
    verdict = judge(case(*looks, controls=(), fingerprints=(known,)))
    assert (verdict.rule_id, verdict.evidence) == ("tls.known_certificate", evidence)
    assert verdict.failures == {"tls": "ssl_unknown_authority"}


def test_a_certificate_that_verified_or_cannot_be_read_is_no_match() -> None:
    """Names count only in what was refused; what is no certificate is passed over."""
    known = fingerprint(where=Where.CERTIFICATE, pattern="Example Root")
    chain = (certificate("Example Root CA"),)
    reset = repeated(dns(), tcp(), tls("connection_reset", chain=chain), times=2)
    assert judge(case(*reset, fingerprints=(known,))).rule_id == "tls.reset"
    garbage = repeated(dns(), tcp(), tls("ssl_unknown_authority", chain=(b"no DER",)), times=2)
    assert judge(case(*garbage, fingerprints=(known,))).rule_id == "tls.certificate"
