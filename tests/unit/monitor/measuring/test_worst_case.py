"""How long a cycle takes at worst, and what fits."""

import msgspec
import pytest

from monitor.config.catalog import shipped_catalog, watched_by_default
from monitor.config.settings import Settings
from monitor.measuring.worst_case import DUE_EARLY, worst_case
from probes.settings import ProbeSettings
from probes.vantage import Profile, VantageRole
from tests.worlds.dropped_world import vantages

CATALOG = watched_by_default(shipped_catalog())


def settings(count: int, **changes: object) -> Settings:
    """As shipped, with so many field vantages."""
    shipped = Settings(vantages=vantages(count), catalog=CATALOG)
    return msgspec.structs.replace(shipped, **changes)


@pytest.mark.parametrize("count", [1, 5, 10, 20])
def test_what_is_shipped_fits(count: int) -> None:
    """Twenty vantages at five minutes finished no cycle in a quarter of an hour."""
    worst = worst_case(settings(count))
    assert 0 < worst.seconds <= DUE_EARLY * 300.0
    assert worst.fits >= count


def test_more_vantages_take_longer_and_at_last_do_not_fit() -> None:
    """The bound grows, and the number that fits is the last that does."""
    fits = worst_case(settings(1)).fits
    assert worst_case(settings(fits)).seconds <= DUE_EARLY * 300.0
    assert worst_case(settings(fits + 1)).seconds > DUE_EARLY * 300.0


def test_a_short_interval_does_not_fit() -> None:
    """A minute is not enough for three patient tests one after the other."""
    worst = worst_case(settings(1, interval=60.0))
    assert worst.seconds > DUE_EARLY * 60.0
    assert worst.fits == 0


def test_a_low_rate_makes_cycles_long() -> None:
    """Two starts a second for some hundred measurements."""
    slow = worst_case(settings(1, probe=ProbeSettings(rate=2))).seconds
    assert slow > worst_case(settings(1)).seconds + 100


def test_controls_and_quiet_vantages_alone_have_no_worst_case() -> None:
    """A control's cycle tests little; a quiet one spreads its tests itself."""
    quiet = [msgspec.structs.replace(one, profile=Profile.QUIET) for one in vantages(2)]
    assert worst_case(settings(0)).seconds == 0
    kept = tuple(one for one in quiet if one.role is VantageRole.FIELD)
    assert worst_case(settings(1, vantages=kept)).seconds == 0
