"""Judge an imported measurement by the rules that live looks are judged by."""

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.platform import roll_up
from monitor.analysis.judge.rules import judge
from monitor.analysis.verdict import Verdict
from monitor.ooni.convert import Imported
from storage.values.cycle import Cycle


def judge_imported(imported: Imported) -> Cycle:
    """A whole cycle: the looks, a verdict on each endpoint, and one on the platform.

    The platform's verdict speaks of the roles the test looked at, and of no other. A test that
    looked at nothing of ours has neither verdicts nor platforms.
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
        measurements=(*imported.looks, *imported.follow_ups, *imported.controls),
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
                    (look for look in imported.looks if look.endpoint == endpoint),
                    key=lambda look: look.attempt,
                )
            ),
            follow_ups=tuple(look for look in imported.follow_ups if look.endpoint == endpoint),
            controls=tuple(look for look in imported.controls if look.endpoint == endpoint),
            health=imported.health,
            control_health=imported.control_health,
            judged_at=imported.ended_at,
        )
    )
