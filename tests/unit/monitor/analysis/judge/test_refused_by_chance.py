"""A resolver, or a carrier, that refuses a part of everything accuses nobody."""

import pytest

from monitor.analysis.judge.refused_by_chance import by_chance, refusals_by_chance
from monitor.analysis.verdict import Evidence
from probes.failure_strings import Failure
from probes.measurement import Layer, Measurement
from tests.worlds.build import case, dns, look, repeated, tcp
from tests.worlds.judged import judge

HOSTS = ("one.example", "two.example", "three.example")
NO = Failure.DNS_REFUSED


def _asked(*failures: tuple[str | None, ...]) -> list[Measurement]:
    """References of which each was asked for as often as there are failures of it."""
    return [
        look(dns(failure, name=host), endpoint=f"tls://{host}:443")
        for host, several in zip(HOSTS, failures, strict=False)
        for failure in several
    ]


@pytest.mark.parametrize(
    ("asked", "share"),
    [
        (_asked((NO, None), (None, NO), (None, None)), 2 / 6),
        (_asked((NO, None), (None, None), (None, None)), None),  # a faulty server
        (_asked((NO, NO), (NO, NO), (None, None)), None),  # a list of names
        (_asked((None, None), (None, None)), None),
    ],
)
def test_what_comes_and_goes_at_two_references_is_chance(
    asked: list[Measurement], share: float | None
) -> None:
    """What one alone shows, or some of them always, may be a server or a list."""
    assert refusals_by_chance(asked) == ({(Layer.DNS, "refused"): share} if share else {})


def test_another_resolver_is_another_answer() -> None:
    """One of two that is broken refuses all the time."""
    asked = [
        look(dns(failure, name=host, resolver=resolver), endpoint=f"tls://{host}:443")
        for host in HOSTS
        for resolver, failure in (("192.0.2.1:53", NO), ("192.0.2.2:53", None))
        for _ in range(2)
    ]
    assert refusals_by_chance(asked) == {}


@pytest.mark.parametrize(
    ("failure", "word"),
    [(Failure.CONNECTION_REFUSED, "refused"), (Failure.PERMISSION_DENIED, "unreachable")],
)
def test_connections_are_refused_by_chance_as_well(failure: str, word: str) -> None:
    """A full translation of addresses answers for all that is abroad."""
    made = [
        look(dns(), tcp(found, address=f"192.0.2.{n}"), endpoint=f"tls://{host}:443")
        for n, host in enumerate(HOSTS)
        for found in (failure, None, None)
    ]
    assert refusals_by_chance(made) == {(Layer.TCP, word): pytest.approx(1 / 3)}


@pytest.mark.parametrize(
    ("rate", "attempts", "explained"),
    [(0.1, 2, True), (0.1, 3, False), (0.02, 2, False), (0.3, 20, True)],
)
def test_how_many_refusals_chance_explains(rate: float, attempts: int, explained: bool) -> None:
    """As with lost packets; a line that refuses a fifth of everything proves nothing."""
    assert by_chance(rate, attempts) is explained


@pytest.mark.parametrize(("rate", "evidence"), [(0.4, Evidence.NONE), (0.05, Evidence.STRONG)])
def test_refusals_accuse_where_chance_does_not_explain_them(
    rate: float, evidence: Evidence
) -> None:
    """A resolver that refuses one name at every try, and one query in twenty besides."""
    attempts = repeated(dns(NO), times=4)
    found = judge(case(*attempts, refusals={(Layer.DNS, "refused"): rate}))
    assert found.evidence is evidence
