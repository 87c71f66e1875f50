"""A control that differs from the others is stored, notified of, and known after a restart."""

import msgspec

from monitor.analysis.events.control_differs import DifferingControl
from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.metrics.publisher import Publisher
from monitor.notify.settings import Route, Target
from monitor.recording.recorder import Recorder
from probes.vantage import VantagePoint, VantageRole
from tests.contract.listing import EVERYTHING, flat
from tests.unit.monitor.analysis.events.test_events import PTCL, at
from tests.unit.monitor.recording.test_recorder import SETTINGS, cycle
from tests.worlds.collector_world import Herald
from tests.worlds.memory_store import MemoryStore

CONTROL = VantagePoint(id="ctl", country="DE", asn=3320, role=VantageRole.CONTROL)
FIELD = VantagePoint(id=PTCL, country="PK", asn=17557)
BOTH = msgspec.structs.replace(SETTINGS, vantages=(FIELD, CONTROL))
DIFFERS = DifferingControl(
    vantage="ctl", country="DE", asn=3320, network="DTAG", different=("https://x.com/",)
)


class Operators(Herald):
    """Asks for what concerns the instrument."""

    ROUTE = Route(
        name="ops",
        urls=(Target(name="1-json", url="json://127.0.0.1"),),
        kinds=(EventKind.CONTROL_DIFFERS,),
    )


class World:
    """A process after the other on one store."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.cycles = 0
        self.publisher = Publisher(BOTH.vantages, BOTH.catalog, lambda: at(self.cycles))

    async def begun(self) -> Recorder:
        """A process that has just started."""
        await self.store.open()
        made = Recorder(
            BOTH,
            self.store,
            self.publisher,
            now=lambda: at(self.cycles),
            notifier=Operators(lambda: at(self.cycles)),
        )
        await made.restore()
        return made

    async def noted(self, recorder: Recorder, *compared: DifferingControl) -> list[Event]:
        """The events of controls once that is stored with the next cycle."""
        self.cycles += 1
        await recorder.note_controls(compared)
        await recorder.record(cycle(".", self.cycles, PTCL))
        events = await flat(self.store.events(EVERYTHING))
        return [event for event in events if event.kind is EventKind.CONTROL_DIFFERS]


async def test_a_control_that_differs_is_known_after_a_restart_and_told_of_once() -> None:
    """Opened, confirmed by another process, and over: one event with one log, and one notice each
    for those who ask."""
    world = World()
    (event,) = await world.noted(await world.begun(), DIFFERS)
    assert event.state is EventState.SUSPECTED
    second = await world.begun()
    (event,) = await world.noted(second, DIFFERS)
    assert event.state is EventState.CONFIRMED
    assert [one.id for one in world.publisher.snapshot.circumstances] == [event.id]
    (event,) = await world.noted(second, msgspec.structs.replace(DIFFERS, different=()))
    assert event.state is EventState.ENDED
    log = await flat(world.store.event_log(event.id))
    assert [(one.sequence, one.change) for one in log] == [
        (1, "opened"),
        (2, "confirmed"),
        (3, "ended"),
    ]
    assert {one.sequence for one in await world.store.outbox(event=event.id)} == {2, 3}
    assert (event.end_earliest, event.end_latest) == (at(2), at(3))
