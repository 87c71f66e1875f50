"""A path that loses packets shows in the connections that are made over it."""

import pytest

from monitor.analysis.judge.lossy_paths import lossy_platforms
from probes.measure.follow_up_reasons import Reason
from tests.worlds.build import dns, follow_up, look, tcp, tls

DEAD = tcp("generic_timeout_error")


@pytest.mark.parametrize(
    ("clean", "resent", "lossy"),
    [(0, 2, True), (4, 2, True), (5, 2, False), (0, 1, False), (20, 5, False)],
)
def test_many_connections_that_needed_another_try(clean: int, resent: int, lossy: bool) -> None:
    """Three in ten, and two at least; those never made do not count, or a block were loss."""
    made = [tcp() for _ in range(clean)] + [tcp(retransmits=1) for _ in range(resent)]
    seen = [look(dns(), *made), look(dns(), *[DEAD] * 9)]
    assert lossy_platforms(seen) == (frozenset({"x"}) if lossy else frozenset())


def test_another_sites_path_does_not_count() -> None:
    """A follow-up sends the platform's name to a reference, on another path."""
    elsewhere = follow_up(Reason.SNI_ELSEWHERE, *[tcp(retransmits=2)] * 4, tls())
    assert not lossy_platforms([elsewhere, look(dns(), DEAD)])
