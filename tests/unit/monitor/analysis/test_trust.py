"""What the word of vantages weighs, and who may be one person."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.analysis.trust import NEW, OWN_ALONE, KeyPeriod, Trust, Voice
from tests.worlds.build import START

LATER = START + timedelta(days=8)
NETWORKS = {"a": (1, ""), "b": (1, ""), "c": (2, ""), "d": (3, "")}


def key(host: str = "", *, known: bool = True) -> KeyPeriod:
    """Enrolled at START, and known in full a week later unless it is still new."""
    at = START + timedelta(days=7) if known else None
    return KeyPeriod(since=START, established_at=at, host=host)


def voices(*names: str) -> list[Voice]:
    """These vantages, each on its network."""
    return [Voice(vantage=name, network=NETWORKS[name]) for name in names]


@pytest.mark.parametrize(
    ("keys", "names", "weight"),
    [
        ({}, "ab", 2.0),
        ({"a": key(), "b": key()}, "ab", 1.0),
        ({"a": key(), "c": key()}, "ac", 2.0),
        ({"a": key("h1"), "b": key("h2")}, "ab", 2.0),
        ({"a": key("h1"), "b": key()}, "ab", 1.0),
        ({"a": key("h1"), "c": key("h1")}, "ac", 1.0),
        ({"a": key("h1"), "c": key("h1"), "d": key()}, "acd", 2.0),
        ({"a": key(known=False), "c": key()}, "ac", 1.0 + NEW),
        ({"a": key(known=False), "b": key()}, "ab", 1.0),
        ({"a": key()}, "ac", 2.0),
        ({"a": key()}, "", 0.0),
    ],
)
def test_related_agents_count_once(keys: dict[str, KeyPeriod], names: str, weight: float) -> None:
    """Those of one network or host as the heaviest of them, and the operator's own each."""
    trust = Trust(agents={name: (one,) for name, one in keys.items()}, agreement=2)
    assert trust.total(voices(*names), LATER) == weight


def test_a_key_weighs_in_full_from_when_it_agreed_for_long_enough() -> None:
    """And a later key of the same vantage begins anew, without changing the past."""
    again = KeyPeriod(since=START + timedelta(days=30))
    trust = Trust(agents={"a": (key(), again)})
    days = {2: NEW, 8: 1.0, 29: 1.0, 31: NEW}
    assert {day: trust.weight("a", START + timedelta(days=day)) for day in days} == days


def test_nobody_is_weighed_where_no_agent_is_judged() -> None:
    """A monitor of one's own lines believes them."""
    assert OWN_ALONE.is_own("a")
    assert not OWN_ALONE.is_new("a", START)
    assert len(set(OWN_ALONE.sources(voices("a", "b"), START).values())) == 2


@given(st.sets(st.sampled_from("abcd")), st.sets(st.sampled_from("abcd")))
def test_together_nobody_weighs_more_than_apart(some: set[str], more: set[str]) -> None:
    """Nor less than the heaviest of them. One more may show that two others are related: the agent
    of no known host may be of the host that has another on its network."""
    trust = Trust(
        agents={"a": (key("h1"),), "b": (key(known=False),), "c": (key("h1"),), "d": (key(),)}
    )
    one, other, both = (
        trust.total(voices(*sorted(names)), LATER) for names in (some, more, some | more)
    )
    heaviest = max((trust.weight(name, LATER) for name in some | more), default=0.0)
    assert heaviest <= both <= one + other
