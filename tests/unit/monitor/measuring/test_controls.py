"""Control on demand: begun late enough, shared by who may share it, and over HTTP/3 if wanted."""

import asyncio
import errno
import gc
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec
import pytest

from monitor.budget.budget import Spent
from monitor.budget.ledger import BudgetSpentError, Ledger
from monitor.config.settings import Settings
from monitor.measuring.controls import KEPT, LocalControls
from monitor.measuring.probers import Probers
from probes.catalog.catalog import Catalog
from probes.catalog.endpoint_text import parse_endpoint
from probes.failure_strings import Failure
from probes.measure.follow_up_reasons import Reason
from probes.measure.transfer import TransferPlan
from probes.measurement import Layer, Measurement, Purpose, TlsObservation
from probes.settings import ProbeSettings
from probes.target import Dial, Target
from probes.testing import HANG, Peer, ScriptedNetwork, VirtualClockLoop, reset_by_peer
from probes.vantage import Egress, EgressKind, VantagePoint, VantageRole
from tests.worlds.build import START, reference

LOOP = VirtualClockLoop
SITE = "203.0.113.10"
PAGE = b'HTTP/1.1 200 OK\r\nAlt-Svc: h3=":443"\r\nContent-Length: 0\r\n\r\n'
SOCKS = (b"\x05\x00", b"\x05\x00\x00\x01" + bytes(6))
DIRECT = VantagePoint(id="ctl-ams", country="NL", role=VantageRole.CONTROL)
PROXIED = VantagePoint(
    id="ctl-fra",
    country="DE",
    role=VantageRole.CONTROL,
    egress=Egress(kind=EgressKind.SOCKS5, proxy_host="192.0.2.1", proxy_port=1080),
)
PROBE = ProbeSettings(rate=10_000, bogon_allow=("203.0.113.0/24",), daily_bytes=4_000_000)
TARGET = Target(platform="x", function="web", endpoint=parse_endpoint(f"https://{SITE}/"))


def now() -> datetime:
    """The event loop's time."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())


class World:
    """A site that answers over TCP, is silent over UDP, and can be reached by proxy."""

    def __init__(self) -> None:
        self.network = ScriptedNetwork(families=("ipv4",))
        self.network.peer(SITE, 443, Peer(replies=(PAGE,)))
        self.network.peer("192.0.2.1", 1080, Peer(replies=(*SOCKS, PAGE)))

    @asynccontextmanager
    async def local(
        self, *controls: VantagePoint, limited: bool = False
    ) -> AsyncIterator[LocalControls]:
        """The local controls of these vantages; `limited` ones have bytes for a day."""
        catalog = Catalog(platforms=(), references=(reference(SITE),))
        settings = Settings(vantages=controls, catalog=catalog, probe=PROBE)
        self.ledger = Ledger(settings, now=now, limited=limited)
        network, ledger = self.network, self.ledger
        probers = Probers(settings, now=now, make_network=lambda _: network, ledger=ledger)
        async with probers:
            yield LocalControls(probers, controls)

    @property
    def visits(self) -> int:
        """How often the site was connected to, directly."""
        return self.network.connects.count((SITE, 443))


async def asked(
    controls: LocalControls, *quic: bool, after: float = 0.0
) -> list[Sequence[Measurement]]:
    """Requests that come together."""
    moment = START.timestamp() + after
    requests = [controls.measure(TARGET, after=moment, cycle="cycle-1", quic=one) for one in quic]
    return list(await asyncio.gather(*requests))


async def test_attack_questions_for_speed_end_with_the_bytes_of_the_day() -> None:
    """Whoever stole an agent's key has a control fetch 128 KiB some times a minute. Bytes for its
    own tests are left all the same."""
    world = World()
    async with world.local(DIRECT, limited=True) as controls:
        plan = TransferPlan(platform="x", function="web", object=TARGET.endpoint)
        made = [await controls.transfer(plan, cycle=f"cycle-{n}") for n in range(900)]
        answered = sum(map(len, made))
        assert 0 < answered < 900
        assert made[-1] == ()
        assert world.ledger.lasts(DIRECT.id, PROBE.daily_bytes // 4)


async def test_requests_that_come_together_share_a_look() -> None:
    """Several networks fail at once; the site is asked once."""
    world = World()
    async with world.local(DIRECT) as controls:
        (one,), (other,) = await asked(controls, False, False)
    assert one is other
    assert (one.look, one.reached, one.of(Layer.QUIC)) == (Purpose.CONTROL, True, ())
    assert world.visits == 1


async def test_a_look_over_http_3_is_not_shared_with_one_that_is_not() -> None:
    """Whoever failed over QUIC needs a control that tried it; others do not wait for it."""
    world = World()
    async with world.local(DIRECT) as controls:
        (plain,), (first,), (second,) = await asked(controls, False, True, True)
        (again,) = (await asked(controls, True))[0]
    assert first is second is again
    assert plain is not first
    assert plain.of(Layer.QUIC) == ()
    assert [o.failure for o in first.of(Layer.QUIC)] == [Failure.GENERIC_TIMEOUT]
    assert world.visits == 2


async def test_a_look_serves_only_who_failed_before_it_began() -> None:
    """An older "ok" is no control."""
    world = World()
    async with world.local(DIRECT) as controls:
        ((early,),) = await asked(controls, True)
        ((late,),) = await asked(controls, True, after=early.ended_at - START.timestamp())
    assert early is not late
    assert late.started_at.timestamp() >= early.ended_at


async def test_what_nobody_can_share_any_more_is_forgotten() -> None:
    """A name that is blocked for weeks and changes its addresses is another question each time."""
    world = World()
    made: list[weakref.ref[Measurement]] = []
    async with world.local(DIRECT) as controls:
        for number in range(5):
            also = Dial(host="x.com", port=443, addresses=(f"203.0.113.{100 + number}",))
            after = now().timestamp()
            (one,) = await controls.measure(TARGET, after=after, cycle="cycle-1", also=also)
            made.append(weakref.ref(one))
            del one
            await asyncio.sleep(KEPT + 1)
        gc.collect()
        assert [known() is not None for known in made] == [False] * 4 + [True]


async def test_a_control_behind_a_proxy_says_that_it_saw_no_quic() -> None:
    """It reaches the site, and neither failed over QUIC nor worked."""
    world = World()
    async with world.local(PROXIED) as controls:
        ((seen,),) = await asked(controls, True)
    assert seen.reached
    assert seen.of(Layer.QUIC) == ()
    assert Layer.QUIC in seen.not_observed
    assert world.visits == 0


@pytest.mark.parametrize(
    ("site", "asks"),
    [
        (Peer(replies=SOCKS, tls=reset_by_peer()), True),
        (Peer(replies=SOCKS, tls=HANG), True),
        (Peer(replies=(*SOCKS, PAGE)), False),
        (Peer(connect=ConnectionRefusedError(errno.ECONNREFUSED, "refused")), False),
    ],
    ids=["cut", "silent", "answered", "refused"],
)
async def test_a_control_that_is_cut_off_asks_under_another_name(site: Peer, *, asks: bool) -> None:
    """Whether the control is censored itself is part of what it saw, and takes no second look."""
    world = World()
    world.network.peer("192.0.2.1", 1080, site)
    named = msgspec.structs.replace(TARGET, endpoint=parse_endpoint("https://x.com/"))
    async with world.local(PROXIED) as controls:
        (seen,) = await controls.measure(named, after=START.timestamp(), cycle="cycle-1")
    names = [
        o.server_name
        for o in seen.observations
        if isinstance(o, TlsObservation) and o.reason == Reason.INNOCUOUS_SNI
    ]
    assert names == (["www.example.com"] if asks else [])
    assert seen.look is Purpose.CONTROL
    assert seen.ended_at >= max(
        seen.started_at.timestamp() + o.start + o.duration for o in seen.observations
    )


async def test_a_control_whose_bytes_are_spent_takes_no_other_with_it() -> None:
    """One that uses both address families is through its day's bytes hours before one that does
    not. Without any control nobody is accused for the rest of the day."""
    world = World()
    other = msgspec.structs.replace(DIRECT, id="ctl-lon", country="GB")
    everything = Spent(suspicion=PROBE.daily_bytes)
    async with world.local(DIRECT, other, limited=True) as controls:
        world.ledger.resume(DIRECT.id, everything, now().date())
        ((seen,),) = await asked(controls, False)
        assert seen.vantage == other.id
        (state,) = await controls.health(after=START.timestamp(), cycle="cycle-1")
        assert state.health.vantage == other.id
        world.ledger.resume(other.id, everything, now().date())
        with pytest.raises(BudgetSpentError):
            await asked(controls, False, after=1.0)
        with pytest.raises(BudgetSpentError):
            await controls.health(after=now().timestamp() + 1, cycle="cycle-1")


async def test_nobody_waits_any_more() -> None:
    """A cycle that is given up takes its control look with it, and leaves nothing open."""
    world = World()
    world.network.peer(SITE, 443, Peer(tls=HANG))
    async with world.local(DIRECT) as controls:
        request = asyncio.create_task(asked(controls, True))
        await asyncio.sleep(1)
        assert world.network.left_open == 1
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        await asyncio.sleep(0.1)
        assert world.network.left_open == 0
