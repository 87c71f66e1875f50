"""What fails for a part of people: one address family, some addresses, some connections.

Each is one network of one lab, tested by the real command in one run. There are two runs: every
control is behind a proxy that resolves names, or one of them is not. In CI each network is in one
of them, and of each kind there is one in both; `make soak` has all in both.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import pytest

from tests.lab.hosts import BLOCK_PAGE
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.matrix import Scenario
from tests.scenarios.matrix_parts import DENIED, INJECTED_DENIAL, PARTIAL
from tests.scenarios.story import Line, Seen, once
from tests.scenarios.test_lasting_faults import X_HOSTS

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]

X_NAMES = ["x.com", ".x.com", "twitter.com", ".twitter.com", ".twimg.com", "t.co"]
ANY_NAME = [*X_NAMES, "www.example.com"]
ANY_V4 = ["0.0.0.0/0"]


def _denied(network: Network) -> None:
    network.unroute(6)
    network.block(dns=X_NAMES, qtypes=["A"], how="empty")


def _over_ipv4(network: Network, how: str, address: str) -> None:
    network.block(dns=X_NAMES, qtypes=["A"], how=how, answer=[address])


BLOCKS: dict[str, Callable[[Network], object]] = {
    "v4-ip-drop": lambda n: n.block(address=X_HOSTS, family=4, how="drop", transports=["tcp"]),
    "v4-ip-refused": lambda n: n.block(address=X_HOSTS, family=4, how="reset", transports=["tcp"]),
    "v4-sni-drop": lambda n: n.block(sni=X_NAMES, address=ANY_V4, how="drop"),
    "v4-sni-reset": lambda n: n.block(sni=X_NAMES, address=ANY_V4, how="reset"),
    "v6-sni-reset": lambda n: n.block(sni=X_NAMES, address=["::/0"], how="reset"),
    "v4-any-reset": lambda n: n.block(sni=ANY_NAME, address=X_HOSTS, family=4, how="reset"),
    "v6-any-reset": lambda n: n.block(sni=ANY_NAME, address=X_HOSTS, family=6, how="reset"),
    "v4-dns-nxdomain": lambda n: n.block(dns=X_NAMES, qtypes=["A"], how="nxdomain"),
    "v4-dns-empty": lambda n: n.block(dns=X_NAMES, qtypes=["A"], how="empty"),
    "v4-dns-injected": lambda n: _over_ipv4(n, "inject", "8.7.198.46"),
    "v4-dns-page": lambda n: _over_ipv4(n, "address", BLOCK_PAGE[0]),
    "ipv4-only-denied": _denied,
    "injected-denial": lambda n: n.block(
        dns=X_NAMES, how="inject", answer=["10.10.34.35"], resolver="any"
    ),
    "half-reset": lambda n: n.block(sni=X_NAMES, how="reset", turns=(2, 3)),
    "half-drop": lambda n: n.block(sni=X_NAMES, how="drop", turns=(2, 3)),
    "half-of-all-reset": lambda n: n.block(sni=ANY_NAME, how="reset", chance=0.4, seed=13),
}
"""Network → what happens there. In the last it is the server, or the line, and not the name. Less
than half are cut off, so that hardly ever all attempts at a function are. Where it is the name, two
in five are, in turn: how many of those counted does not depend on luck."""
ONE_ADDRESS = {"one-of-two-dropped": "drop", "one-of-two-refused": "reset"}
EVERY = [*BLOCKS, *ONE_ADDRESS]
ROWS = (*PARTIAL, DENIED, INJECTED_DENIAL)
BY_CHANCE = [row for row in PARTIAL if row.answer.rule_id == "partial.flows"]
"""Where the order of tests decides which functions notice."""
IN_PART = ("partial", "degraded")
LOOKS = 5
DIRECT = [
    *("v4-ip-drop", "v4-sni-reset", "v6-any-reset", "v4-dns-empty"),
    *("half-drop", "half-of-all-reset", "one-of-two-refused"),
]
"""One of each kind."""
PROXIES = [name for name in EVERY if name not in DIRECT or name == "half-of-all-reset"]
RUNS = {
    "proxies": (0, PROXIES),
    "proxies-all": (0, EVERY),
    "direct": (1, DIRECT),
    "direct-all": (1, EVERY),
}
"""Run → how many controls are not behind a proxy, and the networks but for the clean one."""


def _marks(run: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.soak] if run.endswith("-all") else []


EACH_RUN = [pytest.param(run, marks=_marks(run)) for run in RUNS]


def _each(rows: Iterable[Scenario]) -> list[object]:
    """The rows in each run that has their network."""
    return [
        pytest.param(row, run, id=f"{row.name}-{run}", marks=_marks(run))
        for row in rows
        for run, (_, stories) in RUNS.items()
        if row.name in stories
    ]


def _seen(direct: int, stories: Sequence[str]) -> Seen:
    names = [*stories, "clean"]
    networks = [LabNetwork(name, asn=64500 + i) for i, name in enumerate(names)]
    with Lab(networks, controls=1, direct=direct) as lab:
        for name in BLOCKS.keys() & names:
            BLOCKS[name](lab.network(name))
        first = [lab.internet.address("x.com"), lab.internet.address("x.com", 6)]
        for name in ONE_ADDRESS.keys() & names:
            lab.network(name).block(address=first, how=ONE_ADDRESS[name], transports=["tcp"])
        return once(lab, egress="interface", timeout=600, platforms=["x", "threads"])


def _counted(seen: Seen, row: Scenario) -> list[Line]:
    """What says how many of the connections from that network fail."""
    return [
        one
        for one in seen.lines
        if (one["vantage"], one.get("rule_id")) == (row.name, "partial.flows")
    ]


def _in_part(seen: Seen, row: Scenario) -> bool:
    """Whether some connections of that network worked, and others were counted as cut off."""
    counted = "endpoint" in {one["kind"] for one in _counted(seen, row)}
    return counted and seen.platform(row.name, "x")["state"] in IN_PART


@pytest.fixture(scope="module")
def runs() -> Callable[[str], Seen]:
    """One of RUNS. Where a share of connections is cut off, who tries again mostly gets through: a
    look may notice nothing, or lose every attempt at a function, which is then blocked, or not
    decided. Such a look is taken again."""

    @cache
    def run(name: str) -> Seen:
        direct, stories = RUNS[name]
        by_chance = [row for row in BY_CHANCE if row.name in stories]
        for _ in range(LOOKS):
            seen = _seen(direct, stories)
            if all(_in_part(seen, row) for row in by_chance):
                break
        return seen

    return run


@pytest.mark.parametrize(("row", "run"), _each(row for row in ROWS if row not in BY_CHANCE))
def test_a_part_that_fails_is_told_with_its_share(
    runs: Callable[[str], Seen], row: Scenario, run: str
) -> None:
    """Whatever controls there are. The verdict says which part, unless nothing else is left."""
    platform = runs(run).platform(row.name, "x")
    keys = ("state", "rule_id", "method", "sub_method", "evidence")
    assert {key: platform[key] for key in keys} == {key: getattr(row.answer, key) for key in keys}
    assert platform["family"] == {"v4": "ipv4", "v6": "ipv6"}.get(row.name[:2], "")
    assert platform["share"] == (0.5 if row.name in ONE_ADDRESS else None)


@pytest.mark.parametrize(("row", "run"), _each(BY_CHANCE))
def test_a_share_of_connections_is_told(
    runs: Callable[[str], Seen], row: Scenario, run: str
) -> None:
    """Who tries again gets through, so each function that notices counts, and says how many."""
    seen = runs(run)
    assert seen.platform(row.name, "x")["state"] in IN_PART
    counted = _counted(seen, row)
    endpoints = [one for one in counted if one["kind"] == "endpoint"]
    assert {one["state"] for one in endpoints} == {"partial"}
    assert "conclusive" in {one["evidence"] for one in endpoints}
    assert {(one["method"], one["sub_method"]) for one in counted} == {
        (row.answer.method, row.answer.sub_method)
    }
    shares = [one["share"] for one in endpoints]
    assert all(0.15 <= share <= 0.85 for share in shares)


@pytest.mark.parametrize("run", EACH_RUN)
def test_what_fails_for_every_name_accuses_nobody(runs: Callable[[str], Seen], run: str) -> None:
    """Four in ten connections are cut off, with the innocuous name as often: a faulty server."""
    seen = runs(run)
    assert seen.platform("half-of-all-reset", "x")["state"] in ("ok", "insufficient")


@pytest.mark.parametrize("run", EACH_RUN)
def test_nobody_else_is_accused(runs: Callable[[str], Seen], run: str) -> None:
    """Neither the platform that works, nor anybody on the clean network."""
    seen = runs(run)
    accused = {
        (one["vantage"], one["platform"])
        for one in seen.accusations()
        if one["kind"] == "platform" or one["vantage"] == "clean"
    }
    assert accused == {(row.name, "x") for row in ROWS if row.name in RUNS[run][1]}
