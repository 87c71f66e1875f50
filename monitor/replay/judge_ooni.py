"""Judges an imported OONI measurement by the rules of live measurements."""

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.platform import roll_up
from monitor.analysis.judge.rules import judge
from monitor.analysis.verdict import Verdict
from monitor.ooni.convert import Imported
from storage.values.cycle import Cycle


def judge_imported(imported: Imported) -> Cycle:
    """A whole cycle: the measurements, a verdict on each endpoint and one on the platform.

    The platform verdict covers only the functions that the test measured. A test of nothing in the
    catalogue has neither verdicts nor platforms.
    """
    verdicts = tuple(
        _verdict(imported, role.name, endpoint.id)
        for role in imported.platform.roles
        for endpoint in role.endpoints
    )
    return Cycle(
        id=imported.id,
        vantage=imported.vantage.id,
        country=imported.vantage.country,
        started_at=imported.started_at,
        finished_at=imported.ended_at,
        health=imported.health,
        measurements=(*imported.measurements, *imported.follow_ups, *imported.controls),
        verdicts=verdicts,
        platforms=(
            (roll_up(imported.platform, verdicts, started_at=imported.started_at),)
            if verdicts
            else ()
        ),
    )


def _verdict(imported: Imported, role: str, endpoint: str) -> Verdict:
    vantage = imported.vantage
    return judge(
        Case(
            cycle=imported.id,
            vantage=vantage.id,
            country=vantage.country,
            asn=vantage.asn,
            network=vantage.network,
            platform=imported.platform.name,
            role=role,
            endpoint=endpoint,
            attempts=tuple(
                sorted(
                    (m for m in imported.measurements if m.endpoint == endpoint),
                    key=lambda measurement: measurement.attempt,
                )
            ),
            follow_ups=tuple(m for m in imported.follow_ups if m.endpoint == endpoint),
            controls=tuple(m for m in imported.controls if m.endpoint == endpoint),
            health=imported.health,
            control_health=imported.control_health,
            judged_at=imported.ended_at,
        )
    )
