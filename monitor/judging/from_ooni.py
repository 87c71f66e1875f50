"""Judges an imported OONI measurement as one cycle, by the one judge."""

from monitor.analysis.seen import EndpointMeasurements, Seen
from monitor.judging.judge import judge_cycle
from monitor.ooni.convert import Imported
from probes.catalog.catalog import Catalog
from storage.values.cycle import Cycle


def judge_imported(imported: Imported) -> Cycle:
    """The cycle: its measurements, a verdict on each endpoint, and one on the platform.

    The platform's verdict is about the roles that the OONI test measured, and no other. A test that
    measured nothing of our catalogue has no verdicts.
    """
    return judge_cycle(_seen(imported), Catalog(platforms=(imported.platform,)), ())


def _seen(imported: Imported) -> Seen:
    endpoints = tuple(
        _endpoint(imported, role.name, endpoint.id)
        for role in imported.platform.roles
        for endpoint in role.endpoints
    )
    return Seen(
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


def _endpoint(imported: Imported, role: str, endpoint: str) -> EndpointMeasurements:
    attempts = (one for one in imported.measurements if one.endpoint == endpoint)
    return EndpointMeasurements(
        platform=imported.platform.name,
        role=role,
        endpoint=endpoint,
        attempts=tuple(sorted(attempts, key=lambda one: one.attempt)),
        controls=tuple(one for one in imported.controls if one.endpoint == endpoint),
        follow_ups=tuple(one for one in imported.follow_ups if one.endpoint == endpoint),
    )
