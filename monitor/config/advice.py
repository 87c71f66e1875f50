"""Weaknesses of a configuration that is valid, as `shutwatch check` shows them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from monitor.config.load import UNKNOWN_COUNTRY
from monitor.config.settings import Settings
from monitor.wording.vantage_health import HOW_TO_SEE_PAST_STUB, STUB
from probes.catalog.catalog import ReferenceScope
from probes.catalog.endpoint_kinds import EndpointKind
from probes.layers.bogon import BogonList, is_stub
from probes.sockets.system_resolvers import ResolverAddress
from probes.vantage import Profile, VantagePoint, VantageRole
from storage import url as database_url

QUIET_INTERVAL = 600.0
"""Seconds; a shorter cycle is too short for a quiet vantage to spread its tests."""


def advice(settings: Settings, system: Sequence[ResolverAddress] = ()) -> tuple[str, ...]:
    """One text for each weakness: what it is, and what the monitor cannot detect because of it.

    `system` are the resolvers of the machine that the monitor will run on, if they are known.
    """
    field = [vantage for vantage in settings.vantages if _is_field(vantage)]
    control = [vantage for vantage in settings.vantages if not _is_field(vantage)]
    enrolled = bool(settings.collector.listen[0])
    found = (
        *_about_stubs(field, system, BogonList(settings.probe.bogon_allow)),
        *_about_quiet(settings),
        *_about_references(settings),
    )
    if settings.agent is not None:  # knows neither controls, nor other networks, nor a database
        return found
    if settings.sources and not settings.vantages:
        return (*found, *_about_database(settings))
    return (
        *_about_controls(field, control, enrolled=enrolled),
        *_about_field(field, enrolled=enrolled),
        *found,
        *_about_database(settings),
    )


def _about_controls(
    field: Sequence[VantagePoint], control: Sequence[VantagePoint], *, enrolled: bool
) -> Iterator[str]:
    """`enrolled`: enrolled agents may be controls too, which only the database knows."""
    if not control and enrolled:
        yield (
            "No control vantage of the collector's own: nobody tests at once what an agent "
            "suspects, and unless an enrolled agent is a control (vantage invite --role control) "
            "failures alone will be insufficient. Add a vantage with "
            'role = "control" outside the measured countries.'
        )
    elif not control:
        yield (
            "No control vantage: failures alone will be insufficient. Only evidence that is "
            "conclusive by itself, such as a block page, can say blocked. Add a vantage with "
            'role = "control" outside the country.'
        )
    if len(control) == 1:
        others = ", unless an enrolled agent is a control too" if enrolled else ""
        yield (
            f"One control vantage only ({control[0].id}): while it does not work nothing can be "
            f"judged{others}. Add a second in another network."
        )
    blind = [one for one in control if one.egress.proxied and one.resolver.system]
    if enrolled and control and len(blind) == len(control):
        yield (
            "Every control of the collector's own is behind a proxy that resolves names, so none "
            "shows agents over which of IPv4 and IPv6 it reached a platform: a block of one of "
            "them alone goes unseen there. Give a control no proxy, or a resolver of its own."
        )
    for one, other in combinations(control, 2):
        if _same_network(one, other):
            yield (
                f"Controls {one.id} and {other.id} are in the same network, so they fail "
                "together. Put them in different networks."
            )
    watched = {vantage.country for vantage in field}
    for vantage in control:
        if vantage.country in watched:
            yield (
                f"Control {vantage.id} is in {vantage.country}, where you test for blocks: a "
                "platform blocked there looks like one that is down. Put the control elsewhere."
            )


def _about_field(field: Sequence[VantagePoint], *, enrolled: bool) -> Iterator[str]:
    """`enrolled`: enrolled agents may be in these countries too."""
    countries = Counter(vantage.country for vantage in field)
    for country, number in sorted(countries.items()):
        if number == 1 and country != UNKNOWN_COUNTRY and not enrolled:
            yield (
                f"One vantage only in {country}: a block cannot be told apart from a fault of that "
                "one network. Add vantages in other networks."
            )
    placed = [vantage for vantage in field if vantage.country != UNKNOWN_COUNTRY]
    unknown = [vantage.id for vantage in placed if not vantage.asn]
    if unknown:
        yield (
            f"No asn for {', '.join(unknown)}: it tells networks apart, so without it all of one "
            "country count as one."
        )


def _about_stubs(
    field: Sequence[VantagePoint], system: Sequence[ResolverAddress], bogons: BogonList
) -> Iterator[str]:
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
        yield (
            f"Only a stub resolver ({address}) for {', '.join(ids)}: {STUB}. For each of them"
            f" {HOW_TO_SEE_PAST_STUB}."
        )


def _about_quiet(settings: Settings) -> Iterator[str]:
    quiet = [vantage for vantage in settings.vantages if vantage.profile is Profile.QUIET]
    for vantage in quiet:
        if not _is_field(vantage):
            yield (
                f"Control {vantage.id} is quiet, which changes nothing: a control tests at once "
                "when a field vantage has a failure."
            )
    hidden = [vantage.id for vantage in quiet if _is_field(vantage)]
    if hidden and settings.interval < QUIET_INTERVAL:
        yield (
            f"Quiet, at an interval under ten minutes: {', '.join(hidden)}. When much is blocked a "
            'cycle may take longer, with its tests close together. Set interval = "10m" or more.'
        )


def _about_references(settings: Settings) -> Iterator[str]:
    listed = {(one.scope, one.country) for one in settings.catalog.references}
    for scope, loss in (
        (ReferenceScope.UPLINK, "a captive portal cannot be detected"),
        (ReferenceScope.INTERNATIONAL, "an offline vantage looks like a block"),
        (ReferenceScope.POPULAR, "a network cut down to a list of sites looks like a bad line"),
        (ReferenceScope.UDP, "blocked calls look like a network without UDP"),
    ):
        needed = scope is not ReferenceScope.UDP or _tests_calls(settings)
        if needed and (scope, "") not in listed:
            yield f"No {scope} references: {loss}. List some under [references]."
    countries = {vantage.country for vantage in settings.vantages if _is_field(vantage)}
    for country in sorted(countries - {UNKNOWN_COUNTRY}):
        if (ReferenceScope.DOMESTIC, country) not in listed:
            yield (
                f"No domestic references for {country}: an international cut looks like a vantage "
                f"that is offline. List some under [references] as domestic.{country}."
            )


def _tests_calls(settings: Settings) -> bool:
    functions = (
        function for platform in settings.catalog.platforms for function in platform.functions
    )
    return any(
        one.kind is EndpointKind.STUN for function in functions for one in function.endpoints
    )


def _about_database(settings: Settings) -> Iterator[str]:
    file = database_url.file_of(settings.database)
    folder = Path(file).parent
    if file and not folder.is_dir():
        yield f"The folder of the database, {folder}, does not exist on this machine."


def _is_field(vantage: VantagePoint) -> bool:
    return vantage.role is VantageRole.FIELD


def _same_network(one: VantagePoint, other: VantagePoint) -> bool:
    if one.asn and other.asn:
        return one.asn == other.asn
    return bool(one.network) and one.network.casefold() == other.network.casefold()
