"""From a cycle to what waits in the spool."""

import gzip

import msgspec

from monitor.agent.batch_body import BatchMaker
from monitor.agent.collector_clock import AgentClock
from monitor.keys.sealing import sealing_text
from monitor.wire.batch import Batch, CycleReport
from monitor.wire.envelope import open_body
from probes.measurement import HttpObservation
from storage.agent.spool import Waiting
from tests.contract.cycles import cycle, measurement
from tests.worlds.agent_collector import SEALING
from tests.worlds.agent_world import VANTAGE, Time


def maker(clock: AgentClock) -> BatchMaker:
    """Of an agent."""
    return BatchMaker(VANTAGE, sealing_text(SEALING), clock)


def report_in(waiting: Waiting) -> CycleReport:
    """As a collector reads it."""
    body = gzip.decompress(open_body(SEALING, waiting.body))
    (report,) = msgspec.json.decode(body, type=Batch).reports
    return report


def test_odd_text_costs_its_odd_characters_alone() -> None:
    """A page whose title holds a lone surrogate, which no JSON can, must not cost the cycle."""
    odd = HttpObservation(
        start=0.0, duration=0.1, url="https://x.com/", address="192.0.2.1", title="a\ud800b"
    )
    whole = cycle(1, measurements=(measurement("one", 300, observations=(odd,)),))
    (look,) = report_in(maker(AgentClock(Time().machine)).make(whole)).measurements
    (seen,) = look.observations
    assert isinstance(seen, HttpObservation)
    assert seen.title == "a\ufffdb"
    assert look.id == "one"


def test_what_has_no_date_gets_it_from_the_process_that_made_it() -> None:
    """Once a collector told the time. Another process cannot read it, and leaves it as it is."""
    clock = AgentClock(Time(behind=3600.0).machine)
    made = maker(clock)
    whole = cycle(1)
    waiting = made.make(whole)
    assert (report_in(waiting).dated, report_in(waiting).offset) == (False, 0.0)
    assert made.dated(waiting) is None
    asked = clock.machine.since_boot()
    clock.heard(whole.finished_at.replace(year=2026), asked, asked)
    dated = made.dated(waiting)
    assert dated is not None
    assert (dated.id, dated.undated, report_in(dated).dated) == (waiting.id, b"", True)
    assert report_in(dated).offset != 0.0
    assert report_in(dated).measurements == report_in(waiting).measurements
    assert maker(clock).dated(waiting) is None
    assert made.make(whole).undated == b""
