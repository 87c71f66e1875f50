"""A censor who drops addresses, and a platform that moves, under a running monitor."""

import msgspec
import pytest

from tests.e2e.running import running, wait_for
from tests.e2e.watching import BRISK, X_HOSTS
from tests.lab import hosts
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


def test_addresses_dropped_twice_are_one_block() -> None:
    """All addresses of X are dropped, X moves to new ones, and those are dropped as well: one event
    by the shipped settings, confirmed, recovering and blocked again, by tcp.timeout alone."""
    known = {host.name: host for host in hosts.ALL}
    twice = [msgspec.structs.replace(known[name], addresses=2) for name in X_HOSTS]
    with Lab([LabNetwork("vivo", 27699, "BR")], controls=1, direct=1, more_hosts=twice) as lab:
        homes: tuple[list[str], list[str]] = ([], [])

        def move(to: int) -> None:
            for name in X_HOSTS:
                v4 = [a for a in lab.internet.addresses[name] if ":" not in a]
                v6 = [a for a in lab.internet.addresses[name] if ":" in a]
                homes[to].extend((v4[to], v6[to]))
                lab.internet.lie(name, "address", answer=[v4[to], v6[to]])

        move(0)
        config = write_config(lab, interval="5s", platforms=["x"], probe=BRISK)
        with running(lab, config) as monitor:

            def becomes(state: str) -> None:
                wait_for(lambda: monitor.platform_states("vivo") == {"x": state}, state, 60)

            def told(*changes: str) -> bool:
                steps = ("opened", "confirmed", "recovering", "reblocked", "ended", "reopened")
                said = [line["change"] for line in monitor.said("event")]
                return [change for change in said if change in steps] == list(changes)

            becomes("ok")
            lab.network("vivo").block(address=homes[0], how="drop")
            wait_for(lambda: told("opened", "confirmed"), "a confirmed event", 60)
            move(1)
            wait_for(lambda: told("opened", "confirmed", "recovering"), "recovery", 60)
            lab.network("vivo").block(address=homes[1], how="drop")
            wait_for(
                lambda: told("opened", "confirmed", "recovering", "reblocked"), "another drop", 60
            )
            lines = monitor.said("event")
        assert len({line["event_id"] for line in lines}) == 1
        assert (lines[-1]["state"], lines[-1]["methods"]) == ("confirmed", ["tcp.timeout"])
