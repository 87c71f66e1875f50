"""Weaknesses of a configuration that is valid: what it is, and what the monitor cannot see by it.

`shutwatch check`, `doctor` and the page show them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from urllib.parse import urlsplit

from monitor.config.load import UNKNOWN_COUNTRY
from monitor.config.loopback import is_loopback
from monitor.config.settings import Settings
from monitor.wording.findings import Finding, What
from probes.catalog.catalog import ReferenceScope
from probes.catalog.endpoint_kinds import EndpointKind
from probes.layers.bogon import BogonList, is_stub
from probes.sockets.system_resolvers import ResolverAddress
from probes.vantage import Profile, VantagePoint, VantageRole
from storage import url as database_url

QUIET_INTERVAL = 600.0
"""Seconds; a shorter cycle is too short for a quiet vantage to spread its tests."""


def advice(settings: Settings, system: Sequence[ResolverAddress] = ()) -> tuple[Finding, ...]:
    """One finding for each weakness.

    `system` are the resolvers of the machine that the monitor will run on, if they are known.
    """
    field = [vantage for vantage in settings.vantages if _is_field(vantage)]
    control = [vantage for vantage in settings.vantages if not _is_field(vantage)]
    enrolled = bool(settings.collector.listen[0])
    found = (
        *_about_stubs(field, system, BogonList(settings.probe.bogon_allow)),
        *_about_quiet(settings),
        *_about_references(settings),
        *_about_passwords(settings),
    )
    if settings.agent is not None:  # knows neither controls, nor other networks, nor a database
        return found
    if settings.sources and not settings.vantages and not enrolled:  # it judges nothing
        return (*found, *_about_database(settings))
    return (
        *_about_controls(field, control, enrolled=enrolled),
        *_about_field(field, enrolled=enrolled),
        *(_about_agreement(field, settings.events.agreement) if enrolled else ()),
        *found,
        *_about_database(settings),
    )


def _about_controls(
    field: Sequence[VantagePoint], control: Sequence[VantagePoint], *, enrolled: bool
) -> Iterator[Finding]:
    """`enrolled`: enrolled agents may be controls too, which only the database knows."""
    if not control:
        yield _found(What.NO_OWN_CONTROL if enrolled else What.NO_CONTROL)
    if len(control) == 1:
        what = What.ONE_OWN_CONTROL if enrolled else What.ONE_CONTROL
        yield _found(what, vantage=control[0].id)
    blind = [one for one in control if one.egress.proxied and one.resolver.system]
    if enrolled and control and len(blind) == len(control):
        yield _found(What.CONTROLS_HIDE_FAMILY)
    for one, other in combinations(control, 2):
        if _same_network(one, other):
            yield _found(What.CONTROLS_TOGETHER, one=one.id, other=other.id)
    watched = {vantage.country for vantage in field}
    for vantage in control:
        if vantage.country in watched:
            yield _found(What.CONTROL_INSIDE, vantage=vantage.id, country=vantage.country)
        elif same := [one.id for one in field if one.egress == vantage.egress]:
            yield _found(What.CONTROL_SAME_WAY, vantage=vantage.id, other=same[0])


def _about_field(field: Sequence[VantagePoint], *, enrolled: bool) -> Iterator[Finding]:
    """`enrolled`: enrolled agents may be in these countries too."""
    countries = Counter(vantage.country for vantage in field)
    for country, number in sorted(countries.items()):
        if number == 1 and country != UNKNOWN_COUNTRY and not enrolled:
            yield _found(What.ONE_VANTAGE, country=country)
    for one, other in combinations(field, 2):
        if one.egress == other.egress and (one.resolver == other.resolver or one.asn != other.asn):
            yield _found(What.SAME_LINE, one=one.id, other=other.id)
    placed = [vantage for vantage in field if vantage.country != UNKNOWN_COUNTRY]
    if unknown := [vantage.id for vantage in placed if not vantage.asn]:
        yield _found(What.NO_ASN, vantages=", ".join(unknown))
    by_network: defaultdict[tuple[str, int, str], list[VantagePoint]] = defaultdict(list)
    for vantage in placed:
        by_network[vantage.country, vantage.asn, vantage.network].append(vantage)
    hidden = [
        one.id
        for several in by_network.values()
        if all(one.egress.proxied for one in several)
        for one in several
    ]
    if hidden and not enrolled:
        yield _found(What.ONLY_PROXIED, vantages=", ".join(hidden))


def _about_agreement(field: Sequence[VantagePoint], needed: int) -> Iterator[Finding]:
    """Of a collector: where nothing is confirmed without agents."""
    for country, own in sorted(Counter(vantage.country for vantage in field).items()):
        if own < needed:
            yield _found(What.TOO_FEW_AGREE, country=country, own=str(own), needed=str(needed))


def _about_stubs(
    field: Sequence[VantagePoint], system: Sequence[ResolverAddress], bogons: BogonList
) -> Iterator[Finding]:
    only_stub = bool(system) and all(resolver.stub for resolver in system)
    stubs: dict[str, list[str]] = {}
    for vantage in field:
        resolver = vantage.resolver
        if vantage.egress.proxied:
            continue
        if resolver.system and only_stub:
            stubs.setdefault(system[0].address, []).append(vantage.id)
        elif resolver.address and is_stub(resolver.address, bogons):
            stubs.setdefault(resolver.address, []).append(vantage.id)
    for address, ids in stubs.items():
        yield _found(What.ONLY_STUB, address=address, vantages=", ".join(ids))


def _about_quiet(settings: Settings) -> Iterator[Finding]:
    quiet = [vantage for vantage in settings.vantages if vantage.profile is Profile.QUIET]
    for vantage in quiet:
        if not _is_field(vantage):
            yield _found(What.QUIET_CONTROL, vantage=vantage.id)
    hidden = [vantage.id for vantage in quiet if _is_field(vantage)]
    if hidden and settings.interval < QUIET_INTERVAL:
        yield _found(What.QUIET_SHORT, vantages=", ".join(hidden))


def _about_references(settings: Settings) -> Iterator[Finding]:
    listed = {(one.scope, one.country) for one in settings.catalog.references}
    for scope, what in (
        (ReferenceScope.UPLINK, What.NO_UPLINK),
        (ReferenceScope.INTERNATIONAL, What.NO_INTERNATIONAL),
        (ReferenceScope.POPULAR, What.NO_POPULAR),
        (ReferenceScope.UDP, What.NO_UDP),
    ):
        needed = scope is not ReferenceScope.UDP or _tests_calls(settings)
        if needed and (scope, "") not in listed:
            yield _found(what)
    countries = {vantage.country for vantage in settings.vantages if _is_field(vantage)}
    for country in sorted(countries - {UNKNOWN_COUNTRY}):
        if (ReferenceScope.DOMESTIC, country) not in listed:
            yield _found(What.NO_DOMESTIC, country=country)


def _tests_calls(settings: Settings) -> bool:
    functions = (
        function for platform in settings.catalog.platforms for function in platform.functions
    )
    return any(
        one.kind is EndpointKind.STUN for function in functions for one in function.endpoints
    )


def _about_passwords(settings: Settings) -> Iterator[Finding]:
    """Passwords that everybody on the way can read. The page itself speaks no TLS."""
    server = settings.server
    host = urlsplit(settings.public_url).hostname or ""
    in_front = settings.public_url.startswith("https:") or is_loopback(host)
    if (server.users or server.tokens) and not in_front:
        if not is_loopback(settings.listen_host):
            yield _found(What.PLAIN_PASSWORDS, address=settings.listened_at)
        elif settings.public_url:
            yield _found(What.PLAIN_PASSWORDS, address=settings.public_url)
    plain = [
        one.id
        for one in settings.vantages
        if one.egress.password
        and not one.egress.proxy_tls
        and not is_loopback(one.egress.proxy_host)
    ]
    if plain:
        yield _found(What.PLAIN_PROXY_PASSWORD, vantages=", ".join(plain))


def _about_database(settings: Settings) -> Iterator[Finding]:
    file = database_url.file_of(settings.database)
    folder = Path(file).parent
    try:
        found = folder.is_dir()
    except OSError:
        found = False  # Its name is longer than any there is.
    if file and not found:
        yield _found(What.NO_FOLDER, folder=str(folder))


def _found(what: What, **values: str) -> Finding:
    return Finding(what=what, values=values)


def _is_field(vantage: VantagePoint) -> bool:
    return vantage.role is VantageRole.FIELD


def _same_network(one: VantagePoint, other: VantagePoint) -> bool:
    if one.asn and other.asn:
        return one.asn == other.asn
    return bool(one.network) and one.network.casefold() == other.network.casefold()
