"""Whether each vantage and control works: its way out, its proxy, its references; and the clock.

A vantage is tried by what a cycle begins with, so what is said here is what the page will say.
"""

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import Iterator

from monitor.analysis.vantage.health import ReferenceMeasurements, assess
from monitor.analysis.verdict import VantageHealth
from monitor.config.settings import host_port
from monitor.doctor.trial import Checked, Trial, found
from monitor.measuring.references import alarming, failed, others
from monitor.wording.failures_and_methods import failure_in_words
from monitor.wording.findings import What
from monitor.wording.words import words_in
from probes.failure_strings import Failure
from probes.measurement import DnsObservation, EgressObservation, TcpObservation
from probes.vantage import Egress, EgressKind, VantagePoint, VantageRole

WRONG_CLOCK = 60.0
"""Seconds by which the clock may be wrong: events are dated by it."""
_OK = "vantage.ok"
_LOGIN = ("user name and password", "none of our ways to log in", "status 401", "status 407")
"""Parts of what a proxy says to a wrong password, or to none."""
_RULES = "status 403"
_CERTIFICATE = "another certificate"
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
        found(kind, vantage.id, what, proxy=proxy, kind=vantage.egress.kind, **values)
        for what, values in _faults(vantage, health, made)
    ]
    return several or [Checked(check=kind, about=vantage.id)], health


def _faults(
    vantage: VantagePoint, health: VantageHealth, made: ReferenceMeasurements
) -> Iterator[tuple[str, dict[str, str]]]:
    values = {"vantage": vantage.id}
    proxied = vantage.egress.proxied and not any(measured.reached for _, measured in made)
    seen = [one for _, measured in made for one in measured.observations if one.failure]
    refused = next((one for one in seen if isinstance(one, EgressObservation)), None)
    if proxied and refused is not None:
        yield _about_proxy(refused, vantage.egress), {**values, "failure": _reason(refused)}
    elif proxied and (why := _leads_nowhere(made)):
        yield What.PROXY_LEADS_NOWHERE, {**values, "failure": why}
    elif health.rule_id != _OK:
        yield health.rule_id, values
    elif dead := failed(made):
        names = ", ".join(one.endpoint.id for one in dead)
        yield What.REFERENCES_FAIL, {**values, "references": names}


def _about_proxy(one: EgressObservation, egress: Egress) -> What:
    if any(part in one.reply for part in _LOGIN):
        return What.PROXY_PASSWORD if egress.username else What.PROXY_LOGIN
    if _RULES in one.reply:
        return What.PROXY_REFUSES
    if _CERTIFICATE in one.reply or str(one.failure).startswith("ssl_"):
        return What.PROXY_TLS
    silent = not one.reply and (one.failure in _SILENT or _UNRESOLVED in str(one.failure))
    return What.PROXY_SILENT if silent else What.PROXY_FAILS


def _reason(one: EgressObservation) -> str:
    failure = str(one.failure)
    if one.reply or _UNRESOLVED in failure:
        return one.reply or "its name does not resolve"
    return failure_in_words(words_in(), failure)


def _leads_nowhere(made: ReferenceMeasurements) -> str:
    """What the proxy answers most, where it never made a connection: after one, more than the
    connection itself would have been seen, or the answer of a resolver."""
    seen = [one for _, measured in made for one in measured.observations]
    if not all(isinstance(one, TcpObservation | DnsObservation) and one.failure for one in seen):
        return ""
    answers = Counter(str(one.failure) for one in seen).most_common(1)
    return "".join(_by_proxy(failure) for failure, _ in answers)


def _by_proxy(failure: str) -> str:
    if failure == Failure.PERMISSION_DENIED:
        return "not allowed by its rules"
    # What has no failure of its own is noted in the proxy's words.
    return failure.partition("proxy: ")[2] or failure_in_words(words_in(), failure)


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
