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
    """Two networks drop all addresses of X, X moves to new ones, and those are dropped as well: one
    event by the shipped settings, confirmed, recovering and blocked again, by tcp.timeout. A test
    that runs as a drop begins has its connection already and goes silent later."""
    networks = [LabNetwork("vivo", 27699, "BR"), LabNetwork("claro", 28573, "BR")]
    known = {host.name: host for host in hosts.ALL}
    twice = [msgspec.structs.replace(known[name], addresses=2) for name in X_HOSTS]
    with Lab(networks, controls=1, direct=1, more_hosts=twice) as lab:
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

            def drop(addresses: list[str]) -> None:
                for network in networks:
                    lab.network(network.name).block(address=addresses, how="drop")

            def told(*changes: str) -> bool:
                steps = ("opened", "confirmed", "recovering", "reblocked", "ended", "reopened")
                said = [line["change"] for line in monitor.said("event")]
                return [change for change in said if change in steps] == list(changes)

            def works() -> bool:
                return all(monitor.platform_states(one.name) == {"x": "ok"} for one in networks)

            wait_for(works, "ok on both networks", 60)
            drop(homes[0])
            wait_for(lambda: told("opened", "confirmed"), "a confirmed event", 60)
            move(1)
            wait_for(lambda: told("opened", "confirmed", "recovering"), "recovery", 60)
            drop(homes[1])
            wait_for(
                lambda: told("opened", "confirmed", "recovering", "reblocked"), "another drop", 60
            )
            lines = monitor.said("event")
        assert len({line["event_id"] for line in lines}) == 1
        assert lines[-1]["state"] == "confirmed"
        methods = set(lines[-1]["methods"])
        assert "tcp.timeout" in methods
        assert methods <= {"tcp.timeout", "tls.timeout", "http.timeout"}
