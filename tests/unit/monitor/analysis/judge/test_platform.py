"""Endpoint verdicts rolled up to functions, platforms and owners."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.analysis.judge.grade_by_sign import llr
from monitor.analysis.judge.platform import roll_up
from monitor.analysis.verdict import Evidence, PlatformVerdict, State, Verdict
from probes.catalog.catalog import Endpoint, Function, Group, Need, Platform
from probes.catalog.endpoint_kinds import EndpointKind
from tests.worlds.build import START

JUDGED = START + timedelta(minutes=1)


def https(*hosts: str) -> tuple[Endpoint, ...]:
    """One https endpoint for each host."""
    return tuple(Endpoint(kind=EndpointKind.HTTPS, host=host, port=443) for host in hosts)


X = Platform(
    name="x",
    title="X",
    owner="x",
    functions=(
        Function(name="web", core=True, canonical=True, endpoints=https("x.com", "twitter.com")),
        Function(name="api", core=True, endpoints=https("api.x.com", "api.twitter.com")),
        Function(name="media", need=Need.ALL, endpoints=https("abs.twimg.com", "pbs.twimg.com")),
        Function(name="links", endpoints=https("t.co")),
    ),
)
DATA_CENTRES = https(*(f"dc{n}.telegram.example" for n in range(8)))
TELEGRAM = Platform(
    name="telegram",
    title="Telegram",
    owner="telegram",
    functions=(Function(name="chat", core=True, endpoints=DATA_CENTRES, sample=2),),
)
CENTRES = {name: https(f"{name}-a.example", f"{name}-b.example") for name in ("dc1", "dc2", "dc3")}
GROUPED = Platform(
    name="telegram",
    title="Telegram",
    owner="telegram",
    functions=(
        Function(
            name="messages",
            core=True,
            endpoints=tuple(e for several in CENTRES.values() for e in several),
            groups=tuple(
                Group(name=name, endpoints=tuple(e.id for e in several))
                for name, several in CENTRES.items()
            ),
            sample=1,
        ),
    ),
)
THREE = Platform(
    name="three",
    title="Three",
    owner="three",
    functions=(
        Function(name="seats", core=True, need=2, endpoints=https("s1.ex", "s2.ex", "s3.ex")),
    ),
)
HOSTS = {
    e.host: (function.name, e.id)
    for p in (X, TELEGRAM, GROUPED, THREE)
    for function in p.functions
    for e in function.endpoints
}


def verdict(
    host: str,
    state: State = State.OK,
    evidence: Evidence | None = None,
    *,
    sub_method: str = "reset",
) -> Verdict:
    """A verdict on one endpoint; a block is strong unless told otherwise."""
    function, endpoint = HOSTS[host]
    accused = state in (State.BLOCKED, State.THROTTLED, State.PARTIAL)
    grade = evidence or (Evidence.STRONG if accused else Evidence.NONE)
    return Verdict(
        measurement=f"m-{host}",
        cycle="cycle-1",
        vantage="khi-ptcl",
        country="PK",
        asn=17557,
        network="PTCL",
        vantage_role="field",
        platform="x",
        function=function,
        endpoint=endpoint,
        state=state,
        method="tls" if accused else "",
        sub_method=sub_method if accused else "",
        rule_id=f"rule.{state}.{host}",
        evidence=grade,
        share=0.5 if state is State.PARTIAL else None,
        llr=llr(state, grade),
        judged_at=JUDGED,
        rules_version="1",
    )


def x(**states: State | tuple[State, Evidence]) -> PlatformVerdict:
    """X with every endpoint ok but those named, dots written as underscores."""
    named = {name.replace("_", "."): given for name, given in states.items()}
    hosts = [e.host for function in X.functions for e in function.endpoints]
    verdicts = []
    for host in hosts:
        state = named.pop(host, State.OK)
        verdicts.append(verdict(host, *(state if isinstance(state, tuple) else (state,))))
    assert not named
    return roll_up(X, verdicts, started_at=START)


def telegram(*states: State) -> PlatformVerdict:
    """Telegram with these members of its pool looked at, in the catalogue's order."""
    verdicts = [verdict(e.host, s) for e, s in zip(DATA_CENTRES, states, strict=False)]
    return roll_up(TELEGRAM, verdicts, started_at=START)


def functions(platform: PlatformVerdict) -> dict[str, str]:
    """Function → state."""
    return {function.function: function.state.value for function in platform.functions}


def test_all_ok_is_ok() -> None:
    """A platform whose endpoints all answer is ok and accuses nobody."""
    seen = x()
    assert seen.state is State.OK
    assert (seen.method, seen.evidence, seen.llr) == ("", Evidence.NONE, -4.0)
    assert (seen.started_at, seen.judged_at) == (START, JUDGED)


def test_canonical_host_decides_alone() -> None:
    """Only x.com blocked is X blocked, though twitter.com answers."""
    seen = x(x_com=State.BLOCKED)
    assert seen.state is State.BLOCKED
    assert functions(seen) == {"web": "blocked", "api": "ok", "media": "ok", "links": "ok"}
    assert (seen.method, seen.sub_method, seen.evidence) == ("tls", "reset", Evidence.STRONG)
    assert (seen.rule_id, seen.measurement, seen.llr) == ("rule.blocked.x.com", "m-x.com", 13.0)


def test_other_hosts_of_a_canonical_function_do_not_matter() -> None:
    """Only twitter.com blocked leaves X ok."""
    assert x(twitter_com=State.BLOCKED).state is State.OK


def test_canonical_host_not_looked_at_is_no_data() -> None:
    """A working twitter.com says nothing when nobody looked at x.com."""
    seen = roll_up(X, [verdict("twitter.com"), verdict("api.x.com")], started_at=START)
    assert seen.state is State.INSUFFICIENT
    assert seen.rule_id == "look.none"


def test_any_function_works_while_one_endpoint_does() -> None:
    """One API host of two is enough."""
    assert x(api_x_com=State.BLOCKED).state is State.OK
    assert x(api_x_com=State.BLOCKED, api_twitter_com=State.BLOCKED).state is State.BLOCKED


def test_all_function_needs_every_endpoint() -> None:
    """One media host of two blocked blocks the function, and degrades the platform."""
    seen = x(pbs_twimg_com=State.BLOCKED)
    assert seen.state is State.DEGRADED
    assert functions(seen)["media"] == "blocked"
    assert (seen.rule_id, seen.evidence, seen.llr) == (
        "rule.blocked.pbs.twimg.com",
        Evidence.STRONG,
        13.0,
    )


def test_all_function_with_a_member_not_looked_at_is_insufficient() -> None:
    """A host nobody looked at is no data where every host is needed."""
    verdicts = [verdict(h) for h in ("x.com", "twitter.com", "api.x.com", "abs.twimg.com", "t.co")]
    seen = roll_up(X, verdicts, started_at=START)
    assert functions(seen)["media"] == "insufficient"
    assert seen.state is State.OK


@pytest.mark.parametrize("state", [State.DOWN, State.INSUFFICIENT])
def test_a_failing_side_function_does_not_spoil_ok(state: State) -> None:
    """A link shortener that is down or unknown leaves the platform ok."""
    seen = x(t_co=state)
    assert seen.state is State.OK
    assert functions(seen)["links"] == state.value


def test_a_platform_of_which_most_is_unknown_is_not_ok() -> None:
    """One port that a portal lets through proves one function, and no platform."""
    portal = Platform(
        name="x",
        title="X",
        owner="x",
        functions=(
            X.functions[0],
            *(Function(name=n, endpoints=https(f"{n}.ex")) for n in ("a", "b", "c")),
        ),
    )

    def seen(*side: State) -> State:
        verdicts = [verdict("x.com"), verdict("twitter.com")]
        verdicts += [
            msgspec.structs.replace(
                verdict("t.co", state), function=name, endpoint=f"https://{name}.ex/"
            )
            for name, state in zip("abc", side, strict=False)
        ]
        return roll_up(portal, verdicts, started_at=START).state

    unknown = State.INSUFFICIENT
    assert seen(State.OK, unknown, unknown) is State.OK
    assert seen(unknown, unknown, unknown) is unknown
    assert seen(unknown, unknown) is unknown  # what was not measured at all has no vote
    assert seen(unknown) is State.OK
    assert seen() is State.OK


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({"x_com": State.DOWN}, State.DOWN),
        ({"x_com": State.INSUFFICIENT}, State.INSUFFICIENT),
        ({"x_com": State.THROTTLED}, State.THROTTLED),
        ({"x_com": State.THROTTLED, "t_co": State.BLOCKED}, State.THROTTLED),
        ({"x_com": State.INSUFFICIENT, "t_co": State.BLOCKED}, State.INSUFFICIENT),
        ({"t_co": State.THROTTLED}, State.DEGRADED),
    ],
)
def test_core_decides_first(states: dict[str, State], expected: State) -> None:
    """A platform is as bad as its worst core function; others matter once core is ok."""
    assert x(**states).state is expected


def test_a_block_beside_an_undecided_core_names_its_measurement() -> None:
    """The platform is undecided and accuses nobody. The function does, by a test of its own."""
    seen = x(x_com=State.INSUFFICIENT, t_co=State.BLOCKED)
    assert (seen.state, seen.evidence, seen.rule_id) == (
        State.INSUFFICIENT,
        Evidence.NONE,
        "rule.insufficient.x.com",
    )
    named = {function.function: function.measurement for function in seen.functions}
    assert named == {"web": "", "api": "", "media": "", "links": "m-t.co"}
    assert not any(one.measurement for one in x(t_co=State.BLOCKED).functions)


def test_best_evidence_stands_for_the_function() -> None:
    """Of several blocked endpoints the strongest names method and evidence."""
    seen = x(
        api_x_com=(State.BLOCKED, Evidence.WEAK), api_twitter_com=(State.BLOCKED, Evidence.STRONG)
    )
    assert (seen.rule_id, seen.evidence) == ("rule.blocked.api.twitter.com", Evidence.STRONG)


@pytest.mark.parametrize(
    ("states", "state", "decides"),
    [
        (
            {
                "pbs_twimg_com": (State.THROTTLED, Evidence.WEAK),
                "t_co": (State.PARTIAL, Evidence.CONCLUSIVE),
            },
            State.DEGRADED,
            "rule.partial.t.co",
        ),
        (
            {
                "pbs_twimg_com": (State.BLOCKED, Evidence.WEAK),
                "t_co": (State.PARTIAL, Evidence.CONCLUSIVE),
            },
            State.DEGRADED,
            "rule.partial.t.co",
        ),
        (
            {
                "x_com": (State.PARTIAL, Evidence.CONCLUSIVE),
                "api_x_com": (State.THROTTLED, Evidence.WEAK),
                "api_twitter_com": (State.THROTTLED, Evidence.WEAK),
            },
            State.PARTIAL,
            "rule.partial.x.com",
        ),
        (
            {
                "x_com": (State.PARTIAL, Evidence.CONCLUSIVE),
                "api_x_com": (State.BLOCKED, Evidence.WEAK),
                "api_twitter_com": (State.BLOCKED, Evidence.WEAK),
            },
            State.PARTIAL,
            "rule.partial.x.com",
        ),
    ],
    ids=["perhaps slow", "weak", "perhaps slow core", "weak core"],
)
def test_a_weak_sign_hides_no_certain_block(
    states: dict[str, tuple[State, Evidence]], state: State, decides: str
) -> None:
    """One function is perhaps slow or blocked, and another is certainly cut off for a part."""
    seen = x(**states)
    assert (seen.state, seen.rule_id, seen.evidence) == (state, decides, Evidence.CONCLUSIVE)


def test_two_data_centres_that_are_blocked_are_not_hidden_by_a_slow_page() -> None:
    """Weak evidence of slowness is never an event, and that of the block is."""
    web = Function(name="web", canonical=True, endpoints=https("x.com"))
    platform = msgspec.structs.replace(GROUPED, functions=(*GROUPED.functions, web))
    verdicts = [
        verdict(endpoint.host, State.OK if name == "dc1" else State.BLOCKED)
        for name, several in CENTRES.items()
        for endpoint in several
    ]
    slow = verdict("x.com", State.THROTTLED, Evidence.WEAK)
    seen = roll_up(platform, [*verdicts, slow], started_at=START)
    assert (seen.state, seen.evidence) == (State.DEGRADED, Evidence.STRONG)
    assert seen.rule_id == f"rule.blocked.{CENTRES['dc2'][0].host}"


def test_an_outage_of_another_core_function_keeps_it_weak() -> None:
    """The web blocked while the API is down everywhere may be the same outage."""
    seen = x(x_com=State.BLOCKED, api_x_com=State.DOWN, api_twitter_com=State.DOWN)
    assert (seen.state, seen.evidence, seen.llr) == (State.BLOCKED, Evidence.WEAK, 8.5)


def test_an_outage_of_another_core_function_explains_nothing_conclusive() -> None:
    """At the very server another name is answered: that is not the outage."""
    seen = x(
        x_com=(State.BLOCKED, Evidence.CONCLUSIVE), api_x_com=State.DOWN, api_twitter_com=State.DOWN
    )
    assert (seen.state, seen.evidence, seen.llr) == (State.BLOCKED, Evidence.CONCLUSIVE, 16.0)


def test_a_block_beside_a_core_that_is_down_names_its_measurement() -> None:
    """The site is down everywhere, and links are cut off here as well."""
    seen = x(x_com=State.DOWN, t_co=(State.BLOCKED, Evidence.CONCLUSIVE))
    assert (seen.state, seen.evidence, seen.method) == (State.DOWN, Evidence.NONE, "")
    named = {function.function: function.measurement for function in seen.functions}
    assert named == {"web": "", "api": "", "media": "", "links": "m-t.co"}


OK, BLOCKED, DOWN, UNKNOWN = State.OK, State.BLOCKED, State.DOWN, State.INSUFFICIENT


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((OK, OK), State.OK),
        ((BLOCKED, OK), State.OK),
        ((BLOCKED, BLOCKED), State.BLOCKED),
        ((BLOCKED, UNKNOWN), State.BLOCKED),
        ((BLOCKED, UNKNOWN, UNKNOWN), State.INSUFFICIENT),
        ((BLOCKED, BLOCKED, BLOCKED, DOWN), State.BLOCKED),
        ((BLOCKED, DOWN), State.INSUFFICIENT),
        ((BLOCKED, BLOCKED, DOWN), State.INSUFFICIENT),
        ((DOWN, DOWN), State.DOWN),
        ((DOWN, UNKNOWN), State.DOWN),
        ((DOWN, UNKNOWN, UNKNOWN), State.INSUFFICIENT),
        ((State.THROTTLED, BLOCKED), State.THROTTLED),
    ],
)
def test_pool(states: tuple[State, ...], expected: State) -> None:
    """Members looked at speak for the pool; dead ones hide a block only when there are many."""
    assert telegram(*states).state is expected


def centres(**states: State | tuple[State, ...]) -> PlatformVerdict:
    """Telegram with these states of the addresses of each data centre, in the group's order."""
    verdicts = []
    for name, several in CENTRES.items():
        given = states.get(name, ())
        given = given if isinstance(given, tuple) else (given,)
        verdicts += [verdict(e.host, state) for e, state in zip(several, given, strict=False)]
    return roll_up(GROUPED, verdicts, started_at=START)


@pytest.mark.parametrize(
    ("dc1", "dc2", "dc3", "expected", "groups"),
    [
        (OK, OK, OK, State.OK, ()),
        (OK, (BLOCKED, BLOCKED), OK, State.DEGRADED, ("dc2",)),
        (OK, (BLOCKED, BLOCKED), (BLOCKED, BLOCKED), State.DEGRADED, ("dc2", "dc3")),
        (OK, (BLOCKED, OK), OK, State.OK, ()),
        (OK, (State.THROTTLED, BLOCKED), OK, State.DEGRADED, ("dc2",)),
        (BLOCKED, BLOCKED, BLOCKED, State.BLOCKED, ()),
        (BLOCKED, BLOCKED, UNKNOWN, State.BLOCKED, ()),
        (BLOCKED, BLOCKED, DOWN, State.INSUFFICIENT, ()),
        (OK, (DOWN, DOWN), OK, State.OK, ()),
        (DOWN, DOWN, DOWN, State.DOWN, ()),
        (OK, (), OK, State.INSUFFICIENT, ()),
        (OK, UNKNOWN, OK, State.INSUFFICIENT, ()),
        (OK, UNKNOWN, BLOCKED, State.DEGRADED, ("dc3",)),
        (DOWN, UNKNOWN, BLOCKED, State.INSUFFICIENT, ()),
        (UNKNOWN, State.THROTTLED, UNKNOWN, State.THROTTLED, ()),
    ],
)
def test_each_data_centre_counts_by_itself(
    dc1: State, dc2: State, dc3: State, expected: State, groups: tuple[str, ...]
) -> None:
    """An account lives in one of them: that the others work is of no use to it."""
    seen = centres(dc1=dc1, dc2=dc2, dc3=dc3)
    assert (seen.state, seen.functions[0].groups) == (expected, groups)
    if expected is State.DEGRADED:
        assert (seen.evidence, seen.llr) == (Evidence.STRONG, 13.0)
        assert seen.measurement in {f"m-{e.host}" for g in groups for e in CENTRES[g]}
        assert seen.functions[0].names == tuple(f"messages:{group}" for group in groups)


@pytest.mark.parametrize("others", [UNKNOWN, ()], ids=["undecided", "not measured"])
def test_a_blocked_data_centre_is_named_though_nobody_knows_of_the_others(others: State) -> None:
    """Whoever has an account there is cut off. Whether the platform works for others is not known,
    so the platform is undecided, and names no rule that accuses."""
    seen = centres(dc1=others, dc2=(BLOCKED, BLOCKED), dc3=others)
    assert (seen.state, seen.evidence, seen.method) == (State.INSUFFICIENT, Evidence.NONE, "")
    undecided = f"rule.insufficient.{CENTRES['dc1'][0].host}"
    assert seen.rule_id == (undecided if others else "look.none")
    (chat,) = seen.functions
    assert (chat.state, chat.groups, chat.evidence) == (
        State.DEGRADED,
        ("dc2",),
        Evidence.STRONG,
    )
    assert chat.measurement == f"m-{CENTRES['dc2'][0].host}"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((OK, OK, BLOCKED), State.OK),
        ((OK, BLOCKED, BLOCKED), State.BLOCKED),
        ((OK, BLOCKED, UNKNOWN), State.BLOCKED),
        ((OK, BLOCKED, DOWN), State.INSUFFICIENT),
        ((OK, UNKNOWN, UNKNOWN), State.INSUFFICIENT),
        ((OK, State.THROTTLED, BLOCKED), State.THROTTLED),
        ((OK, DOWN, DOWN), State.DOWN),
        ((OK,), State.INSUFFICIENT),
        ((OK, BLOCKED), State.BLOCKED),
    ],
)
def test_at_least_two_of_three(states: tuple[State, ...], expected: State) -> None:
    """A number says how many must work; what was not measured is not counted as working."""
    verdicts = [
        verdict(e.host, s) for e, s in zip(THREE.functions[0].endpoints, states, strict=False)
    ]
    assert roll_up(THREE, verdicts, started_at=START).state is expected


def test_a_block_that_changes_no_state_is_named_all_the_same() -> None:
    """One API host of two blocked leaves the function ok, and the finding stays in its verdict."""
    seen = x(api_twitter_com=State.BLOCKED)
    assert seen.state is State.OK
    (api,) = (function for function in seen.functions if function.function == "api")
    assert (api.state, api.accused) == (State.OK, ("https://api.twitter.com/",))
    assert {function.accused for function in seen.functions if function.function != "api"} == {()}


def test_members_of_a_missing_family_have_no_vote() -> None:
    """Data centres known by IPv6 address do not hide a block where there is no IPv6."""
    unseen = [
        msgspec.structs.replace(verdict(e.host, UNKNOWN), rule_id="vantage.family_missing")
        for e in DATA_CENTRES[:3]
    ]
    blocked = verdict(DATA_CENTRES[3].host, BLOCKED)
    assert roll_up(TELEGRAM, [*unseen, blocked], started_at=START).state is State.BLOCKED
    assert roll_up(TELEGRAM, unseen, started_at=START).state is State.INSUFFICIENT


BY_ADDRESS = tuple(
    Endpoint(kind=EndpointKind.TCP, host=host, port=443)
    for host in ("192.0.2.1", "192.0.2.2", "2001:db8::1")
)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((BLOCKED, BLOCKED, OK), State.PARTIAL),
        ((BLOCKED, None, OK), State.PARTIAL),
        ((BLOCKED, OK, OK), State.OK),
        ((State.DOWN, State.DOWN, OK), State.OK),
        ((UNKNOWN, UNKNOWN, OK), State.OK),
        ((OK, OK, BLOCKED), State.OK),
        ((None, None, OK), State.OK),
        ((BLOCKED, BLOCKED, BLOCKED), State.BLOCKED),
    ],
)
def test_addresses_of_ipv6_alone_are_no_way_for_most(
    states: tuple[State | None, ...], expected: State
) -> None:
    """A data centre that is blocked over IPv4 is partial, whatever answers over IPv6."""
    function = Function(name="chat", core=True, endpoints=BY_ADDRESS, sample=1)
    platform = msgspec.structs.replace(TELEGRAM, functions=(function,))
    verdicts = [
        msgspec.structs.replace(verdict(DATA_CENTRES[0].host, state), endpoint=one.id)
        for one, state in zip(BY_ADDRESS, states, strict=True)
        if state is not None
    ]
    seen = roll_up(platform, verdicts, started_at=START)
    assert seen.state is expected
    assert seen.family == ("ipv4" if expected is State.PARTIAL else "")
    accused = expected is not State.OK
    assert seen.evidence is (verdicts[0].evidence if accused else Evidence.NONE)


def test_platform_without_core_functions_is_judged_by_all() -> None:
    """An operator's platform that marks nothing as core is as bad as its worst function."""
    bare = msgspec.structs.replace(
        X,
        functions=tuple(msgspec.structs.replace(function, core=False) for function in X.functions),
    )
    hosts = [e.host for function in X.functions for e in function.endpoints]
    verdicts = [verdict(host, State.BLOCKED if host == "t.co" else State.OK) for host in hosts]
    assert roll_up(bare, verdicts, started_at=START).state is State.BLOCKED


def test_no_verdicts_is_an_error() -> None:
    """A platform nobody judged has no identity to roll up."""
    with pytest.raises(ValueError, match="no verdicts on x"):
        roll_up(X, [], started_at=START)


@given(
    st.dictionaries(
        st.sampled_from([e.host for function in X.functions for e in function.endpoints]),
        st.sampled_from([OK, BLOCKED, DOWN, UNKNOWN, State.THROTTLED, State.PARTIAL]),
        min_size=1,
    )
)
def test_roll_up_is_total_and_ignores_order(states: dict[str, State]) -> None:
    """Any verdicts in any order give the same verdict, ok only with every core function ok."""
    verdicts = [verdict(host, state) for host, state in states.items()]
    seen = roll_up(X, verdicts, started_at=START)
    assert seen == roll_up(X, verdicts[::-1], started_at=START)
    if seen.state is State.OK:
        assert all(function.state is State.OK for function in seen.functions if function.core)
    assert (seen.evidence is not Evidence.NONE) == (
        seen.state in (BLOCKED, State.DEGRADED, State.THROTTLED, State.PARTIAL)
    )


PARTLY = State.PARTIAL


def test_a_core_function_that_works_for_a_part_makes_the_platform_partial() -> None:
    """It says which part, and weighs as a block does."""
    seen = x(x_com=PARTLY)
    assert (seen.state, seen.share, functions(seen)["web"]) == (State.PARTIAL, 0.5, "partial")
    assert (seen.method, seen.evidence, seen.llr) == ("tls", Evidence.STRONG, 13.0)


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ({"x_com": PARTLY, "api_x_com": State.BLOCKED, "api_twitter_com": State.BLOCKED}, BLOCKED),
        ({"abs_twimg_com": PARTLY}, State.DEGRADED),
        ({"api_x_com": PARTLY}, State.OK),
        ({"api_x_com": PARTLY, "api_twitter_com": State.BLOCKED}, State.PARTIAL),
        ({"api_x_com": PARTLY, "api_twitter_com": State.THROTTLED}, State.PARTIAL),
        ({"x_com": PARTLY, "api_x_com": State.DOWN, "api_twitter_com": State.DOWN}, State.PARTIAL),
    ],
)
def test_the_best_that_is_left_to_people_decides(states: dict[str, State], state: State) -> None:
    """An endpoint that works for a part is worth more than a slow one, and less than a good one."""
    seen = x(**states)
    assert seen.state is state
    assert (seen.share is not None) == (state is State.PARTIAL)


@pytest.mark.parametrize(("other", "family"), [("ipv4", "ipv4"), ("ipv6", ""), ("", "")])
def test_one_family_is_told_where_all_that_fails_in_part_agrees(other: str, family: str) -> None:
    """Pictures of which a share is cut off show that not IPv4 alone is."""
    failing = {
        "x.com": msgspec.structs.replace(
            verdict("x.com", PARTLY, Evidence.CONCLUSIVE), share=None, family="ipv4"
        ),
        "pbs.twimg.com": msgspec.structs.replace(verdict("pbs.twimg.com", PARTLY), family=other),
    }
    hosts = [endpoint.host for function in X.functions for endpoint in function.endpoints]
    verdicts = [failing.get(host) or verdict(host) for host in hosts]
    seen = roll_up(X, verdicts, started_at=START)
    assert (seen.state, seen.family) == (State.PARTIAL, family)


def test_a_share_is_told_of_partial_alone() -> None:
    """A platform that is degraded by a part of a function has no share of its own."""
    assert x(pbs_twimg_com=PARTLY).share is None


@pytest.mark.parametrize(
    ("grade", "state"), [(Evidence.WEAK, State.THROTTLED), (Evidence.CONCLUSIVE, State.PARTIAL)]
)
def test_an_address_that_may_be_dead_hides_no_slow_object(grade: Evidence, state: State) -> None:
    """The speed of a function is measured on an object of its own."""
    apart = msgspec.structs.replace(
        verdict("x.com", State.THROTTLED), endpoint="https://x.com/large", measurement="large"
    )
    beside = [verdict("x.com", PARTLY, grade), verdict("twitter.com"), apart]
    rest = [verdict(e.host) for function in X.functions[1:] for e in function.endpoints]
    assert roll_up(X, [*beside, *rest], started_at=START).state is state


def test_a_weak_sign_of_the_core_names_what_is_known_better() -> None:
    """The platform is as bad as its core. A certain block of another function stands beside it."""
    seen = x(x_com=(PARTLY, Evidence.WEAK), t_co=(State.BLOCKED, Evidence.CONCLUSIVE))
    assert (seen.state, seen.evidence) == (PARTLY, Evidence.WEAK)
    assert [one.measurement for one in seen.fails_for_certain] == ["m-t.co"]
    for beside in ({"api_x_com": State.DOWN, "api_twitter_com": State.DOWN}, {}):
        strong = x(x_com=(PARTLY, Evidence.WEAK), t_co=(State.BLOCKED, Evidence.STRONG), **beside)
        assert bool(strong.fails_for_certain) == (not beside)
    assert not x(
        x_com=(PARTLY, Evidence.WEAK), t_co=(State.BLOCKED, Evidence.WEAK)
    ).fails_for_certain
