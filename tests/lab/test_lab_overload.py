"""Servers and resolvers with too much to do, seen with plain sockets."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.lab import Lab
from tests.lab.overload import Overload

pytestmark = pytest.mark.lab
RUNS = 60


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    """One network."""
    with Lab() as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Iterator[Lab]:
    """As new for each story."""
    yield running
    running.reset()


def greet(lab: Lab, times: int = RUNS, timeout: float = 2.0) -> list[dict[str, Any]]:
    """Many handshakes with one host."""
    address = lab.internet.address("x.com")
    look = {"kind": "tls", "address": address, "port": 443, "sni": "x.com", "timeout": timeout}
    return lab.look_many([look] * times, at_once=20)


def kinds(seen: list[dict[str, Any]]) -> Counter[str]:
    """How often which exception, or none."""
    return Counter(look.get("error", "") for look in seen)


def test_the_same_seed_gives_the_same_fates() -> None:
    """Each fate has its share of the draws, and the seed decides the sequence."""
    given = {"reset": 0.2, "eof": 0.1, "silence": 0.1, "late": 0.3}
    one, same, other = (Overload(**given, seed=seed) for seed in (1, 1, 2))
    fates = [one.fate() for _ in range(1000)]
    assert fates == [same.fate() for _ in range(1000)] != [other.fate() for _ in range(1000)]
    seen = Counter(what if what or not late else "late" for what, late in fates)
    assert all(abs(seen[what] / 1000 - share) < 0.05 for what, share in given.items())
    assert all(0.5 <= late <= 8 for _, late in fates if late)


def test_a_host_with_too_much_to_do(lab: Lab) -> None:
    """Some are reset, some hung up on, some ignored, the rest served; then all are again."""
    lab.internet.overload("x.com", reset=0.3, eof=0.2, silence=0.1, seed=4)
    seen = kinds(greet(lab))
    hung_up = {"SSLEOFError", "SSLZeroReturnError"} & set(seen)  # as this Python calls it
    assert set(seen) - hung_up == {"ConnectionResetError", "TimeoutError", ""}
    assert len(hung_up) == 1
    assert 8 < seen["ConnectionResetError"] < 28
    assert 1 < seen["TimeoutError"] < 14
    lab.internet.overload("x.com")
    assert kinds(greet(lab)) == {"": RUNS}


def test_late_answers(lab: Lab) -> None:
    """Who waits long enough gets the answer that others do not wait for."""
    lab.internet.overload("x.com", late=1.0, least=0.5, most=0.7)
    assert kinds(greet(lab, 10, timeout=0.3)) == {"TimeoutError": 10}
    seen = greet(lab, 10)
    assert kinds(seen) == {"": 10}
    assert all(look["seconds"] > 0.5 for look in seen)


def test_nobody_is_accepted_now_and_then(lab: Lab) -> None:
    """Closed for a while, and open again by itself. A client whose connection still waits to be
    accepted when the server closes is reset, as by any kernel; whether one waits is chance.
    """
    lab.internet.overload("x.com", open=0.2, closed=0.2, seed=3)
    seen = [kinds(greet(lab, 5)) for _ in range(40)]
    together = sum(seen, Counter())
    assert set(together) - {"ConnectionResetError"} == {"ConnectionRefusedError", ""}
    assert together["ConnectionResetError"] < together["ConnectionRefusedError"]
    lab.internet.overload("x.com")
    assert kinds(greet(lab)) == {"": RUNS}


def test_a_slow_resolver(lab: Lab) -> None:
    """Answers come late or not at all, for this resolver alone."""
    network = lab.networks[0]
    ask = {"kind": "dns", "server": network.resolver, "name": "x.com", "timeout": 1.5}
    lab.internet.overload(network.resolver, silence=0.3, late=1.0, least=0.3, most=0.5, seed=2)
    seen = lab.look_many([ask] * RUNS, at_once=30)
    assert 8 < kinds(seen)["TimeoutError"] < 30
    assert all(look["seconds"] > 0.25 for look in seen)
    other = lab.look_many([{**ask, "server": "8.8.8.8"}] * 3)
    assert min(look["seconds"] for look in other) < 0.25
    lab.internet.overload(network.resolver)
    assert kinds(lab.look_many([ask] * RUNS)) == {"": RUNS}
