"""What must hold for any case whatever (tests/worlds/judged.py), searched by hypothesis.

`make soak` searches a hundred times as long.
"""

import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.fingerprint import Fingerprint, Scope, Where
from monitor.analysis.judge.judge_case import judge
from monitor.analysis.judge.rules.table import RULES
from monitor.analysis.verdict import Evidence, VantageState
from probes.failure_strings import Failure
from probes.measure.follow_up_reasons import Reason
from probes.measurement import (
    AnyObservation,
    AppObservation,
    DnsAnswer,
    DnsObservation,
    HttpObservation,
    Layer,
    Measurement,
    Purpose,
)
from tests.properties import examples
from tests.worlds import judged
from tests.worlds.build import (
    V4,
    V4_OTHER,
    V6,
    app,
    case,
    control,
    dns,
    egress,
    health,
    http,
    look,
    quic,
    tcp,
    tls,
)


def searching(usual: int) -> settings:
    """So many cases, or as many as `make soak` asks for."""
    return settings(max_examples=examples(usual))


CONTROL_IDS = ("ctl-fra", "ctl-ams")
ENDPOINTS = (
    "https://x.com/",
    "http://x.com/",
    "tls://x.com:443",
    f"tcp://{V4}:443",
    "dns:x.com",
    f"stun:{V4}:3478",
)

failures = st.one_of(
    st.none(), st.sampled_from([f.value for f in Failure]), st.just("unknown_failure: odd")
)
addresses = st.sampled_from([V4, V4_OTHER, V6, ""])
starts = st.floats(0, 10, allow_nan=False)
names = st.sampled_from(["x.com", "twitter.com", ""])
urls = st.sampled_from(
    ["https://x.com/", "http://x.com/", "https://twitter.com/", "http://blocked.example/", "//["]
)
answers = st.lists(
    st.builds(
        DnsAnswer,
        delay=st.just(0.1),
        rcode=st.sampled_from(["NOERROR", "NXDOMAIN"]),
        addresses=st.lists(st.sampled_from([V4, V4_OTHER, V6]), max_size=2).map(tuple),
    ),
    max_size=3,
).map(tuple)

observations: st.SearchStrategy[AnyObservation] = st.one_of(
    st.builds(
        dns,
        failures,
        name=names,
        rtype=st.sampled_from(["A", "AAAA"]),
        answers=answers,
        start=starts,
    ),
    st.builds(tcp, failures, address=addresses, start=starts),
    st.builds(
        tls, failures, address=addresses, server_name=names, alert=st.booleans(), start=starts
    ),
    st.builds(
        http,
        failures,
        url=urls,
        address=addresses,
        hop=st.integers(0, 3),
        status=st.sampled_from([0, 200, 302, 403, 451]),
        location=urls,
        expected=st.booleans(),
        start=starts,
    ),
    st.builds(egress),
    st.builds(app, failures, address=addresses, first_reply=st.sampled_from([0.0, 0.1])),
    st.builds(quic, failures, address=addresses, start=starts),
)


WORDS = {
    0: ["dns_nxdomain_error", "dns_bogon_error", "dns_servfail_error", "generic_timeout_error"],
    1: ["connection_refused", "generic_timeout_error", "network_unreachable"],
    2: ["connection_reset", "eof_error", "generic_timeout_error", "ssl_unknown_authority"],
    3: ["connection_reset", "generic_timeout_error"],
}


PATHS = st.sampled_from([[("A", V4)], [("A", V4), ("AAAA", V6)], [("A", V4), ("A", V4_OTHER)]])
ENDS = st.sampled_from([(depth, word) for depth, words in WORDS.items() for word in words])
"""How many layers work, and how the next one fails."""


@st.composite
def stories(draw: st.DrawFn) -> list[AnyObservation]:
    """A look that makes sense: each layer works until one fails, over one address or two.

    As the prober does, the page is asked for over one of them only.
    """
    seen: list[AnyObservation] = []
    for rtype, address in draw(PATHS):
        depth, failure = draw(ENDS)
        at = [None] * depth + [failure]
        seen.append(dns(at[0], rtype=rtype, addresses=(address,)))
        asked = any(isinstance(o, HttpObservation) for o in seen)
        layers: list[Callable[..., AnyObservation]] = [tcp, tls] if asked else [tcp, tls, http]
        for make, wrong in zip(layers, at[1:], strict=False):
            seen.append(make(wrong, address=address))
    return seen


SENSIBLE = stories()
ANY_SEEN = st.one_of(SENSIBLE, SENSIBLE, st.lists(observations, max_size=6))


def looks(
    endpoint: str, make: Any, *, sensible: bool = False, **more: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    """Looks at one endpoint with any observations of its protocols, at any time."""
    over_udp = endpoint.startswith("stun:")
    pages = endpoint.startswith("http") or not sensible

    def build(seen: list[AnyObservation], kwargs: dict[str, Any]) -> Measurement:
        fit = [o for o in seen if not over_udp or isinstance(o, DnsObservation | AppObservation)]
        # Nobody asks a bare port for a page, whose host would be another than the endpoint's.
        fit = [o for o in fit if pages or not isinstance(o, HttpObservation)]
        return cast("Measurement", make(*fit, endpoint=endpoint, **kwargs))

    return st.builds(
        build,
        SENSIBLE if sensible else ANY_SEEN,
        st.fixed_dictionaries(
            {
                "reached": st.booleans()
                if make is control
                else st.sampled_from([False, False, True]),
                "at": st.integers(0, 20).map(float)
                if make is look
                else st.integers(0, 60).map(float),
                **more,
            }
        ),
    )


healths = st.builds(
    health,
    st.sampled_from(VantageState),
    rule_id=st.sampled_from(["", "vantage.clock_skew", "vantage.resolver_down", "vantage.no_tls"]),
    timeout_rate=st.sampled_from([0.03, 0.1, 0.3, 1.0]),
    families=st.sampled_from([(), ("ipv4",), ("ipv6",), ("ipv4", "ipv6")]),
)


REFERENCE = "198.51.100.80"
OVER_UDP = [
    None,
    *("generic_timeout_error", "generic_timeout_error", "connection_refused"),
    *("network_unreachable", "ssl_unknown_authority", "unknown_failure: odd"),
]
DIALLED = [V4, V4, V6]
dialled = st.sampled_from(DIALLED)


def answers_to(reason: Reason, *seen: AnyObservation) -> st.SearchStrategy[AnyObservation]:
    """Any of these as the answer to what is asked for that reason."""
    return st.sampled_from([msgspec.structs.replace(one, reason=reason.value) for one in seen])


HELLO = [None, *WORDS[2]]
QUESTIONS = (
    answers_to(
        Reason.INNOCUOUS_SNI, *(tls(word, server_name="innocuous.example") for word in HELLO)
    ),
    answers_to(Reason.NAME_AGAIN, *map(tls, HELLO)),
    answers_to(Reason.SNI_ELSEWHERE, *(tls(word, address=REFERENCE) for word in HELLO)),
    answers_to(Reason.OPEN_RESOLVER, *map(dns, [None, *WORDS[0]])),
    answers_to(Reason.HONEST_ADDRESS, *(tls(word, address=V4_OTHER) for word in HELLO)),
    answers_to(
        Reason.HTTP3, *(quic(word, address=address) for word in OVER_UDP for address in DIALLED)
    ),
    *(
        answers_to(reason, *(dns(addresses=(address,)) for address in (V4, V4_OTHER)))
        for reason in (Reason.OPEN_RESOLVER_TCP, Reason.DOH)
    ),
)
ASKED = st.lists(st.integers(0, len(QUESTIONS) - 1), max_size=5)
SECONDS = st.integers(0, 60).map(float)


@st.composite
def follow_ups(draw: st.DrawFn, endpoint: str) -> Measurement:
    """One round of follow-ups: any answers to the questions that are asked."""
    asked = draw(ASKED)
    seen = {number: draw(QUESTIONS[number]) for number in dict.fromkeys(asked)}
    return look(
        *(seen[number] for number in asked),
        at=draw(SECONDS),
        endpoint=endpoint,
        kind=Purpose.FOLLOW_UP,
    )


# Strategies are made once for each endpoint: making one takes longer than drawing from it.


@cache
def some_follow_ups(endpoint: str, least: int = 0) -> st.SearchStrategy[list[Measurement]]:
    """A few rounds of them."""
    return st.lists(follow_ups(endpoint), min_size=least, max_size=2)


@cache
def wild_looks(endpoint: str) -> st.SearchStrategy[list[Measurement]]:
    """Any looks of a field."""
    return st.lists(looks(endpoint, look, not_observed=hidden), max_size=3)


@cache
def wild_controls(endpoint: str) -> st.SearchStrategy[list[Measurement]]:
    """Any looks of controls."""
    return st.lists(looks(endpoint, control, vantage=controls_of), max_size=3)


@cache
def failed_looks(endpoint: str, *, sensible: bool) -> st.SearchStrategy[list[Measurement]]:
    """Looks of a field that did not get through."""
    failed = looks(endpoint, look, sensible=sensible, not_observed=hidden, reached=st.just(False))
    return st.lists(failed, min_size=1, max_size=3)


@cache
def late_controls(endpoint: str) -> st.SearchStrategy[list[Measurement]]:
    """Looks of controls in time, most of which got through."""
    late = looks(
        endpoint,
        control,
        vantage=controls_of,
        reached=st.sampled_from([True, True, False]),
        at=AFTER,
    )
    return st.lists(late, min_size=1, max_size=3)


hidden = st.sampled_from([(), (), (Layer.TCP,)])
controls_of = st.sampled_from(CONTROL_IDS)
able = st.builds(
    health,
    st.sampled_from([VantageState.OK, VantageState.OK, VantageState.LOSSY]),
    timeout_rate=st.sampled_from([0.03, 0.1, 0.3]),
    families=st.sampled_from([("ipv4",), ("ipv4", "ipv6")]),
)
AFTER = st.integers(10, 60).map(float)
"""Seconds at which controls look; fields do from 0 to 5."""
endpoints = st.sampled_from(ENDPOINTS)
control_healths = st.dictionaries(controls_of, healths)


@st.composite
def wild_cases(draw: st.DrawFn) -> Case:
    """Any case at all, sensible or not."""
    endpoint = draw(endpoints)
    return case(
        *draw(wild_looks(endpoint)),
        controls=tuple(draw(wild_controls(endpoint))),
        field=draw(healths),
        control_health=draw(control_healths),
        endpoint=endpoint,
        follow_ups=tuple(draw(some_follow_ups(endpoint))),
        udp_works=draw(st.booleans()),
        quic_works=draw(st.booleans()),
    )


@st.composite
def telling_cases(draw: st.DrawFn, *, sensible: bool = False) -> Case:
    """A failing endpoint, an able vantage, and controls that came in time: most accuse somebody."""
    endpoint = draw(endpoints)
    return case(
        *draw(failed_looks(endpoint, sensible=sensible)),
        controls=tuple(draw(late_controls(endpoint))),
        field=draw(able),
        control_health=dict.fromkeys(CONTROL_IDS, health()),
        endpoint=endpoint,
        follow_ups=tuple(draw(some_follow_ups(endpoint))),
        udp_works=draw(st.booleans()),
        quic_works=draw(st.booleans()),
    )


QUIC_WORDS = st.lists(st.sampled_from([*OVER_UDP[1:], *OVER_UDP]), max_size=2)
QUIC_OF_CONTROLS = st.sampled_from([None, None, "generic_timeout_error"])
ONE_TO_THREE = st.integers(1, 3)
UP_TO_TWO = st.integers(0, 2)
EITHER_V4 = st.sampled_from([V4, V4_OTHER])
MOSTLY = st.sampled_from([True, True, False])


@st.composite
def quic_cases(draw: st.DrawFn) -> Case:
    """An endpoint that answers over TCP, and over QUIC or not; so do the controls."""

    def seen(*words: str | None) -> tuple[AnyObservation, ...]:
        tries = (quic(word, address=draw(dialled)) for word in words)
        return (dns(), tcp(), tls(), http(), *tries)

    attempts = [seen(*draw(QUIC_WORDS)) for _ in range(draw(ONE_TO_THREE))]
    return case(
        *(look(*one, reached=True, at=2.0 * n) for n, one in enumerate(attempts)),
        controls=tuple(
            control(*seen(draw(QUIC_OF_CONTROLS)), at=draw(AFTER), vantage=draw(controls_of))
            for _ in range(draw(UP_TO_TWO))
        ),
        field=draw(able),
        control_health=dict.fromkeys(CONTROL_IDS, health()),
        follow_ups=tuple(draw(some_follow_ups("https://x.com/"))),
        udp_works=draw(st.booleans()),
        quic_works=draw(MOSTLY),
    )


def said(protocol: str, failure: str | None, first: float) -> tuple[AnyObservation, ...]:
    """What a look shows when an application's server answers so; STUN goes over UDP, where no
    connection is made that could fail."""
    answer = app(failure, protocol=protocol, first_reply=first)
    return (answer,) if protocol == "stun" else (tcp(), answer)


FOREIGN = ("generic_timeout_error", "eof_error", "connection_reset")
FIRST = (0.0, 0.1)
BAD = {
    protocol: st.sampled_from(
        [
            *(
                said(protocol, word, first)
                for word in (*FOREIGN, f"unknown: not {protocol}")
                for first in FIRST
            ),
            *([] if protocol == "stun" else [(tcp(word),) for word in WORDS[1]]),
        ]
    )
    for protocol in ("stun", "mtproto")
}
OF_CONTROLS = {
    protocol: st.sampled_from(
        [
            (fine, said(protocol, None if fine else "eof_error", first))
            for fine in (True, True, True, False)
            for first in FIRST
        ]
    )
    for protocol in BAD
}
"""Whether a control gets through, mostly it does, and what it sees."""
APPS = st.sampled_from([(f"tcp://{V4}:443", "mtproto"), (f"stun:{V4}:3478", "stun")])
HOW_MANY = st.sampled_from([0, 1, 1, 1, 2])
HEARD = st.dictionaries(
    st.sampled_from(["stun:stun.example:3478", "ntp:time.example:123"]),
    st.sampled_from([("ipv4",), ("ipv6",), ("ipv4", "ipv6")]),
)


@st.composite
def app_cases(draw: st.DrawFn) -> Case:
    """A data centre or a server for calls that fails in its own protocol, or before."""
    endpoint, protocol = draw(APPS)
    failed = [draw(BAD[protocol]) for _ in range(draw(ONE_TO_THREE))]
    works = [draw(OF_CONTROLS[protocol]) for _ in range(draw(HOW_MANY))]
    made = case(
        *(look(*one, at=2.0 * n, endpoint=endpoint) for n, one in enumerate(failed)),
        controls=tuple(
            control(*seen, reached=fine, at=draw(AFTER), vantage=vantage, endpoint=endpoint)
            for (fine, seen), vantage in zip(works, CONTROL_IDS, strict=False)
        ),
        field=draw(able),
        control_health=dict.fromkeys(CONTROL_IDS, health()),
        endpoint=endpoint,
        udp_works=draw(st.booleans()),
        quic_works=draw(st.booleans()),
    )
    return msgspec.structs.replace(made, udp_references=draw(HEARD))


NATIONAL = Fingerprint(
    id="pk-decree",
    where=Where.BODY,
    pattern="under decree",
    scope=Scope.COUNTRY,
    countries=("PK",),
    confident=True,
)
PRODUCT = Fingerprint(id="filter", where=Where.TITLE, pattern="Filtered", scope=Scope.VENDOR)
CLEAR = "http://x.com/"


GENUINE = (
    dns(),
    tcp(port=80),
    http(url=CLEAR, title="Gazette of today", body="News."),
)
PAGES = st.builds(
    http,
    st.sampled_from([None, None, None, "connection_reset", "eof_error"]),
    url=st.just(CLEAR),
    status=st.sampled_from([200, 200, 403, 451]),
    title=st.sampled_from(["Gazette of today", "Filtered for your good", ""]),
    body=st.sampled_from(["News.", "Blocked under decree 4711."]),
    length=st.sampled_from([100, 1000]),
    headers=st.sampled_from([(), (), (), (("cf-mitigated", "challenge"),)]),
).map(lambda shown: (dns(), tcp(port=80), shown))
PAGES_OF_CONTROLS = st.one_of(*(3 * [st.just(GENUINE)]), PAGES)
WHICH_CONTROLS = st.sampled_from([(), *(3 * [CONTROL_IDS[:1]]), CONTROL_IDS])
WHICH_WORDS = st.sampled_from([(), (NATIONAL,), (NATIONAL, PRODUCT)])


@st.composite
def page_cases(draw: st.DrawFn) -> Case:
    """A page without encryption, which may be a known block page, here and at the control."""
    attempts = [draw(PAGES) for _ in range(draw(ONE_TO_THREE))]
    return case(
        *(look(*one, at=2.0 * n, endpoint=CLEAR) for n, one in enumerate(attempts)),
        controls=tuple(
            control(
                *draw(PAGES_OF_CONTROLS),
                reached=False,
                at=draw(AFTER),
                vantage=vantage,
                endpoint=CLEAR,
            )
            for vantage in draw(WHICH_CONTROLS)
        ),
        field=draw(able),
        control_health=dict.fromkeys(CONTROL_IDS, health()),
        endpoint=CLEAR,
        fingerprints=draw(WHICH_WORDS),
    )


SEEDS = st.integers(0, 2**24 - 1)
"""Of what is left to chance: to draw each step of it would take longer than to judge."""
cases = st.one_of(
    telling_cases(), telling_cases(), wild_cases(), quic_cases(), app_cases(), page_cases()
)


def rules_met(of: st.SearchStrategy[Case], cases: int) -> Counter[str]:
    """Rule → how often it decided so many cases, always the same ones."""
    met: Counter[str] = Counter()

    @settings(max_examples=cases, derandomize=True, database=None)
    @given(of)
    def collect(any_case: Case) -> None:
        met[judge(any_case).rule_id] += 1

    collect()
    return met


def test_the_search_gets_to_what_it_should() -> None:
    """Each kind of case is decided by the rules made for it, and not only excused."""
    assert {"quic.blocked", "endpoint.reached"} <= set(rules_met(quic_cases(), 100))
    apps = {"app.middlebox", "app.stun", "vantage.no_udp", "control.also_fails"}
    assert apps <= set(rules_met(app_cases(), 150))
    pages = {"http.known_blockpage", "http.status_451", "http.reset", "http.refused_by_site"}
    assert pages <= set(rules_met(page_cases(), 150))
    telling = rules_met(st.one_of(telling_cases(sensible=True), agreeing_cases()), 200)
    cut = {"tls.reset", "tls.eof", "tls.certificate", "http.reset", "tcp.unreachable"}
    resolved = {"dns.bogon", "dns.nxdomain"}
    assert cut | resolved <= set(telling)


@st.composite
def agreeing_cases(draw: st.DrawFn) -> Case:
    """Looks that all show the same one failure, and follow-ups to it."""
    seen = draw(SENSIBLE)
    looks = tuple(look(*seen, at=2.0 * n, attempt=n + 1) for n in range(draw(ONE_TO_THREE)))
    address = draw(EITHER_V4)
    witness = control(dns(addresses=(address,)), tcp(address=address), tls(address=address))
    return case(
        *looks,
        controls=(witness,),
        field=health(families=("ipv4", "ipv6")),
        follow_ups=tuple(draw(some_follow_ups("https://x.com/", least=1))),
    )


def searched(
    holds: Callable[..., None], of: st.SearchStrategy[Case], usual: int
) -> Callable[[], None]:
    """A test of a property for so many cases."""
    given_to = given(of, SEEDS) if holds in judged.BY_CHANCE else given(of)
    return cast("Callable[[], None]", searching(usual)(given_to(holds)))


LOOKS = st.one_of(telling_cases(sensible=True), app_cases(), quic_cases())
FOLLOWED = st.one_of(agreeing_cases(), cases)

test_every_gap_takes_all_that_a_control_gives = searched(
    judged.is_weak_without_a_control, st.one_of(telling_cases(), app_cases(), quic_cases()), 60
)
test_judging_is_total_and_deterministic = searched(judged.is_total_and_deterministic, cases, 150)
test_order_of_observations_does_not_matter = searched(judged.is_the_same_in_any_order, cases, 100)
test_no_data_is_never_ok = searched(judged.is_never_ok_without_data, cases, 100)
test_nothing_reached_and_nothing_seen_is_never_ok = searched(
    judged.is_never_ok_if_nothing_was_seen, cases, 100
)
test_without_working_controls_no_grade_rises = searched(
    judged.is_no_stronger_without_working_controls, cases, 100
)


def test_a_control_that_was_not_led_there_clears() -> None:
    """One attempt met a host of another name, which fails at the control as well."""
    address, endpoint = "2001:db8::10", f"tcp://{V4}:443"
    found = (
        dns("dns_nxdomain_error"),
        dns(rtype="AAAA", addresses=(address,)),
        tcp(address=address),
        tls("ssl_unknown_authority", address=address),
    )
    one = case(
        look(dns(), tcp(), tls(), http("connection_reset"), endpoint=endpoint),
        look(*found, endpoint=endpoint, at=5.0),
        controls=(control(*found, endpoint=endpoint),),
        endpoint=endpoint,
        field=health(families=("ipv4", "ipv6")),
    )
    assert judge(one).rule_id == "look.led_elsewhere"
    judged.is_no_stronger_without_working_controls(one)


test_without_controls_no_failure_becomes_ok = searched(
    judged.is_not_ok_for_want_of_controls, cases, 100
)
test_taking_failures_away_never_raises_evidence = searched(
    judged.is_no_stronger_with_fewer_failures, LOOKS, 150
)
test_taking_looks_away_never_raises_evidence = searched(
    judged.is_no_stronger_with_fewer_looks, st.one_of(LOOKS, page_cases()), 150
)
test_without_udp_no_grade_rises = searched(judged.is_no_stronger_without_udp, cases, 60)
test_taking_follow_ups_away_never_raises_evidence = searched(
    judged.is_no_stronger_with_fewer_follow_ups, st.one_of(agreeing_cases(), FOLLOWED), 200
)
test_only_follow_ups_make_a_verdict_conclusive = searched(
    judged.is_conclusive_by_follow_ups_alone, FOLLOWED, 150
)
test_an_unwell_vantage_accuses_nobody = searched(judged.accuses_nobody_when_unwell, cases, 100)


def test_every_property_is_searched_and_every_case_made_by_hand_has_it() -> None:
    """Other tests of this folder judge by the `judge` that asserts all properties."""
    here = Path(__file__)
    assert set(re.findall(r"judged\.(\w+)", here.read_text("utf-8"))) >= {
        holds.__name__ for holds in (*judged.ALWAYS, *judged.BY_CHANCE)
    }
    bare = re.compile(r"judge_case import .*\bjudge\b")
    others = [one for one in here.parent.rglob("test_*.py") if one != here]
    assert [one.name for one in others if bare.search(one.read_text("utf-8"))] == []


LATER = control(dns(), tcp(), tls(), http(), at=10.0)
"""A control that works after all attempts."""


def test_a_sign_that_ends_as_weak_hides_none_that_ends_as_strong() -> None:
    """Two failures of the resolver beside a bogon, as the search found it."""
    failing, bogon = look(dns("dns_servfail_error")), look(dns("dns_bogon_error"))
    both = judge(case(failing, failing, bogon, controls=(LATER,)))
    assert (both.rule_id, both.evidence) == ("dns.bogon", Evidence.STRONG)
    assert judge(case(failing, failing, controls=(LATER,))).evidence is Evidence.WEAK


def test_another_failure_hides_no_forged_certificate() -> None:
    """It needs no control, and counts though the reset at another address needs one."""
    forged = (dns(), tcp(), tls("ssl_unknown_authority"))
    cut = (dns(addresses=(V4_OTHER,)), tcp(address=V4_OTHER))
    seen = look(*forged, *cut, tls("connection_reset", address=V4_OTHER), at=10.0)
    verdict = judge(case(seen, controls=(LATER,)))
    assert (verdict.rule_id, verdict.evidence) == ("control.absent", Evidence.WEAK)
    assert (verdict.method, verdict.sub_method) == ("tls", "certificate")


def test_other_resolvers_tell_a_failing_one_from_a_fault_of_its_own() -> None:
    """It is weak by itself, and conclusive once others lie over UDP and answer over TCP."""
    failing = (look(dns("dns_servfail_error")), look(dns("dns_servfail_error"), at=2.0, attempt=2))
    asked = look(
        judged.changed(dns("dns_nxdomain_error"), reason=Reason.OPEN_RESOLVER.value),
        judged.changed(dns(), reason=Reason.OPEN_RESOLVER_TCP.value),
        judged.changed(tls(address=V4_OTHER), reason=Reason.HONEST_ADDRESS.value),
        at=3.0,
        kind=Purpose.FOLLOW_UP,
    )
    alone = case(*failing, controls=(LATER,))
    assert judge(alone).evidence is Evidence.WEAK
    assert judge(judged.changed(alone, follow_ups=(asked,))).evidence is Evidence.CONCLUSIVE


def test_doh_that_gives_the_false_address_too_keeps_it_from_being_certain() -> None:
    """A bogon beside a denial, as the search found it: without DoH's answer it is conclusive."""
    both = (dns("dns_nxdomain_error"), dns("dns_bogon_error", addresses=(V4_OTHER,)))
    looks = (look(*both), look(*both, at=2.0, attempt=2))
    honest = judged.changed(tls(address=V4_OTHER), reason=Reason.HONEST_ADDRESS.value)
    doh = judged.changed(dns(addresses=(V4_OTHER,)), reason=Reason.DOH.value)
    whole, less = (
        case(
            *looks,
            controls=(LATER,),
            follow_ups=(look(*seen, at=3.0, kind=Purpose.FOLLOW_UP),),
        )
        for seen in ((honest, doh), (honest,))
    )
    assert judge(whole).evidence is Evidence.STRONG
    assert judge(less).evidence is Evidence.CONCLUSIVE
    judged.is_no_stronger_with_fewer_follow_ups(whole, seed=0)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_search_gets_to_most_rules() -> None:
    """Many cases get to most rules; these are the others, which have only their example each. They
    need what no case here has, as a second vantage, or all of several rare things."""
    layers = {"tls.handshake", "tls.alert", "tcp.reset", "http.unexpected"}
    hellos = {"tls.large_hello", "tls.large_packets", "tls.short_hello", "tls.late"}
    names = {"dns.refused", "dns.no_answer", "dns.injection", "dns.other_resolver", "dns.eof"}
    names |= {"dns.reset", "dns.private_address", "dns.own_filter"}
    vantages = {"vantage.elsewhere", "vantage.other_network", "siblings.silent"}
    vantages |= {"vantage.clock_skew", "vantage.resolver_cut_off"}
    lines = {"line.slow", "path.lossy", "look.explained"}
    families = {"family.dns", "family.tcp", "family.tls", "family.ipv6_dead", "family.unsettled"}
    flows = {"partial.addresses", "partial.any_name", "partial.flows"}
    pages = {"http.withheld", "http.withheld_here", "http.not_compared"}
    certificates = {"tls.known_certificate", "tls.local_authority"}
    controls = {"control.also_errs", "control.censored", "control.unsettled"}
    met = set(rules_met(st.one_of(cases, agreeing_cases()), 30_000))
    missed = {rule.id for rule in RULES} - met
    missed -= layers | hellos | names | vantages | lines
    missed -= families | flows | pages | certificates | controls
    assert not missed, sorted(missed)
