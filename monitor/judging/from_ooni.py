"""Judges an imported OONI measurement as one cycle, by the one judge."""

from collections.abc import Iterable

from monitor.analysis.seen import EndpointMeasurements, Seen
from monitor.judging.judge_cycle import judge_cycle
from monitor.ooni.convert import Imported
from probes.catalog.catalog import Catalog, Endpoint
from probes.measurement import Measurement
from storage.values.cycle import Cycle


def judge_imported(imported: Imported) -> Cycle:
    """The cycle: its measurements, a verdict on each endpoint, and one on the platform.

    The platform's verdict is about the functions that the OONI test measured. A test that
    measured nothing of our catalogue has no verdicts.
    """
    endpoints = tuple(
        EndpointMeasurements(
            platform=imported.platform.name,
            function=function.name,
            endpoint=endpoint.id,
            attempts=tuple(
                sorted(_of(endpoint, imported.measurements), key=lambda one: one.attempt)
            ),
            controls=_of(endpoint, imported.controls),
            follow_ups=_of(endpoint, imported.follow_ups),
        )
        for function in imported.platform.functions
        for endpoint in function.endpoints
    )
    seen = Seen(
        cycle=imported.id,
        vantage=imported.vantage,
        started_at=imported.started_at,
        finished_at=imported.ended_at,
        judged_at=imported.ended_at,
        health=imported.health,
        endpoints=endpoints,
        control_health=imported.control_health,
        measurements=(*imported.measurements, *imported.follow_ups, *imported.controls),
    )
    return judge_cycle(seen, Catalog(platforms=(imported.platform,)), ())


def _of(endpoint: Endpoint, measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
    return tuple(one for one in measurements if one.endpoint == endpoint.id)
