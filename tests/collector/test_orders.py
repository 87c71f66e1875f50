"""What an agent is told besides that a batch is stored: the time, what to do, what controls see."""

import asyncio
import base64
import random
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest

from monitor.budget.ledger import BudgetSpentError
from monitor.config.load import default_settings
from monitor.config.settings import Settings
from monitor.wire.answers import (
    CONTROLS,
    KNOWN,
    SETTINGS,
    TIME,
    AgentSettings,
    ControlAnswer,
    ControlRequest,
    ControlState,
    KnownControls,
    Moment,
    Reason,
)
from monitor.wire.batch import encode_batch
from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.endpoint_text import parse_endpoint
from probes.measure.transfer import TransferPlan
from probes.measurement import (
    REFERENCE_PLATFORM,
    TRANSFER_TARGET,
    DnsObservation,
    Measurement,
    Purpose,
)
from probes.target import Dial, Reduction, Target
from storage.store import StorageError
from tests.collector.world import (
    NOW,
    OTHER_KEY,
    Collector,
    batch,
    collecting,
    enrolment,
    health,
    is_signed_answer,
    measurement,
    new_id,
    refusal,
    report,
    request,
    settings,
)
from tests.contract.listing import EVERYTHING, flat
from tests.worlds.build import http, tcp, tls
from tests.worlds.memory_store import MemoryStore

X = next(one for one in default_settings().catalog.platforms if one.name == "x")
LISTED = Target(platform="x", function=X.functions[0].name, endpoint=X.functions[0].endpoints[0])


def control_look(cycle: str, endpoint: str, **changed: Any) -> Measurement:
    """What a control saw a moment ago."""
    usual = {
        "vantage": "ams",
        "country": "NL",
        "asn": 1136,
        "network": "KPN",
        "vantage_role": "control",
        "look": Purpose.CONTROL,
        "endpoint": endpoint,
        "started_at": NOW,
    }
    return measurement(cycle, **{**usual, **changed})


class FakeControls:
    """Controls, one of which reaches everything. They record the requests that they get."""

    def __init__(self, *, available: bool = True, spent: bool = False) -> None:
        self.available = available
        self.addresses_dialled = True
        self._spent = spent
        self.asked: list[tuple[Target, float, str, bool, Reduction | None]] = []
        self.fetched: list[TransferPlan] = []

    def known(self, _: Target) -> tuple[Measurement, ...]:
        """Nothing."""
        return ()

    async def measure(
        self,
        target: Target,
        *,
        after: float,
        cycle: str,
        quic: bool = False,
        reduction: Reduction | None = None,
        also: Dial | None = None,
    ) -> tuple[Measurement, ...]:
        """One look."""
        assert also is None
        if self._spent:
            raise BudgetSpentError("ams")
        self.asked.append((target, after, cycle, quic, reduction))
        return (control_look(cycle, target.endpoint.id),)

    async def transfer(self, plan: TransferPlan, *, cycle: str) -> tuple[Measurement, ...]:
        """One fetch."""
        self.fetched.append(plan)
        return (control_look(cycle, plan.object.id, look=Purpose.TRANSFER),)

    async def health(self, *, after: float, cycle: str) -> tuple[ControlState, ...]:
        """Fine."""
        if self._spent:
            raise BudgetSpentError("ams")
        assert after == NOW.timestamp()
        seen = control_look(
            cycle,
            "https://www.wikipedia.org/",
            platform=REFERENCE_PLATFORM,
            function="international",
            look=Purpose.REFERENCE,
        )
        return (ControlState(health=health(vantage="ams"), measurements=(seen,)),)


def asking(asked: ControlRequest, **changed: Any) -> tuple[dict[str, str], bytes]:
    """A signed request for control looks."""
    return request(msgspec.json.encode(asked), path=CONTROLS, **changed)


async def test_the_time_is_told_to_anybody_and_signed() -> None:
    """An agent without a clock asks before it can sign anything, and knows who answered."""
    async with collecting() as collector:
        asked = new_id()
        response = await collector.ask({"shutwatch-request": asked}, TIME)
        assert msgspec.json.decode(response.content, type=Moment).at == NOW
        assert is_signed_answer(response, asked)
        assert is_signed_answer(await collector.ask({}, TIME), "")
        odd = await collector.ask({"shutwatch-request": "1\n2".replace("\n", "%0a")}, TIME)
        assert refusal(odd).reason is Reason.MALFORMED


async def test_questions_for_the_time_are_limited_for_all_together() -> None:
    """Each answer is signed, so strangers get only so many of them a second."""
    async with collecting() as collector:
        answers = [await collector.ask({}, TIME) for _ in range(60)]
        assert [one.status_code for one in answers] == [200] * 50 + [429] * 10
        assert refusal(answers[-1]).reason is Reason.BUSY


async def _orders(collector: Collector, **changed: Any) -> AgentSettings:
    headers, _ = request(b"", path=SETTINGS, method="GET", encoding="identity", **changed)
    response = await collector.ask(headers, SETTINGS)
    assert response.status_code == 200
    assert is_signed_answer(response, headers["shutwatch-request"])
    return msgspec.json.decode(response.content, type=AgentSettings)


async def test_settings_are_those_of_the_collector() -> None:
    """Interval, platforms, the operator's own catalogue and the limit of bytes come from the file
    the collector runs on. The newest looks of controls come apart: agents store settings."""
    used = msgspec.structs.replace(
        settings(), interval=120.0, catalog_text="[platform.own]\n", signing_key="secret.pem"
    )
    async with collecting(used=used) as collector:
        seen = control_look(new_id(), "https://x.com/")
        older = control_look(
            new_id(), "https://x.com/", started_at=NOW - timedelta(minutes=5), reached=False
        )
        await collector.store.add_control_measurements([older, seen])
        told = await _orders(collector)
        headers, _ = request(b"", path=KNOWN, method="GET", encoding="identity")
        response = await collector.ask(headers, KNOWN)
        assert is_signed_answer(response, headers["shutwatch-request"])
        (look,) = msgspec.json.decode(response.content, type=KnownControls).looks
        assert (look.endpoint, look.reached) == (seen.endpoint, seen.reached)
        assert seen.id.encode() not in msgspec.json.encode(told)
    assert (told.interval, told.catalog, told.issued_at) == (120.0, "[platform.own]\n", NOW)
    assert told.platforms == tuple(one.name for one in used.catalog.platforms)
    assert told.daily_bytes == used.probe.daily_bytes
    assert not told.paused


async def test_attack_an_agent_learns_nothing_of_who_hosts_a_control() -> None:
    """A control may be another host's agent. Whoever holds any key asked for what controls saw
    last, and read that one's id, network, resolver and the microsecond of each measurement."""
    async with collecting() as collector:
        made = control_look(
            new_id(), "https://x.com/", started_at=NOW - timedelta(seconds=61, microseconds=5)
        )
        await collector.store.add_control_measurements([made])
        headers, _ = request(b"", path=KNOWN, method="GET", encoding="identity")
        response = await collector.ask(headers, KNOWN)
        (look,) = msgspec.json.decode(response.content, type=KnownControls).looks
    resolvers = {one.resolver for one in made.observations if isinstance(one, DnsObservation)}
    telling = (made.id, made.cycle, "ams", "KPN", "1136", '"NL"', "11:58:58", *resolvers)
    assert [word for word in telling if word and word.encode() in response.content] == []
    assert (look.vantage_role, look.reached) == ("control", True)
    kept = [type(one) for one in look.observations]
    assert kept == [type(one) for one in made.observations]


async def test_attack_one_control_does_not_fill_what_all_agents_are_told() -> None:
    """The holder of one control's key sent pages of its own, under names that nobody lists and
    under a listed one. They were all in the answer to every agent, more than an agent reads."""
    cycle = new_id()
    noise = base64.b64encode(random.Random(1).randbytes(700_000)).decode()
    mine = {"vantage": "ams", "country": "PK", "asn": 17557, "network": "PTCL"}
    page = http(title="X", headers=(("server", "x"),), body=noise)
    chain = tls(chain=(noise[:50_000].encode(),))
    made = [control_look(cycle, f"https://{n}.nobody.example/", **mine) for n in range(3)]
    made += [control_look(cycle, X.functions[0].endpoints[0].id, **mine)]
    made = [msgspec.structs.replace(one, observations=(tcp(), chain, page)) for one in made]
    state = health(vantage="ams", vantage_role="control")
    sent = report(cycle=cycle, health=state, measurements=tuple(made))
    async with collecting() as collector:
        await collector.store.enrol(enrolment(OTHER_KEY, "ams", "control"))
        body = encode_batch(batch(sent, vantage="ams"))
        taken = await collector.send(*request(body, key=OTHER_KEY, vantage="ams"))
        assert taken.status_code == 200
        headers, _ = request(b"", path=KNOWN, method="GET", encoding="identity")
        response = await collector.ask(headers, KNOWN)
    assert len(response.content) < 5_000
    (look,) = msgspec.json.decode(response.content, type=KnownControls).looks
    assert look.endpoint == made[-1].endpoint
    bare = msgspec.structs.replace
    # An agent compares a page by its headers, title and length.
    assert look.observations == (tcp(), bare(chain, chain=()), bare(page, body=""))


async def test_one_vantage_may_be_paused() -> None:
    """A name under `paused` stops that agent and no other, and is another version."""
    async with collecting(used=settings(paused=("lhe-a",))) as collector:
        await collector.store.enrol(enrolment(OTHER_KEY, "lhe-a"))
        on = await _orders(collector)
        off = await _orders(collector, key=OTHER_KEY, vantage="lhe-a")
    assert (on.paused, off.paused) == (False, True)
    assert on.version != off.version


async def test_a_version_changes_with_what_an_agent_does_and_with_nothing_else() -> None:
    """Receipts name the version, so an agent asks again when there is something new, and only
    then."""
    in_use: list[Settings] = [settings()]

    async def version() -> str:
        async with collecting(used=in_use[0]) as collector:
            return (await _orders(collector)).version

    first = await version()
    in_use[0] = msgspec.structs.replace(in_use[0], public_url="https://watch.example.org")
    assert await version() == first
    for change in ({"interval": 60.0}, {"catalog_text": "[platform.y]\n"}):
        in_use[0] = msgspec.structs.replace(settings(), **change)
        assert await version() != first


async def test_settings_are_for_agents_alone() -> None:
    """Without a valid signature nobody learns what is watched."""
    async with collecting() as collector:
        assert refusal(await collector.ask({}, SETTINGS)).reason is Reason.MALFORMED
        headers, _ = request(b"", key=OTHER_KEY, path=SETTINGS, method="GET", encoding="identity")
        assert refusal(await collector.ask(headers, SETTINGS)).reason is Reason.UNKNOWN_KEY


async def test_controls_look_after_the_question_and_the_looks_are_stored_first() -> None:
    """The collector's own controls look at the endpoint from now on, with what was asked for, and
    whatever the agent is told is in the database already."""
    controls = FakeControls()
    cycle, reduction = new_id(), Reduction(family="ipv4", greet=True)
    asked = ControlRequest(cycle=cycle, target=LISTED, quic=True, reduction=reduction, health=True)
    async with collecting(controls=lambda: controls) as collector:
        headers, body = asking(asked)
        response = await collector.send(headers, body, path=CONTROLS)
        answer = msgspec.json.decode(response.content, type=ControlAnswer)
        assert is_signed_answer(response, headers["shutwatch-request"])
        assert controls.asked == [(LISTED, NOW.timestamp(), cycle, True, reduction)]
        (look,) = answer.looks
        assert (look.endpoint, look.cycle, look.vantage) == (LISTED.endpoint.id, cycle, "ams")
        (state,) = answer.checks
        stored = await collector.store.control_measurements(NOW, NOW + timedelta(seconds=1))
        assert {one.id for one in stored} == {look.id, state.measurements[0].id}


def _same(controls: FakeControls | None) -> FakeControls | None:
    return controls


async def test_the_speed_of_an_object_is_compared_at_the_controls() -> None:
    """An agent has no control of its own, and speed without one is no strong evidence. What the
    control got is stored with the agent's cycle."""
    controls, cycle = FakeControls(), new_id()
    async with collecting(controls=lambda: controls) as collector:
        asked = ControlRequest(cycle=cycle, target=LISTED, speed=True)
        response = await collector.send(*asking(asked), path=CONTROLS)
        answer = msgspec.json.decode(response.content, type=ControlAnswer)
        stored = await flat(collector.store.measurements(EVERYTHING))
    assert stored == list(answer.looks)
    assert [(one.cycle, one.look) for one in stored] == [(cycle, Purpose.TRANSFER)]
    (plan,) = controls.fetched
    assert (plan.object, plan.variants) == (LISTED.endpoint, (TRANSFER_TARGET,))
    assert not controls.asked


@pytest.mark.parametrize(
    "target",
    [
        Target(platform="x", function="web", endpoint=parse_endpoint("https://victim.example/")),
        Target(platform="x", function="web", endpoint=parse_endpoint("https://x.com/large")),
        Target(platform="x", function="web", endpoint=parse_endpoint("https://x.com:8443/")),
        Target(platform="no", function="web", endpoint=LISTED.endpoint),
        None,
    ],
)
async def test_attack_a_stolen_key_has_the_controls_fetch_nothing_of_its_choice(
    target: Target | None,
) -> None:
    """128 KiB each time would make a tool of them: only the catalogue's objects are fetched."""
    controls = FakeControls()
    async with collecting(controls=lambda: controls) as collector:
        asked = ControlRequest(cycle=new_id(), target=target, speed=True)
        response = await collector.send(*asking(asked), path=CONTROLS)
        assert msgspec.json.decode(response.content, type=ControlAnswer).looks == ()
    assert not controls.fetched


async def test_without_controls_the_answer_is_empty_at_once() -> None:
    """A collector that has none says so, and does not wait for any."""
    for controls in (None, FakeControls(available=False), FakeControls(spent=True)):
        async with collecting(controls=partial(_same, controls)) as collector:
            asked = ControlRequest(cycle=new_id(), target=LISTED, health=True)
            response = await collector.send(*asking(asked), path=CONTROLS)
            answer = msgspec.json.decode(response.content, type=ControlAnswer)
            assert (answer.looks, answer.checks) == ((), ())


def elsewhere(**changed: Any) -> Target:
    """A target that is not the catalogue's."""
    return msgspec.structs.replace(LISTED, **changed)


INTERNAL = Endpoint(kind=EndpointKind.HTTP, host="169.254.169.254", port=80)


@pytest.mark.parametrize(
    "target",
    [
        elsewhere(endpoint=INTERNAL),
        elsewhere(platform="nobody"),
        elsewhere(function="nothing"),
        elsewhere(endpoint=msgspec.structs.replace(LISTED.endpoint, port=22)),
        elsewhere(endpoint=msgspec.structs.replace(LISTED.endpoint, path="/elsewhere")),
    ],
)
async def test_a_stolen_key_cannot_send_the_controls_anywhere(target: Target) -> None:
    """Only what the collector's own catalogue lists is looked at; of anything else the controls
    have seen nothing."""
    controls = FakeControls()
    async with collecting(controls=lambda: controls) as collector:
        asked = ControlRequest(cycle=new_id(), target=target)
        response = await collector.send(*asking(asked), path=CONTROLS)
        assert msgspec.json.decode(response.content, type=ControlAnswer).looks == ()
    assert controls.asked == []


async def test_an_endpoint_is_looked_at_as_the_collectors_catalogue_defines_it() -> None:
    """Whatever an agent says an endpoint must answer, the collector's own definition counts."""
    controls = FakeControls()
    loose = msgspec.structs.replace(LISTED.endpoint, verify=False, expect_status=(599,))
    async with collecting(controls=lambda: controls) as collector:
        asked = ControlRequest(cycle=new_id(), target=elsewhere(endpoint=loose))
        assert (await collector.send(*asking(asked), path=CONTROLS)).status_code == 200
    assert [one[0] for one in controls.asked] == [LISTED]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (msgspec.json.encode(ControlRequest(cycle="1", target=LISTED)), "no UUID"),
        (
            msgspec.json.encode(ControlRequest(cycle=new_id(), reduction=Reduction(family="ipx"))),
            "reduction",
        ),
        (
            msgspec.json.encode(
                ControlRequest(cycle=new_id(), reduction=Reduction(addresses=10**9))
            ),
            "reduction",
        ),
        (b"[]", "no request"),
        (b"\xff", "no request"),
    ],
)
async def test_a_broken_question_for_controls_is_refused(body: bytes, words: str) -> None:
    """It costs the controls nothing, and says what is wrong."""
    controls = FakeControls()
    async with collecting(controls=lambda: controls) as collector:
        headers, packed = request(body, path=CONTROLS)
        refused = refusal(await collector.send(headers, packed, path=CONTROLS))
        assert refused.reason is Reason.MALFORMED
        assert words in refused.detail
    assert controls.asked == []


async def test_control_looks_are_limited_for_each_vantage() -> None:
    """One agent cannot keep the controls busy for all others."""
    controls = FakeControls()
    async with collecting(
        controls=lambda: controls, used=settings(controls_per_minute=3)
    ) as collector:
        await collector.store.enrol(enrolment(OTHER_KEY, "lhe-a"))
        asked = ControlRequest(cycle=new_id(), target=LISTED)
        statuses = [
            (await collector.send(*asking(asked), path=CONTROLS)).status_code for _ in range(4)
        ]
        assert statuses == [200, 200, 200, 429]
        other = asking(asked, key=OTHER_KEY, vantage="lhe-a")
        assert (await collector.send(*other, path=CONTROLS)).status_code == 200


class Full(MemoryStore):
    """A store that keeps no looks of controls."""

    async def add_control_measurements(self, measurements: Sequence[Measurement]) -> None:
        """Never."""
        await asyncio.sleep(0)
        raise StorageError(f"no room for {len(measurements)}")


async def test_nothing_is_told_of_controls_that_could_not_be_stored() -> None:
    """What an agent acts on is evidence, so it is on disk or not told."""
    controls = FakeControls()
    async with collecting(controls=lambda: controls, store=Full()) as collector:
        asked = ControlRequest(cycle=new_id(), target=LISTED)
        response = await collector.send(*asking(asked), path=CONTROLS)
        assert (response.status_code, refusal(response).reason) == (503, Reason.STORAGE)
