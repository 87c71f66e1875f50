"""What several cycles make together that is no block: shutdowns, lost lines, outages.

Each story begins when all is calm, and leaves it so.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.watching import NETWORKS, X_HOSTS, Watched, watching

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def running_everywhere() -> Iterator[Watched]:
    """The monitor, looking every few seconds from every network."""
    with watching() as watched:
        yield watched


@pytest.fixture
def watched(running_everywhere: Watched) -> Iterator[Watched]:
    """The monitor when all is calm."""
    running_everywhere.await_calm()
    yield running_everywhere
    running_everywhere.lab.reset()


def test_shutdown(watched: Watched) -> None:
    """Every network of a country goes dark, and elsewhere all is well: a shutdown, and no block."""
    begun = watched.mark()
    watched.lab.network("ptcl").cut()
    watched.lab.network("jazz").cut()
    watched.await_confirmed("shutdown", country="PK")
    for network in ("ptcl", "jazz"):
        assert watched.monitor.platform_states(network) == {"x": "insufficient"}
    watched.end(begun, "shutdown")
    assert ("vantage.offline", "none") in watched.judged("ptcl", "insufficient")
    row = watched.newest("shutdown")
    assert (row["country"], row["platform"], row["vantage"]) == ("PK", "", "")
    assert row["networks_affected"] == "AS17557 AS45669"


def test_international_cut(watched: Watched) -> None:
    """Only domestic sites answer, on every network of a country: the way abroad is cut."""
    begun = watched.mark()
    watched.lab.network("ptcl").cut_foreign()
    watched.lab.network("jazz").cut_foreign()
    watched.await_confirmed("international_cut", country="PK")
    for network in ("ptcl", "jazz"):
        assert watched.monitor.platform_states(network) == {"x": "insufficient"}
    watched.end(begun, "international_cut")
    assert watched.newest("international_cut")["networks_affected"] == "AS17557 AS45669"


def test_one_silent_vantage(watched: Watched) -> None:
    """One network goes dark and its neighbour does not: that vantage is lost, and nothing more."""
    begun = watched.mark()
    watched.lab.network("ptcl").cut()
    watched.await_confirmed("vantage_silent", country="PK", vantage="ptcl")
    watched.end(begun, "vantage_silent")
    assert watched.newest("vantage_silent")["vantage"] == "ptcl"


def test_outage_of_a_platform(watched: Watched) -> None:
    """X fails for everybody, controls included: its own outage, in no country."""
    begun = watched.mark()
    watched.lab.internet.down(*X_HOSTS)
    watched.await_confirmed("outage", platform="x", country="")
    watched.end(begun, "outage")
    row = watched.newest("outage")
    assert (row["country"], row["platform"]) == ("", "x")


@pytest.mark.soak
def test_controls_dark_as_well(watched: Watched) -> None:
    """Everything is lost at once, controls included: our own fault, and no country's."""
    begun = watched.mark()
    cuts: list[Callable[[], object]] = [watched.lab.network(name).cut for name in NETWORKS]
    cuts += [control.kill for control in watched.lab.controls]
    # At once, however busy the machine: else the first one is a vantage that fell silent alone.
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda one: one(), cuts))
    watched.await_confirmed("instrument", country="")
    watched.end(begun, "instrument")
