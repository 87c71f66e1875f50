"""What an agent measures by an order: what it ships, what its host's own file holds, and what its
host allows besides.

What it ships counts where its own file has it measured: the platforms that the file names, or all
but those that are measured only where they are named. A platform is used as ordered when all its
endpoints are among those; else as the file has it, or not at all. The same holds for what a quiet
agent fetches to measure speed: an endpoint that is only tested there counts as new. Whatever is
allowed, no order names a private or reserved address, or many endpoints of one host, or has more
tested in a cycle than the file does, or the speed of more objects measured.
Pure: values in, values out.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator

import msgspec

from monitor.analysis.throttling.objects import TransferObject, objects_of
from monitor.config.catalog import parse_catalog, shipped_catalog
from monitor.config.load import LARGEST_CATALOG, measured_from
from monitor.config.settings import Settings
from monitor.config.toml_problem import ConfigError
from monitor.wire.answers import AgentSettings
from probes.catalog.catalog import (
    Authority,
    Catalog,
    Endpoint,
    Platform,
    Reference,
    certificates_for,
)
from probes.layers.bogon import may_be_public
from probes.measure.ordered_addresses import MOST_PER_ADDRESS

MOST_TIMES = 3
"""Times that one endpoint may be among those of an order, and among its objects."""
REFERENCES = "references"
"""Name of the references among what is not used."""


class OrdersError(Exception):
    """A catalogue that cannot be used; the message is a clause that says why."""

    unused: tuple["Unused", ...] = ()
    """Parts of it that wait for the host, whose consent also allows more tests."""


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """What the host allows besides what is shipped and what its own file holds."""

    endpoints: frozenset[Endpoint] = frozenset()
    references: frozenset[Reference] = frozenset()
    everything: bool = False
    """An offline key that the host trusts signed the catalogue."""


class Unused(msgspec.Struct, frozen=True, kw_only=True):
    """Part of an order that is not used."""

    name: str
    """Of the platform, REFERENCES, or `what_orders_may_change.CATALOG`."""
    why: str
    """A clause."""
    endpoints: tuple[Endpoint, ...] = ()
    references: tuple[Reference, ...] = ()
    """Those that are new."""
    acceptable: bool = False
    """Whether the host may accept them."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure, and what of the order is not used."""

    catalog: Catalog
    unused: tuple[Unused, ...] = ()


def choose(
    own: Settings,
    new: AgentSettings,
    allowed: Allowed,
    admit: Callable[[Collection[str]], bool] = lambda _: True,
) -> Choice:
    """What to measure by settings of a collector.

    The shipped platforms are those that both name, where the agent's own file names any; all others
    are new to the host. Where that file changes a shipped platform or the references, its version
    is used. `admit` is whether endpoints with these ids may be added today. Raises OrdersError,
    also where a cycle would test more.
    """
    return _Choosing(own, new, allowed, admit).choice()


class _Choosing:
    def __init__(
        self,
        own: Settings,
        new: AgentSettings,
        allowed: Allowed,
        admit: Callable[[Collection[str]], bool],
    ) -> None:
        self._own = own
        self._new = new
        self._allowed = allowed
        self._admit = admit
        self._shipped = shipped_catalog()
        self._known = _parsed(new.catalog, self._shipped)
        self._named = {one.name: one for one in own.catalog.platforms}
        shipped = (one for one in self._shipped.platforms if one.name in self._named)
        platforms = (*shipped, *own.catalog.platforms)
        self._held = frozenset(one for each in platforms for one in _endpoints(each))
        self._pages = frozenset(one.endpoint for one in _objects(platforms) if one.page)
        self._hosts: Counter[str] = Counter()
        self._ordered: set[str] = set()
        self._unused: list[Unused] = []

    def choice(self) -> Choice:
        platforms = tuple(self._platforms())
        references = self._references()
        try:
            _check_amount(platforms, self._own.catalog.platforms, len(self._ordered))
        except OrdersError as error:
            error.unused = tuple(self._unused)
            raise
        return Choice(
            catalog=Catalog(
                platforms=platforms,
                references=references,
                authorities=self._authorities(),
                ordered=frozenset(self._ordered),
            ),
            unused=tuple(self._unused),
        )

    def _platforms(self) -> Iterator[Platform]:
        shipped = {one.name: one for one in self._shipped.platforms}
        known = {one.name: one for one in self._known.platforms}
        for name in dict.fromkeys(self._new.platforms):
            mine = self._named.get(name)
            if mine is None and name in shipped and self._own.chosen:
                continue
            if mine is not None and mine != shipped.get(name):
                yield mine
            elif name in known and self._take(name, self._new_of(known[name])):
                yield known[name]
            elif mine is not None:
                yield mine

    def _references(self) -> tuple[Reference, ...]:
        own, vantages = self._own.catalog.references, self._own.vantages
        if own != measured_from(vantages, self._shipped).references:
            return own
        ordered = measured_from(vantages, self._known).references
        new = [one for one in ordered if one not in self._shipped.references]
        taken = self._take(REFERENCES, tuple(one.endpoint for one in new), new)
        return ordered if taken else own

    def _new_of(self, platform: Platform) -> tuple[Endpoint, ...]:
        """Those of its endpoints and pages that are neither shipped nor in the host's file."""
        new = [one for one in _endpoints(platform) if one not in self._held]
        ids = {one.id for one in new}
        new += [
            one.endpoint
            for one in objects_of(platform)
            if one.page and one.of not in ids and one.endpoint not in self._pages
        ]
        return tuple(dict.fromkeys(new))

    def _take(
        self, name: str, new: tuple[Endpoint, ...], references: Collection[Reference] = ()
    ) -> bool:
        """Whether these may be measured; else they are noted as unused."""
        if not new:
            return True
        hosts = self._hosts + Counter(one.host for one in new)
        why = _never(new, hosts, self._own) or self._other_authority(new)
        acceptable = not why
        if not why and not self._is_allowed(new, references):
            why = "its host has not accepted it"
        elif not why and not self._admit([one.id for one in new]):
            why, acceptable = "more new endpoints than one day may bring", False
        if why:
            self._unused.append(
                Unused(
                    name=name,
                    why=why,
                    endpoints=() if references else new,
                    references=tuple(references),
                    acceptable=acceptable,
                )
            )
            return False
        self._hosts = hosts
        self._ordered |= {one.id for one in new}
        return True

    def _other_authority(self, new: Iterable[Endpoint]) -> str:
        """Why these cannot be verified here as the collector does; empty when they can."""
        used, ordered = self._authorities(), self._known.authorities
        for one in new:
            if certificates_for(one.host, used) != certificates_for(one.host, ordered):
                return f"the authority of {one.host} is not the one in its host's own file"
        return ""

    def _authorities(self) -> tuple[Authority, ...]:
        """By an authority that an order names, its forgeries would verify."""
        known = self._known if self._allowed.everything else self._own.catalog
        return known.authorities

    def _is_allowed(self, new: Iterable[Endpoint], references: Collection[Reference]) -> bool:
        if self._allowed.everything:
            return True
        if references:
            return self._allowed.references.issuperset(references)
        return self._allowed.endpoints.issuperset(new)


def _parsed(text: str, shipped: Catalog) -> Catalog:
    if len(text) > LARGEST_CATALOG:
        raise OrdersError(f"it has more than {LARGEST_CATALOG:,} characters")
    try:
        return parse_catalog(text, "the collector's catalogue", shipped)
    except ConfigError as error:
        raise OrdersError(f"it cannot be read: {error.problems[0]}") from error
    except RecursionError:
        raise OrdersError("it is nested too deeply") from None


def _endpoints(platform: Platform) -> Iterator[Endpoint]:
    for function in platform.functions:
        yield from function.endpoints
        yield from function.transfer


def _objects(platforms: Iterable[Platform]) -> list[TransferObject]:
    """What a cycle may fetch to measure its speed."""
    return [one for each in platforms for one in objects_of(each)]


def _tests(platforms: Iterable[Platform]) -> int:
    """Endpoints that a cycle tests while all works."""
    return sum(
        min(function.sample or len(pool), len(pool))
        for platform in platforms
        for function in platform.functions
        for pool in function.pools
    )


def _check_amount(platforms: Collection[Platform], own: Collection[Platform], new: int) -> None:
    objects = _objects(platforms)
    for what, found, allowed in (
        ("tests in a cycle", _tests(platforms), _tests(own)),
        ("objects whose speed is measured", len(objects), len(_objects(own))),
    ):
        if found > allowed + new:
            raise OrdersError(
                f"it has {found} {what}, and the agent's own file allows {allowed + new}"
            )
    tested = (
        one for each in platforms for function in each.functions for one in function.endpoints
    )
    for several in (tested, (one.endpoint for one in objects)):
        for endpoint, count in Counter(one.id for one in several).most_common(1):
            if count > MOST_TIMES:
                raise OrdersError(f"it has {endpoint} {count} times, and {MOST_TIMES} is the most")


def _never(new: Iterable[Endpoint], hosts: Counter[str], own: Settings) -> str:
    """Why no host can allow these; empty when one can."""
    for endpoint in new:
        if not may_be_public(endpoint.host):
            return f"{endpoint.host} is no public address, nor the name of one"
        if hosts[endpoint.host] > MOST_PER_ADDRESS:
            return f"more than {MOST_PER_ADDRESS} new endpoints of {endpoint.host}"
    if any(one.egress.proxied and one.resolver.system for one in own.vantages):
        return "the proxy resolves names, so nobody sees which addresses they lead to"
    return ""
