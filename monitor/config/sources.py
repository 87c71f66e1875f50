"""`[[source]]`: whose measurements are followed, about which countries, at what pace."""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from monitor.config.keys_by_table import SOURCE, SOURCE_REQUIRED
from monitor.config.settings import SourceSettings
from monitor.config.toml_node import Invalid, Node, listed, read_table, suggestion, text
from monitor.sources.neighbours import neighbours
from monitor.sources.round_cost import round_cost
from monitor.sources.terms import ASKED, SourceKind
from probes.catalog.catalog import Catalog

_ALONE: Mapping[str, tuple[SourceKind, ...]] = {
    "platforms": (SourceKind.OONI, *ASKED),
    "beside": (SourceKind.OONI, *ASKED),
    "run_link": (SourceKind.OONI,),
    "token": ASKED,
    "probes": ASKED,
}
"""Keys that mean something to some kinds alone."""
_DEFAULTS: Mapping[SourceKind, Mapping[str, Any]] = {
    # It looks in the own database whether anything is suspected, and asks only then.
    SourceKind.GLOBALPING: {"every": 60.0, "budget": 200},
    SourceKind.ATLAS: {"every": 60.0, "budget": 2000, "probes": 5},
}
_CONTROLS = ("DE", "NL", "US", "FR")
"""Countries with many probes; the first that are not watched themselves are compared with."""
_FEWEST_CONTROLS = 2
_FEWEST_COUNTRIES = 3
"""Countries of which one that fails alone can be told from a test that fails everywhere."""


def read_sources(catalog: Catalog | None, node: Node) -> tuple[SourceSettings, ...]:
    """Every `[[source]]`, one of each kind. Platforms are looked up in `catalog`, unless that is
    None. Raises Invalid."""
    if isinstance(node.raw, dict):
        raise node.fail("write [[source]], in double brackets", wrong="is in single brackets")
    _one_of_each(node)
    return listed(partial(_source, catalog), distinct=False)(node)


def _source(catalog: Catalog | None, node: Node) -> SourceSettings:
    values = read_table(
        node,
        {**SOURCE, "platforms": listed(partial(_platform, catalog))},
        required=SOURCE_REQUIRED,
    )
    source = SourceSettings(**{**_DEFAULTS.get(values["kind"], {}), **values})
    if not source.countries:
        raise node.table()["countries"].fail("at least one country")
    twice = set(source.countries) & set(source.beside)
    if twice:
        remedy = f"leave out {', '.join(sorted(twice))}, which countries names already"
        raise node.table()["beside"].fail(remedy)
    if "beside" not in node.table():
        source = msgspec.structs.replace(source, beside=_beside(source))
    for name, kinds in _ALONE.items():
        if name in node.table() and source.kind not in kinds:
            raise node.table()[name].fail(
                "leave it out", wrong=f"is for kind {', '.join(kinds)} alone"
            )
    if source.kind in ASKED and not source.beside:
        raise node.table()["beside"].fail("name at least one country, or leave it out")
    if source.kind is SourceKind.ATLAS and not source.token:
        raise node.fail(
            'name the key of an account, from the environment: token = "${RIPE_ATLAS_KEY}"',
            wrong="has no key",
        )
    if source.kind in ASKED:
        _affords_a_round(node, source)
    return source


def _affords_a_round(node: Node, source: SourceSettings) -> None:
    """Raises Invalid where no hour has room for one: nobody would ever be asked."""
    cost = round_cost(source.kind, source.probes, len(source.beside))
    if source.budget < cost:
        at = node.table().get("budget", node)
        raise at.fail(
            f"at least budget = {cost}, or fewer probes",
            wrong=f"has no room for one round, which takes up to {cost}",
        )


def _beside(source: SourceSettings) -> tuple[str, ...]:
    """Countries to compare with where none are named: for strangers' probes some with many, for
    OONI neighbours of countries that are too few to tell a broken test by."""
    if source.kind in ASKED:
        others = [one for one in _CONTROLS if one not in source.countries]
        return tuple(others[:_FEWEST_CONTROLS])
    lacking = _FEWEST_COUNTRIES - len(source.countries)
    if source.kind is not SourceKind.OONI or lacking <= 0:
        return ()
    near = [one for country in source.countries for one in neighbours(country)]
    others = [one for one in dict.fromkeys(near) if one not in source.countries]
    return tuple(others[:lacking])


def _platform(catalog: Catalog | None, node: Node) -> str:
    value = text(node)
    if catalog is not None:
        known = {one.name for one in catalog.platforms}
        if value not in known:
            wrong = "is not a platform that this configuration watches"
            raise node.fail(suggestion(value, known), wrong=wrong)
    return value


def _one_of_each(node: Node) -> None:
    """Note every kind that an earlier entry has: what both bring would be the same twice."""
    seen: dict[str, Node] = {}
    for entry in node.entries():
        with suppress(Invalid):
            kind = entry.table().get("kind")
            if kind is None:
                continue
            earlier = seen.setdefault(SOURCE["kind"](kind), entry)
            if earlier is not entry:
                raise kind.fail(f"name all countries in {earlier.key}, which has this kind already")
