"""Whether each vantage and control works: its way out, its proxy, its references; and the clock.

A vantage is tried by what a cycle begins with, so what is said here is what the page will say.
"""

import asyncio
import errno
import socket
from collections.abc import Iterator

from monitor.analysis.vantage.health import ReferenceMeasurements, assess
from monitor.analysis.verdict import VantageHealth
from monitor.config.settings import host_port
from monitor.doctor.trial import Checked, Trial, found
from monitor.measuring.references import alarming, failed, others
from monitor.wording.findings import What
from probes.measurement import EgressObservation
from probes.vantage import EgressKind, VantagePoint, VantageRole

WRONG_CLOCK = 60.0
"""Seconds by which the clock may be wrong: events are dated by it."""
_OK = "vantage.ok"
_PASSWORD = ("user name and password", "status 401", "status 403", "status 407")
"""Parts of what a proxy says to a wrong password."""
_UNRESOLVED = "gaierror"
_SILENT = ("generic_timeout_error", "connection_refused", "host_unreachable", "network_unreachable")


async def try_vantages(trial: Trial) -> list[Checked]:
    """One for each vantage, then one for the clock where any server told the time."""
    tried = await asyncio.gather(*(_try(trial, one) for one in trial.settings.vantages))
    skews = [one.clock_skew for _, one in tried if one is not None and one.clock_skew is not None]
    clock: list[Checked] = []
    if skews:
        worst = max(skews, key=abs)
        clock.append(
            Checked(check="clock")
            if abs(worst) <= WRONG_CLOCK
            else found("clock", "", What.WRONG_CLOCK, seconds=f"{abs(worst):.0f}")
        )
    return [*clock, *(one for several, _ in tried for one in several)]


async def _try(trial: Trial, vantage: VantagePoint) -> tuple[list[Checked], VantageHealth | None]:
    kind = "control" if vantage.role is VantageRole.CONTROL else "vantage"
    if (lacking := _lacking(vantage)) is not None:
        what, value = lacking
        return [found(kind, vantage.id, what, vantage=vantage.id, interface=value)], None
    made = await trial.probers.measure_references(vantage.id)
    if alarming(made):
        again = others(trial.probers.references(vantage.id), [one for one, _ in made])
        made += await trial.probers.measure_references(
            vantage.id, references=[*failed(made), *again]
        )
    await trial.probers.exits.ask(vantage.id)
    where = trial.probers.exits.of(vantage)
    health = assess(vantage, made, (), trial.now(), where)
    proxy = host_port(vantage.egress.proxy_host, vantage.egress.proxy_port)
    several = [
        found(kind, vantage.id, what, proxy=proxy, **values)
        for what, values in _faults(health, made)
    ]
    return several or [Checked(check=kind, about=vantage.id)], health


def _faults(
    health: VantageHealth, made: ReferenceMeasurements
) -> Iterator[tuple[str, dict[str, str]]]:
    values = {"vantage": health.vantage}
    refused = next(
        (
            (one, measured)
            for _, measured in made
            for one in measured.observations
            if isinstance(one, EgressObservation) and one.failure
        ),
        None,
    )
    if refused is not None and not any(measured.reached for _, measured in made):
        yield _about_proxy(refused[0]), {**values, "failure": _reason(refused[0])}
    elif health.rule_id != _OK:
        yield health.rule_id, values
    elif dead := failed(made):
        names = ", ".join(one.endpoint.id for one in dead)
        yield What.REFERENCES_FAIL, {**values, "references": names}


def _about_proxy(one: EgressObservation) -> What:
    if any(part in one.reply for part in _PASSWORD):
        return What.PROXY_PASSWORD
    silent = not one.reply and (one.failure in _SILENT or _UNRESOLVED in str(one.failure))
    return What.PROXY_SILENT if silent else What.PROXY_FAILS


def _reason(one: EgressObservation) -> str:
    failure = str(one.failure)
    return one.reply or ("its name does not resolve" if _UNRESOLVED in failure else failure)


def _lacking(vantage: VantagePoint) -> tuple[What, str] | None:
    """What this machine does not have that the vantage's packets should leave by."""
    egress = vantage.egress
    if egress.kind is EgressKind.INTERFACE:
        names = {name for _, name in socket.if_nameindex()}
        return None if egress.interface in names else (What.NO_INTERFACE, egress.interface)
    addresses = egress.source.split(",") if egress.kind is EgressKind.SOURCE else []
    return (What.NO_ADDRESS, "") if any(map(_is_missing, addresses)) else None


def _is_missing(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((address.strip(), 0))
    except OSError as error:
        return error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return False
