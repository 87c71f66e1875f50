"""`shutwatch control serve` with the real prober behind it, on loopback."""

import asyncio
import contextlib
import socket
import stat
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from monitor.config.catalog import shipped_catalog
from monitor.config.load import load_config
from monitor.control import exit_server
from monitor.control.admitted import Place, admitted
from monitor.control.exit_server import ExitServer
from monitor.control.identity import USER, identity, lines, way_out
from monitor.control.limits import Limits
from probes.layers.bogon import BogonList
from probes.layers.http import HttpClient
from probes.measure.prober import Prober
from probes.measurement import EgressObservation, HttpObservation, Measurement, TcpObservation
from probes.target import Target
from probes.vantage import VantagePoint, VantageRole
from tests.unit.probes.measure.test_prober_sockets import PATIENT, page, target
from tests.worlds.loopback import Conversation, honest_context, network, serving

NAME = "x.com"
NOTHING: frozenset[str] = frozenset()


class Exit:
    """A running exit, and what it resolved."""

    def __init__(self, server: ExitServer, config: Path) -> None:
        self.server = server
        self.config = config
        self.resolved: list[str] = []

    def vantage(self, *, changed: Sequence[tuple[str, str]] = ()) -> VantagePoint:
        """The vantage that the pasted lines make, with any text in them changed."""
        text = self.config.read_text("utf-8")
        for old, new in changed:
            assert old in text
            text = text.replace(old, new)
        other = self.config.with_name("changed.toml")
        other.write_text(text, "utf-8")
        made, _ = load_config(other, {}).vantages
        return made


@contextlib.asynccontextmanager
async def serving_exit(
    folder: Path,
    *places: Place,
    leads_to: str = "127.0.0.1",
    reserved: BogonList | frozenset[str] = NOTHING,
    limits: Limits = Limits(),  # noqa: B008 # never changes
) -> AsyncIterator[Exit]:
    """An exit for these places, where every name leads to one address."""
    made, password = identity(folder / "control")
    listening = socket.create_server(("127.0.0.1", 0))
    config = folder / "shutwatch.toml"
    pasted = lines(way_out(made, password, "127.0.0.1", listening.getsockname()[1]), "NL")
    config.write_text(f'{pasted}\n[[vantage]]\nid = "khi"\ncountry = "PK"\n', encoding="utf-8")

    async def resolve(host: str, _: int) -> Sequence[str]:
        running.resolved.append(host)
        return [leads_to]

    server = ExitServer(
        frozenset(places),
        made.login,
        made.context(),
        limits,
        resolve=resolve,
        reserved=reserved,
    )
    running = Exit(server, config)
    task = asyncio.create_task(server.serve(listening))
    try:
        yield running
    finally:
        task.cancel()
        await asyncio.wait([task])
        listening.close()


async def measure(vantage: VantagePoint, wanted: Target) -> Measurement:
    """By the real prober, through the vantage's egress."""
    prober = Prober(
        vantage,
        network(vantage.egress),
        PATIENT,
        HttpClient(),
        resolvers=list,
        now=lambda: datetime.now(UTC),
    )
    return await prober.measure(wanted)


def at_fault(measurement: Measurement) -> list[str]:
    """What the proxy itself did wrong."""
    found = [one for one in measurement.observations if isinstance(one, EgressObservation)]
    return [one.reply or str(one.failure) for one in found]


def far_side(measurement: Measurement) -> list[str | None]:
    """What the proxy said of its connections."""
    return [o.failure for o in measurement.observations if isinstance(o, TcpObservation)]


@pytest.mark.parametrize("scheme", ["socks5+tls", "connect+tls"])
async def test_the_pasted_lines_measure_through_it(tmp_path: Path, scheme: str) -> None:
    """As a control, by either protocol, TLS inside TLS; the name is resolved there."""
    async with (
        serving(page, tls=honest_context(NAME)) as port,
        serving_exit(tmp_path, (NAME, port)) as running,
    ):
        vantage = running.vantage(changed=[("socks5+tls", scheme)])
        assert (vantage.role, vantage.country) == (VantageRole.CONTROL, "NL")
        seen = await measure(vantage, target(f"https://{NAME}:{port}/"))
        assert seen.reached, seen
        (answer,) = [one for one in seen.observations if isinstance(one, HttpObservation)]
        assert (answer.status, answer.title) == (200, "X")
        assert running.resolved == [NAME]
        assert running.server.counts.carried == 1


@pytest.mark.parametrize(
    "url",
    ["https://not-listed.example/", "https://192.168.1.1/", "https://10.0.0.1/", "https://[::1]/"],
)
async def test_attack_nothing_outside_the_catalogue_is_reached(tmp_path: Path, url: str) -> None:
    """Neither another host nor the network at home, by its address. By SOCKS5 that is no failure of
    the platform's, and by CONNECT it is the proxy's."""
    async with serving_exit(tmp_path, (NAME, 443)) as running:
        seen = await measure(running.vantage(), target(url))
        assert (seen.reached, far_side(seen)) == (False, ["permission_denied"])
        http = running.vantage(changed=[("socks5+tls", "connect+tls")])
        seen = await measure(http, target(url))
        assert at_fault(seen) == ["the proxy refused us with status 403"]
        assert (running.resolved, running.server.counts.carried) == ([], 0)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "::ffff:127.0.0.1", "224.0.0.1"],
)
async def test_attack_a_name_that_leads_home_is_not_followed(tmp_path: Path, address: str) -> None:
    """A listed name whose owner has it point into the server's own network, or to its cloud's
    address for secrets."""
    reached = []

    async def note(peer: Conversation) -> None:
        reached.append(peer)

    async with (
        serving(note) as port,
        serving_exit(tmp_path, (NAME, port), leads_to=address, reserved=BogonList()) as running,
    ):
        seen = await measure(running.vantage(), target(f"https://{NAME}:{port}/"))
        assert (seen.reached, far_side(seen)) == (False, ["permission_denied"])
        assert (running.resolved, reached) == ([NAME], [])


@pytest.mark.parametrize("scheme", ["socks5+tls", "connect+tls"])
async def test_attack_a_wrong_password_gets_nothing(tmp_path: Path, scheme: str) -> None:
    """Nor another user; it takes a second, and the vantage is at fault, not the platform."""
    async with serving_exit(tmp_path, (NAME, 443)) as running:
        vantage = running.vantage(changed=[("socks5+tls", scheme), (f"{USER}:", f"{USER}:x")])
        before = asyncio.get_running_loop().time()
        seen = await measure(vantage, target(f"https://{NAME}/"))
        assert asyncio.get_running_loop().time() - before >= 1.0
        assert at_fault(seen) in (
            ["the proxy refused user name and password"],
            ["the proxy refused us with status 407"],
        )
        assert running.resolved == []


async def test_attack_another_certificate_is_sent_no_password(tmp_path: Path) -> None:
    """Whoever answers in the exit's place, with a certificate of a public authority even, ends
    there."""
    heard = []

    async def listen(peer: Conversation) -> None:
        heard.append(await peer.receive())

    async with (
        serving_exit(tmp_path, (NAME, 443)) as running,
        serving(listen, tls=honest_context(NAME)) as port,
    ):
        own = running.vantage().egress
        egress = msgspec.structs.replace(own, proxy_port=port)
        vantage = msgspec.structs.replace(running.vantage(), egress=egress)
        seen = await measure(vantage, target(f"https://{NAME}/"))
        (fault,) = at_fault(seen)
        assert "another certificate than the one in the configuration" in fault
        assert heard in ([], [b""])


async def test_more_connections_than_allowed_are_not_about_the_platform(tmp_path: Path) -> None:
    """The exit hangs up: the vantage is at fault, and a platform is not called down."""
    held = asyncio.Event()

    async def hold(peer: Conversation) -> None:
        await held.wait()
        await page(peer)

    async with (
        serving(hold, tls=honest_context(NAME)) as port,
        serving_exit(tmp_path, (NAME, port), limits=Limits(connections=1)) as running,
    ):
        url = target(f"https://{NAME}:{port}/")
        first = asyncio.create_task(measure(running.vantage(), url))
        while not running.server.counts.carried:  # noqa: ASYNC110 # it tells nobody
            await asyncio.sleep(0.01)
        second = await measure(running.vantage(), url)
        assert at_fault(second) == ["the proxy hung up or spoke another protocol"]
        assert far_side(second) == []
        held.set()
        assert (await first).reached
        assert (await measure(running.vantage(), url)).reached


async def test_a_day_has_a_limit_of_bytes(tmp_path: Path) -> None:
    """What is over it is cut off, and nobody gets in any more until it is refilled."""
    async with (
        serving(page, tls=honest_context(NAME)) as port,
        serving_exit(tmp_path, (NAME, port), limits=Limits(daily_bytes=1000)) as running,
    ):
        url = target(f"https://{NAME}:{port}/")
        assert not (await measure(running.vantage(), url)).reached
        seen = await measure(running.vantage(), url)
        assert at_fault(seen) == ["the proxy hung up or spoke another protocol"]
        assert running.server.counts.carried == 1


async def test_attack_silent_strangers_keep_nobody_out(tmp_path: Path) -> None:
    """As many connections as may enter at once, and more: the oldest makes room."""
    async with (
        serving(page, tls=honest_context(NAME)) as port,
        serving_exit(tmp_path, (NAME, port)) as running,
    ):
        proxy = running.vantage().egress
        crowd = [
            await asyncio.open_connection(proxy.proxy_host, proxy.proxy_port)
            for _ in range(exit_server.ENTERING + 20)
        ]
        assert (await measure(running.vantage(), target(f"https://{NAME}:{port}/"))).reached
        for _, writer in crowd:
            writer.close()


async def test_it_logs_nobody(tmp_path: Path) -> None:
    """Neither who came nor what they asked for, whether they were let in or not."""
    with capture_logs() as logged:
        async with (
            serving(page, tls=honest_context(NAME)) as port,
            serving_exit(tmp_path, (NAME, port)) as running,
        ):
            await measure(running.vantage(), target(f"https://{NAME}:{port}/"))
            await measure(running.vantage(), target("https://not-listed.example/"))
            assert (running.server.counts.carried, running.server.counts.refused) == (1, 1)
    assert logged == []


def test_what_the_catalogue_tests_is_admitted_and_no_more() -> None:
    """Every endpoint and reference by TCP, at its port alone; sites by their usual names, since
    they redirect among those."""
    catalog = shipped_catalog()
    places = admitted(catalog)
    listed = {
        (one.host, one.port)
        for platform in catalog.platforms
        for function in platform.functions
        for one in (*function.endpoints, *function.transfer)
        if one.kind not in ("dns", "stun", "ntp")
    }
    assert listed <= places
    assert {("x.com", 443), ("www.x.com", 80), ("www.wikipedia.org", 443)} <= places
    for other in (("x.com", 22), ("evil.x.com", 443), ("127.0.0.1", 443), ("", 443)):
        assert other not in places
    bare = {host for host, port in places if port == 53}
    assert bare == set()


def test_the_password_is_shown_once_and_kept_by_nobody(tmp_path: Path) -> None:
    """Of it the digest alone is stored, in files of the owner's; another one ends it."""
    made, password = identity(tmp_path / "c")
    again, shown = identity(tmp_path / "c")
    assert (again, shown) == (made, "")
    assert made.login(USER, password)
    assert not made.login(USER, "")
    assert not made.login("root", password)
    files = list((tmp_path / "c").iterdir())
    assert all(password.encode() not in file.read_bytes() for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    other, new = identity(tmp_path / "c", new_password=True)
    assert other.pin == made.pin
    assert other.login(USER, new)
    assert not other.login(USER, password)
