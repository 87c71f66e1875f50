"""`doctor` blames a proxy for what the proxy does, in its words, and names the remedy."""

from pathlib import Path

import pytest

from monitor.wording.findings import What
from tests.worlds.doctor_world import PASSWORD, USER, told, world
from tests.worlds.loopback import Conversation, Handler, forever, serving


def socks(method: int, reply: int) -> Handler:
    """A SOCKS5 proxy that chooses this way to log in, and answers this to every request."""

    async def handle(one: Conversation) -> None:
        await one.exactly((await one.exactly(2))[1])
        await one.send(bytes([5, method]))
        await one.receive()
        await one.send(bytes([5, reply, 0, 1, *bytes(6)]))

    return handle


def http(status: int) -> Handler:
    """An HTTP proxy that answers this status to every request."""

    async def handle(one: Conversation) -> None:
        await one.request()
        await one.send(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())

    return handle


async def plain(one: Conversation) -> None:
    """A proxy that speaks no TLS."""
    await one.receive()
    await one.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


LOGIN = f"{USER}:{PASSWORD}@"


@pytest.mark.parametrize(
    ("proxy", "scheme", "what", "problem", "remedy"),
    [
        (socks(0, 2), "socks5://", What.PROXY_LEADS_NOWHERE, "(not allowed by its rules)", "log"),
        (socks(0, 1), "socks5://", What.PROXY_LEADS_NOWHERE, "(general failure)", "log"),
        (socks(0, 5), "socks5://", What.PROXY_LEADS_NOWHERE, "(the connection was refused)", "log"),
        (forever, "socks5://", What.PROXY_LEADS_NOWHERE, "(no answer in time)", "log"),
        (http(500), "connect://", What.PROXY_LEADS_NOWHERE, "(status 500)", "log"),
        (socks(255, 0), "socks5://", What.PROXY_LOGIN, "asks for a user name", "USER:PASSWORD@"),
        (http(407), "connect://", What.PROXY_LOGIN, "asks for a user name", "USER:PASSWORD@"),
        (http(407), f"connect://{LOGIN}", What.PROXY_PASSWORD, "refused user", "Correct both"),
        (http(403), "connect://", What.PROXY_REFUSES, "status 403", "rules admit this machine"),
        (http(403), f"connect://{LOGIN}", What.PROXY_REFUSES, "status 403", "rules admit"),
        (plain, "connect+tls://", What.PROXY_TLS, "(the TLS handshake failed)", "connect://"),
    ],
)
async def test_a_proxy_is_blamed_for_what_it_does(
    tmp_path: Path, proxy: Handler, scheme: str, what: What, problem: str, remedy: str
) -> None:
    """Not the cable of this machine; and a login is only asked for where the proxy asks for one."""
    async with serving(proxy) as port, world(tmp_path) as made:
        before = f"socks5://{USER}:{PASSWORD}@127.0.0.1:{made.ports['proxy']}"
        checked = await made.examined(
            lambda text: text.replace(before, f"{scheme}127.0.0.1:{port}")
        )
    found = told(checked)
    assert set(found) - {What.TARGET_REACHED} == {what}
    assert f"its proxy 127.0.0.1:{port}" in found[what][0]
    assert problem in found[what][0]
    assert remedy in found[what][1]
    assert PASSWORD not in str(found)


async def test_a_line_that_is_down_behind_a_proxy_is_no_fault_of_the_proxys(tmp_path: Path) -> None:
    """The proxy connects, and what it connects to says nothing."""
    async with serving(socks(0, 0)) as port, world(tmp_path) as made:
        before = f"socks5://{USER}:{PASSWORD}@127.0.0.1:{made.ports['proxy']}"
        checked = await made.examined(
            lambda text: text.replace(before, f"socks5://127.0.0.1:{port}")
        )
    assert set(told(checked)) == {What.TARGET_REACHED, "vantage.offline"}
