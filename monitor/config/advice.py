"""What to think over in a configuration that is valid all the same."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from monitor.config.load import UNKNOWN_COUNTRY
from monitor.config.settings import Settings
from monitor.wording.vantage_health import HOW_TO_SEE_PAST_STUB, STUB
from probes.catalog.catalog import ReferenceScope
from probes.layers.bogon import BogonList
from probes.sockets.system_resolvers import ResolverAddress, is_stub
from probes.vantage import Profile, VantagePoint, VantageRole
from storage import url as database_url

QUIET_INTERVAL = 600.0
"""Seconds below which a quiet vantage has little room to be quiet in."""


def advice(settings: Settings, system: Sequence[ResolverAddress] = ()) -> tuple[str, ...]:
    """One sentence for each weakness: what it is and what it means for what can be told.

    `system` are the resolvers of the machine that the monitor is to run on, where they are known.
    """
    if settings.agent is not None:
        return _of_an_agent(settings, system)
    field = [vantage for vantage in settings.vantages if _is_field(vantage)]
    control = [vantage for vantage in settings.vantages if not _is_field(vantage)]
    return (
        *_about_controls(field, control, enrolled=_serves_agents(settings)),
        *_about_field(field, enrolled=_serves_agents(settings)),
        *_about_stubs(field, system, BogonList(settings.probe.bogon_allow)),
        *_about_quiet(settings),
        *_about_references(settings),
        *_about_database(settings),
    )


def _of_an_agent(settings: Settings, system: Sequence[ResolverAddress]) -> tuple[str, ...]:
    """Controls, other networks and the database are the collectors' business."""
    field = [vantage for vantage in settings.vantages if _is_field(vantage)]
    return (
        *_about_stubs(field, system, BogonList(settings.probe.bogon_allow)),
        *_about_quiet(settings),
        *_about_references(settings),
    )


def _about_controls(
    field: Sequence[VantagePoint], control: Sequence[VantagePoint], *, enrolled: bool
) -> Iterator[str]:
    """`enrolled` where agents may be controls too, which the database knows and no file does."""
    if not control and enrolled:
        yield (
            "No control vantage of the collector's own: nobody looks at once at what an agent "
            "suspects, and unless an enrolled agent is a control (vantage enroll --role control) "
            "failures alone will be insufficient. Add a vantage with "
            'role = "control" outside the countries watched.'
        )
    elif not control:
        yield (
            "No control vantage: failures alone will be insufficient. Only evidence that stands "
            "by itself, such as a block page, can say blocked. Add a vantage with "
            'role = "control" outside the country.'
        )
    if len(control) == 1:
        others = ", unless an enrolled agent is a control too" if enrolled else ""
        yield (
            f"One control vantage only ({control[0].id}): while it is unwell nothing can be "
            f"judged{others}. Add a second in another network."
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
                f"Control {vantage.id} is in {vantage.country}, where blocks are looked for: what "
                "is blocked there too looks like a platform that is down. Put it elsewhere."
            )


def _about_field(field: Sequence[VantagePoint], *, enrolled: bool) -> Iterator[str]:
    """`enrolled` where agents may stand in these countries too."""
    countries = Counter(vantage.country for vantage in field)
    for country, number in sorted(countries.items()):
        if number == 1 and country != UNKNOWN_COUNTRY and not enrolled:
            yield (
                f"One vantage only in {country}: a block cannot be told from trouble of that one "
                "network. Add vantages in other networks."
            )
    placed = [vantage for vantage in field if vantage.country != UNKNOWN_COUNTRY]
    unknown = [vantage.id for vantage in placed if not vantage.asn]
    if unknown:
        yield (
            f"No asn for {', '.join(unknown)}: networks are told apart by it, so those of one "
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
                f"Control {vantage.id} is quiet, which changes nothing: it is asked when a field "
                "vantage met a failure, and at once."
            )
    hidden = [vantage.id for vantage in quiet if _is_field(vantage)]
    if hidden and settings.interval < QUIET_INTERVAL:
        yield (
            f"Quiet, at an interval under ten minutes: {', '.join(hidden)}. With much blocked a "
            'cycle may outlast it, and its looks stand close. Set interval = "10m" or more.'
        )


def _about_references(settings: Settings) -> Iterator[str]:
    listed = {(one.scope, one.country) for one in settings.catalog.references}
    for scope, loss in (
        (ReferenceScope.UPLINK, "a captive portal cannot be told"),
        (ReferenceScope.INTERNATIONAL, "a vantage that is offline cannot be told from a block"),
    ):
        if (scope, "") not in listed:
            yield f"No {scope} references: {loss}. List some under [references]."
    countries = {vantage.country for vantage in settings.vantages if _is_field(vantage)}
    for country in sorted(countries - {UNKNOWN_COUNTRY}):
        if (ReferenceScope.DOMESTIC, country) not in listed:
            yield (
                f"No domestic references for {country}: an international cut looks like a vantage "
                f"that is offline. List some under [references] as domestic.{country}."
            )


def _about_database(settings: Settings) -> Iterator[str]:
    file = database_url.file_of(settings.database)
    folder = Path(file).parent
    if file and not folder.is_dir():
        yield f"The folder of the database, {folder}, does not exist on this machine."


def _serves_agents(settings: Settings) -> bool:
    host, _ = settings.collector.listen
    return bool(host)


def _is_field(vantage: VantagePoint) -> bool:
    return vantage.role is VantageRole.FIELD


def _same_network(one: VantagePoint, other: VantagePoint) -> bool:
    if one.asn and other.asn:
        return one.asn == other.asn
    return bool(one.network) and one.network.casefold() == other.network.casefold()
