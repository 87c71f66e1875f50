"""The failure vocabulary."""

import pytest

from probes.failure_strings import Failure, failure_class, unknown_failure


@pytest.mark.parametrize("failure", list(Failure))
def test_every_word_is_its_own_class(failure: Failure) -> None:
    """A known failure is its own metric label."""
    assert failure_class(failure) == failure


def test_unknown_failures_share_one_class() -> None:
    """Free text never becomes a metric label."""
    assert failure_class(unknown_failure("odd thing 17")) == "unknown_failure"
