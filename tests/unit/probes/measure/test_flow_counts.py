"""When enough handshakes were made to count how many are cut off."""

import pytest

from probes.measure.flow_counts import FIRST_FLOWS, undecided
from probes.measure.follow_up_reasons import Reason
from tests.worlds.judge_cases import flows

EVERY = FIRST_FLOWS


@pytest.mark.parametrize(
    ("named", "others", "more"),
    [
        (0, 0, False),
        (0, 3, False),
        (3, 0, True),
        (3, 3, True),
        (EVERY, 0, False),
        (EVERY, 1, True),
        (EVERY, EVERY, False),
    ],
    ids=["none", "others alone", "some", "alike", "all", "all, and one by chance", "everything"],
)
def test_more_are_made_where_the_first_leave_it_open(named: int, others: int, more: bool) -> None:
    """On a line that loses packets one with the innocuous name is lost as well: ten of ten beside
    one of ten is no rare chance, and 32 of 32 beside three is."""
    made = (
        *flows(Reason.FLOW_NAME, FIRST_FLOWS, named, "connection_reset"),
        *flows(Reason.FLOW_INNOCUOUS, FIRST_FLOWS, others, "connection_reset"),
    )
    assert undecided(made) is more
