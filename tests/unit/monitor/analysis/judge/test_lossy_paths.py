"""A path that loses packets shows in the connections that are made over it."""

import pytest

from monitor.analysis.judge.lossy_paths import lossy_platforms, perhaps_lossy_platforms
from monitor.analysis.verdict import Evidence
from probes.measure.follow_up_reasons import Reason
from probes.measurement import TRANSFER_REFERENCE, Purpose
from tests.worlds.build import case, dns, follow_up, look, repeated, tcp, tls
from tests.worlds.judge_cases import flows
from tests.worlds.judged import judge

SILENCE = "generic_timeout_error"
DEAD = tcp(SILENCE)
CLEAN = [look(dns(), *[tcp()] * 40)]
"""References on a line that loses nothing."""


@pytest.mark.parametrize(
    ("clean", "resent", "lossy"),
    [(0, 2, True), (4, 2, True), (5, 2, False), (0, 1, False), (20, 5, False)],
)
def test_many_connections_that_needed_another_try(clean: int, resent: int, lossy: bool) -> None:
    """Three in ten, and two at least; those never made do not count, or a block were loss."""
    made = [tcp() for _ in range(clean)] + [tcp(retransmits=1) for _ in range(resent)]
    seen = [look(dns(), *made), look(dns(), *[DEAD] * 9)]
    assert lossy_platforms(seen, CLEAN) == (frozenset({"x"}) if lossy else frozenset())


@pytest.mark.parametrize(
    ("clean", "resent", "doubtful"),
    [(0, 1, True), (9, 1, True), (10, 1, False), (20, 0, False), (0, 0, False)],
)
def test_a_few_that_needed_another_try(clean: int, resent: int, doubtful: bool) -> None:
    """One in ten, and one suffices: an innocuous name may have been lucky."""
    made = [tcp() for _ in range(clean)] + [tcp(retransmits=1) for _ in range(resent)]
    seen = [look(dns(), *made), look(dns(), *[DEAD] * 9)]
    found = perhaps_lossy_platforms(seen, CLEAN)
    assert found == (frozenset({"x"}) if doubtful else frozenset())


def test_attack_a_lucky_innocuous_name_is_no_proof() -> None:
    """On a link that loses packets one name is answered and the other is not, by chance. A reset
    is sent by somebody, whatever gets lost."""
    for failure, grade in (
        (SILENCE, Evidence.WEAK),
        ("connection_reset", Evidence.CONCLUSIVE),
    ):
        attempts = repeated(dns(), tcp(), tls(failure), times=4)
        shown = tls(server_name="innocuous.example")
        asked = (
            follow_up(Reason.INNOCUOUS_SNI, tcp(), shown),
            follow_up(Reason.NAME_AGAIN, tcp(), tls(failure)),
        )
        sure = judge(case(*attempts, follow_ups=asked))
        doubtful = judge(case(*attempts, follow_ups=asked, perhaps_lossy_path=True))
        assert (sure.evidence, doubtful.evidence) == (Evidence.CONCLUSIVE, grade)


@pytest.mark.parametrize(
    ("named", "others", "of", "told"),
    [
        (10, 0, 10, True),
        (10, 2, 10, False),
        (32, 8, 32, True),
        (32, 9, 32, False),
        (31, 0, 32, False),
        (9, 0, 9, False),
    ],
)
def test_many_connections_tell_a_name_from_a_lossy_path(
    named: int, others: int, of: int, told: bool
) -> None:
    """No loss knows names. Where few were counted, one with the name got through, or more than a
    fourth of the others did not, packets may have been lost."""
    attempts = repeated(dns(), tcp(), tls(SILENCE), times=4)
    asked = (
        follow_up(Reason.INNOCUOUS_SNI, tcp(), tls(server_name="innocuous.example")),
        follow_up(Reason.NAME_AGAIN, tcp(), tls(SILENCE)),
        look(
            *flows(Reason.FLOW_NAME, of, named, SILENCE),
            *flows(Reason.FLOW_INNOCUOUS, of, others, SILENCE),
            at=60,
            kind=Purpose.FOLLOW_UP,
        ),
    )
    perhaps = judge(case(*attempts, follow_ups=asked, perhaps_lossy_path=True))
    lossy = judge(case(*attempts, follow_ups=asked, lossy_path=True))
    sure = ("tls.timeout", Evidence.CONCLUSIVE)
    assert ((perhaps.rule_id, perhaps.evidence) == sure) == told
    assert ((lossy.rule_id, lossy.evidence) == sure) == told


@pytest.mark.parametrize("reason", [Reason.SNI_ELSEWHERE, TRANSFER_REFERENCE])
def test_another_sites_path_does_not_count(reason: str) -> None:
    """A follow-up sends the platform's name to a reference, and transfers are compared with what
    is loaded from one: on another path."""
    elsewhere = follow_up(reason, *[tcp(retransmits=2)] * 4, tls())
    assert not lossy_platforms([elsewhere, look(dns(), DEAD)], CLEAN)


@pytest.mark.parametrize(
    ("clean", "resent", "lossy", "perhaps"),
    [(13, 4, False, False), (10, 7, False, True), (5, 12, True, True)],
)
def test_what_the_whole_line_loses_says_nothing_of_a_path(
    clean: int, resent: int, lossy: bool, perhaps: bool
) -> None:
    """One connection in five to references needs another try. A path loses packets of its
    own where clearly more do, or where too few references answered to compare with."""
    seen = [look(dns(), *[tcp()] * clean, *[tcp(retransmits=1)] * resent)]
    line = [look(dns(), *[tcp()] * 32, *[tcp(retransmits=1)] * 8)]
    few = [look(dns(), *[tcp()] * 5, *[tcp(retransmits=1)] * 2)]
    assert bool(lossy_platforms(seen, line)) == lossy
    assert bool(perhaps_lossy_platforms(seen, line)) == perhaps
    assert perhaps_lossy_platforms(seen, few)
