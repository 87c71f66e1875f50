"""Controls are asked far away, and a cycle never waits for them for long."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from monitor.agent.ask_controls import DEADLINE, RemoteControls
from monitor.agent.collector_client import CollectorClient
from monitor.agent.collector_clock import AgentClock
from monitor.wire.answers import CONTROLS, ControlAnswer, ControlRequest
from probes.catalog.endpoint_text import parse_endpoint
from probes.measure.transfer import TransferPlan
from probes.measurement import Measurement, Purpose
from probes.target import Dial, Target
from tests.lab.certificates import authority
from tests.worlds.agent_collector import AGENT_KEY, Collector, collecting
from tests.worlds.agent_world import VANTAGE, Time, World, world
from tests.worlds.build import http, look, tcp, tls

TARGET = Target(platform="x", function="web", endpoint=parse_endpoint("https://x.com/"))
CYCLE = "01900000-0000-7000-8000-000000000001"


def seen_at_control(collector: Collector, *, reached: bool = True) -> Measurement:
    """A look of a control that begins now, by the collector's clock."""
    made = look(tcp(), tls(), http(), reached=True) if reached else look(tcp("connection_reset"))
    return msgspec.structs.replace(
        made,
        vantage="ctl-ams",
        vantage_role="control",
        look=Purpose.CONTROL,
        endpoint=TARGET.endpoint.id,
        started_at=collector.now(),
    )


@asynccontextmanager
async def at_controls(
    one: World, collector: Collector, time_: Time, *, deadline: float = DEADLINE
) -> AsyncIterator[tuple[RemoteControls, AgentClock]]:
    """The controls of an agent that has heard the collector."""
    clock = AgentClock(time_.machine)
    async with CollectorClient(one.setup, VANTAGE, AGENT_KEY, clock, random.Random(1)) as line:
        await line.learn_time(collector.url)
        yield RemoteControls(line, clock, deadline=deadline), clock


@pytest.mark.parametrize("behind", [0.0, 86400.0, -3600.0])
async def test_what_controls_saw_is_told_in_the_agents_own_time_and_began_after_the_question(
    tmp_path: Path, behind: float
) -> None:
    """However wrong the agent's clock is: else it would be no control of the failure."""
    async with collecting(authority()) as (collector, _):
        one = world(tmp_path, authority(), collector)
        async with at_controls(one, collector, Time(behind=behind)) as (controls, clock):
            failed = clock.now().timestamp()
            collector.controls = ControlAnswer(
                at=collector.now(), looks=(seen_at_control(collector),)
            )
            (found,) = await controls.measure(TARGET, after=failed, cycle=CYCLE, quic=True)
            assert 0 <= found.started_at.timestamp() - failed < 5
        (asked,) = collector.asked
        assert (asked.cycle, asked.target, asked.quic) == (CYCLE, TARGET, True)


async def test_the_speed_of_an_object_is_asked_for_by_its_place_alone(tmp_path: Path) -> None:
    """How much is fetched, and how, is the collector's to say."""
    async with collecting(authority()) as (collector, _):
        one = world(tmp_path, authority(), collector)
        collector.controls = ControlAnswer(at=collector.now(), looks=(seen_at_control(collector),))
        async with at_controls(one, collector, one.time) as (controls, clock):
            plan = TransferPlan(platform="x", function="web", object=TARGET.endpoint)
            asked_at = clock.now().timestamp()
            (found,) = await controls.transfer(plan, cycle=CYCLE)
            assert found.started_at.timestamp() >= asked_at
        (asked,) = collector.asked
        assert asked == ControlRequest(cycle=CYCLE, target=TARGET, speed=True)


async def test_attack_an_agent_sends_no_address_for_controls_to_dial(tmp_path: Path) -> None:
    """A stolen key would send the collector's controls to anybody: requests have no room for it."""
    async with collecting(authority()) as (collector, _):
        one = world(tmp_path, authority(), collector)
        async with at_controls(one, collector, Time()) as (controls, _clock):
            where = Dial(host="x.com", port=443, addresses=("203.0.113.66",))
            await controls.measure(TARGET, after=0.0, cycle=CYCLE, also=where)
        (asked,) = collector.asked
        assert "203.0.113.66" not in msgspec.json.encode(asked).decode()


async def test_what_is_no_controls_look_at_the_endpoint_is_left_out(tmp_path: Path) -> None:
    """A collector cannot put words into the agent's own mouth."""
    async with collecting(authority()) as (collector, _):
        one = world(tmp_path, authority(), collector)
        right = seen_at_control(collector)
        collector.controls = ControlAnswer(
            at=collector.now(),
            looks=(
                msgspec.structs.replace(right, vantage_role="field"),
                msgspec.structs.replace(right, endpoint="https://other.example/"),
            ),
        )
        async with at_controls(one, collector, one.time) as (controls, _clock):
            assert await controls.measure(TARGET, after=0.0, cycle=CYCLE) == ()


async def test_a_collector_that_is_away_costs_a_moment_once(tmp_path: Path) -> None:
    """Then nobody is asked for a while, so that a hundred failures do not wait a hundred times."""
    async with collecting(authority()) as (collector, server):
        one = world(tmp_path, authority(), collector)
        async with at_controls(one, collector, one.time) as (controls, _clock):
            await server.stop()
            began = time.monotonic()
            for _ in range(100):
                assert await controls.measure(TARGET, after=0.0, cycle=CYCLE) == ()
                assert await controls.health(after=0.0, cycle=CYCLE) == ()
            assert time.monotonic() - began < 5


async def test_a_collector_that_does_not_answer_is_not_waited_for(
    tmp_path: Path,
) -> None:
    """After the deadline the cycle goes on without a control."""
    async with collecting(authority()) as (collector, _):
        one = world(tmp_path, authority(), collector)
        async with at_controls(one, collector, one.time, deadline=2.0) as (controls, _clock):
            collector.stall = 8.0
            began = time.monotonic()
            looks = [controls.measure(TARGET, after=0.0, cycle=CYCLE) for _ in range(20)]
            assert set(await asyncio.gather(*looks)) == {()}
            assert time.monotonic() - began < 6


async def test_nobody_is_asked_while_nothing_may_be_sent(tmp_path: Path) -> None:
    """A host who pauses the agent has a silent line."""
    async with collecting(authority()) as (collector, _):
        one = world(tmp_path, authority(), collector)
        async with at_controls(one, collector, one.time) as (controls, _clock):
            controls.allowed = False
            assert await controls.measure(TARGET, after=0.0, cycle=CYCLE) == ()
        assert not collector.paths[CONTROLS]


async def test_of_what_controls_saw_before_only_what_met_an_answer_is_known(
    tmp_path: Path,
) -> None:
    """That it failed elsewhere some time ago is no reason not to look closely now."""
    async with collecting(authority()) as (collector, _):
        one = world(tmp_path, authority(), collector)
        async with at_controls(one, collector, one.time) as (controls, _clock):
            good = seen_at_control(collector)
            controls.use([good, seen_at_control(collector, reached=False)])
            assert controls.known(TARGET) == (good,)
            other = parse_endpoint("https://t.co/")
            assert controls.known(msgspec.structs.replace(TARGET, endpoint=other)) == ()
            controls.use([msgspec.structs.replace(good, started_at=good.started_at + timedelta(1))])
            assert len(controls.known(TARGET)) == 1
