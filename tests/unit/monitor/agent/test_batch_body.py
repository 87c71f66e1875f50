"""From a cycle to what waits in the spool."""

import msgspec

from monitor.agent.batch_body import spooled
from monitor.agent.collector_clock import AgentClock
from monitor.wire.batch import CycleReport
from probes.measurement import HttpObservation
from tests.contract.cycles import cycle, measurement
from tests.worlds.agent_world import Time


def test_odd_text_costs_its_odd_characters_alone() -> None:
    """A page whose title holds a lone surrogate, which no JSON can, must not cost the cycle."""
    odd = HttpObservation(
        start=0.0, duration=0.1, url="https://x.com/", address="192.0.2.1", title="a\ud800b"
    )
    whole = cycle(1, measurements=(measurement("one", 300, observations=(odd,)),))
    waits = spooled(whole, AgentClock(Time().machine))
    report = msgspec.json.decode(waits.report, type=CycleReport)
    (look,) = report.measurements
    (seen,) = look.observations
    assert isinstance(seen, HttpObservation)
    assert seen.title == "a\ufffdb"
    assert look.id == "one"
