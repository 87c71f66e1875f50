"""Guessers slow themselves down, and nobody else."""

import asyncio
import base64

import pytest

from monitor.config.settings import ServerSettings
from monitor.keys.passwords import User, new_user
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.server.access import Access
from monitor.server.connection_limits import source_of
from monitor.server.sign_in import MOST_WAITING, WAITING, Answer, SignIn
from tests.prometheus import world
from tests.worlds.http_client import httpx

PASSWORD = "correct horse battery"  # noqa: S105 - made up
PROXY = "10.1.1.1"


@pytest.fixture(scope="module")
def asma() -> User:
    """Somebody who may look, whose password costs little to check."""
    return new_user("asma", PASSWORD, log2_n=10)


async def status(
    access: Access, password: str, address: str, passed_on: str = "", path: str = "/-/x"
) -> int:
    """What a request from an address with this password gets."""
    publisher = world.publisher()
    app = create_app(publisher, create_registry(publisher), access=access)
    basic = base64.b64encode(f"asma:{password}".encode()).decode()
    headers = {"authorization": f"Basic {basic}"}
    if passed_on:
        headers["x-forwarded-for"] = passed_on
    transport = httpx.ASGITransport(app=app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as client:
        return (await client.get(path, headers=headers)).status_code


async def test_guessers_lock_nobody_else_out(asma: User) -> None:
    """The attack: eight places guess without a pause. Each is slowed down; the right password,
    given for the first time and from elsewhere, is let in at once."""
    access = Access(ServerSettings(users=(asma,)), clock=lambda: 0.0)
    for place in range(8):
        codes = [await status(access, f"guess {n}", f"192.0.2.{place}") for n in range(12)]
        assert codes == [401] * 10 + [429] * 2
    assert await status(access, PASSWORD, "192.0.2.1") == 429, "the place of a guesser"
    assert await status(access, PASSWORD, "198.51.100.7", path="/") == 200


@pytest.mark.parametrize(
    ("proxies", "address", "passed_on", "locked_out"),
    [
        ((PROXY,), PROXY, "198.51.100.7", False),
        (("10.0.0.0/8",), PROXY, "192.0.2.9, 198.51.100.7, 10.2.2.2", False),
        ((PROXY,), PROXY, "198.51.100.7, 192.0.2.9", True),
        ((), PROXY, "198.51.100.7", False),
        ((), "192.0.2.9", "198.51.100.7", True),
        ((PROXY,), "192.0.2.9", "198.51.100.7", True),
    ],
    ids=["one proxy", "two", "what the guesser wrote", "unknown proxy", "no proxy", "not a proxy"],
)
async def test_only_proxies_say_where_a_request_comes_from(
    proxies: tuple[str, ...], address: str, passed_on: str, asma: User, *, locked_out: bool
) -> None:
    """Behind a proxy places are still told apart, and nobody can pose as another one."""
    access = Access(ServerSettings(users=(asma,), proxies=proxies), clock=lambda: 0.0)
    for n in range(11):
        await status(access, f"guess {n}", "192.0.2.9")
    assert await status(access, PASSWORD, address, passed_on, "/") == (429 if locked_out else 200)


async def test_who_gave_fewest_wrong_ones_is_next() -> None:
    """While a password is checked others wait; one from a place without a wrong one waits for none
    of them, whenever it came, and too many at once give way."""
    sign_in = SignIn(lambda: 0.0)
    order: list[str] = []
    go_on = asyncio.Event()

    async def wrong(source: str) -> bool:
        order.append(source)
        await go_on.wait()
        return False

    def give(source: str) -> "asyncio.Task[Answer]":
        return asyncio.ensure_future(sign_in.check(source, lambda: wrong(source)))

    go_on.set()
    for n in range(MOST_WAITING):
        assert await give(f"guesser {n}") is Answer.WRONG
    go_on.clear()
    order.clear()
    guesses = [give(f"guesser {n}") for n in range(MOST_WAITING)]
    await asyncio.sleep(0)
    more = [give(f"guesser {MOST_WAITING - 1}") for _ in range(WAITING + 1)]
    late = give("somebody else")
    await asyncio.sleep(0)
    assert order == ["guesser 0", "somebody else"]
    go_on.set()
    assert await late is Answer.WRONG
    answers = await asyncio.gather(*guesses, *more)
    assert answers.count(Answer.NOT_NOW) >= 3
    assert await give("guesser 1") is Answer.WRONG, "nothing is held for ever"


async def test_one_who_leaves_holds_nothing() -> None:
    """A request given up while it waits, or while its password is checked, blocks nobody."""
    sign_in = SignIn(lambda: 0.0)
    forever = asyncio.Event()

    async def slow() -> bool:
        return await forever.wait()

    async def right() -> bool:
        return True

    checking = asyncio.ensure_future(sign_in.check("a", slow))
    waiting = asyncio.ensure_future(sign_in.check("b", right))
    await asyncio.sleep(0.01)
    for one in (waiting, checking):
        one.cancel()
    await asyncio.gather(checking, waiting, return_exceptions=True)
    async with asyncio.timeout(5):
        assert await sign_in.check("c", right) is Answer.RIGHT


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("testclient", ""),
        ("", ""),
    ],
)
def test_a_source_is_an_address_or_a_network(address: str, source: str) -> None:
    """Somebody with a /64 has one place, not 2⁶⁴."""
    assert source_of(address) == source
