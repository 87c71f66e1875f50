"""Read catalogues: the shipped one, and the operator's file that adds to it or overrides it.

docs/catalog.md describes the format. A file is merged by platform and function:
what it gives replaces what was there, and everything it does not mention stays.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from monitor.config.catalog_nodes import (
    check_function_name,
    check_platform_name,
    endpoint,
    endpoint_id,
    grouped,
    need,
    reference,
    require_tcp,
    root_certificates,
    transfer_objects,
)
from monitor.config.country_code import country_code
from monitor.config.toml_node import (
    Document,
    Invalid,
    Node,
    Shape,
    did_you_mean,
    filled,
    flag,
    listed,
    member,
    named,
    read_table,
    whole,
)
from monitor.config.toml_source import TomlSource, parse_source, read_source
from probes.catalog.catalog import (
    Authority,
    Catalog,
    Endpoint,
    Function,
    Group,
    Need,
    Platform,
    Reference,
    ReferenceScope,
)
from probes.catalog.endpoint_kinds import EndpointKind, Protocol
from probes.catalog.endpoint_text import parse_host
from probes.catalog.host import is_literal

M = TypeVar("M", Platform, Function)

LARGEST_SAMPLE = 1000

_EMPTY = Catalog(platforms=())


@cache
def shipped_catalog() -> Catalog:
    """The whole catalogue that comes with shutwatch, platforms not measured by default too."""
    text = files("probes.catalog").joinpath("catalog.toml").read_text(encoding="utf-8")
    return parse_catalog(text, "catalog.toml")


def load_catalog(path: Path, base: Catalog = _EMPTY) -> Catalog:
    """`base` with the file at `path` merged into it. Raises ConfigError."""
    return _merged(read_source(path, absent="check the name, and the folder you are in"), base)


def parse_catalog(text: str, file: str, base: Catalog = _EMPTY) -> Catalog:
    """`base` with `text` merged into it; `file` is its name in problems. Raises ConfigError."""
    return _merged(parse_source(text, file), base)


def watched_by_default(catalog: Catalog) -> Catalog:
    """Without the platforms that are measured only when named."""
    platforms = tuple(platform for platform in catalog.platforms if platform.default)
    return msgspec.structs.replace(catalog, platforms=platforms)


def select_platforms(catalog: Catalog, names: Iterable[str]) -> Catalog:
    """Only the named platforms, in the catalogue's order; unknown names select nothing."""
    wanted = frozenset(names)
    platforms = tuple(platform for platform in catalog.platforms if platform.name in wanted)
    return msgspec.structs.replace(catalog, platforms=platforms)


def read_references(node: Node, base: Sequence[Reference]) -> tuple[Reference, ...]:
    """`base`, in which each given scope and country replaces the references it had.

    Raises Invalid.
    """
    given: dict[tuple[ReferenceScope, str], tuple[Reference, ...]] = {}
    tables = read_table(
        node,
        {
            "uplink": listed(reference(ReferenceScope.UPLINK)),
            "international": listed(reference(ReferenceScope.INTERNATIONAL)),
            "popular": listed(reference(ReferenceScope.POPULAR)),
            "address": listed(reference(ReferenceScope.ADDRESS)),
            "domestic": named(_domestic),
            "udp": listed(reference(ReferenceScope.UDP)),
        },
    )
    for scope in ReferenceScope:
        if scope in tables and scope is not ReferenceScope.DOMESTIC:
            given[scope, ""] = tables[scope]
    for country, references in tables.get("domestic", {}).items():
        given[ReferenceScope.DOMESTIC, country] = references
    kept = (known for known in base if (known.scope, known.country) not in given)
    return (*kept, *(new for references in given.values() for new in references))


def _domestic(country: str, node: Node) -> tuple[Reference, ...]:
    """One entry of `domestic.PK = […]`."""
    try:
        country_code(country)
    except ValueError as error:
        raise node.fail(str(error), wrong="belongs to no country") from None
    return listed(reference(ReferenceScope.DOMESTIC, country))(node)


def _merged(source: TomlSource, base: Catalog) -> Catalog:
    """`base` with a whole file merged into it. Raises ConfigError."""
    document = Document(source)
    values: dict[str, Any] = {}
    with suppress(Invalid):
        values = read_table(
            document.root,
            {
                "platform": _over(base.platforms, _platform),
                "references": lambda node: read_references(node, base.references),
                "authority": named(_authority),
            },
        )
    document.finish()
    return Catalog(
        platforms=values.get("platform", base.platforms),
        references=values.get("references", base.references),
        authorities=_with_authorities(base, values.get("authority", {})),
    )


def _authority(domain: str, node: Node) -> Authority:
    """`[authority."DOMAIN"]`."""
    try:
        name = parse_host(domain)
    except ValueError:
        name = ""
    if is_literal(name) or "." not in name:
        raise node.fail('a domain such as "example.org"', wrong="is no domain")
    remedy = "give its root certificates, between lines of three double quotes"
    shapes = {"certificates": root_certificates}
    values = read_table(node, shapes, required={"certificates": remedy})
    return Authority(domain=name, certificates=values["certificates"])


def _with_authorities(base: Catalog, given: dict[str, Authority]) -> tuple[Authority, ...]:
    """The base's, those of the same domains replaced."""
    every = (*base.authorities, *given.values())
    return tuple({one.domain: one for one in every}.values())


def _over(base: Sequence[M], read: Callable[[Node, str, M | None], M]) -> Shape[tuple[M, ...]]:
    """A table of names: everything of the base, and over it what `read` makes of each name."""
    known = {one.name: one for one in base}
    given = named(lambda name, child: read(child, name, known.get(name)))
    return lambda node: tuple({**known, **given(node)}.values())


def _platform(node: Node, name: str, base: Platform | None) -> Platform:
    """`[platform.NAME]`, over the platform of that name if there is one."""
    check_platform_name(node, name)
    example = f'[platform.{name}.function.web] core = true, endpoints = ["https://example.org/"]'
    values = read_table(
        node,
        {
            "title": filled,
            "owner": filled,
            "default": flag,
            "function": _over(base.functions if base else (), _function),
        },
        required=None if base else {"function": f"say where it answers: {example}"},
    )
    title = values.get("title", name)
    start = base or Platform(name=name, title=title, owner=title, functions=())
    if "function" in values:
        values["functions"] = values.pop("function")
    platform = msgspec.structs.replace(start, **values)
    if not any(function.core for function in platform.functions):
        raise node.lack(
            "function",
            "add core = true to the functions without which the platform does not work",
            wrong="has no core function, so it could never be called blocked",
        )
    return platform


_FUNCTION: dict[str, Shape[Any]] = {
    "core": flag,
    "need": need,
    "canonical": flag,
    "sample": whole(0, LARGEST_SAMPLE),
    "verify": flag,
    "protocol": member(Protocol),
    "endpoints": grouped(endpoint),
    "add": grouped(endpoint),
    "remove": listed(endpoint_id),
    "transfer": transfer_objects,
}


_OWN_FIELDS = {"core", "need", "canonical", "sample", "transfer"}
"""Keys that are fields of a function; the others are about its endpoints."""


def _function(node: Node, name: str, base: Function | None) -> Function:
    """`[platform.NAME.function.NAME]`, over the function of that name if there is one."""
    check_function_name(node, name)
    values = read_table(node, _FUNCTION)
    members = _members(node, values, base)
    endpoints = tuple(one for group in members.values() for one in group)
    start = base or Function(name=name, canonical=name == "web", endpoints=())
    own = {field: values[field] for field in _OWN_FIELDS & values.keys()}
    function = msgspec.structs.replace(
        start,
        **own,
        endpoints=_all_marked(node, values, endpoints),
        groups=tuple(
            Group(name=group, endpoints=tuple(one.id for one in of))
            for group, of in members.items()
            if group
        ),
    )
    _check_function(node, values, function)
    return function


def _check_function(node: Node, values: dict[str, Any], function: Function) -> None:
    """Refuse a function that could not be judged. Raises Invalid."""
    table = node.table()
    if function.sample and function.need is not Need.ANY:
        given = "sample" if "sample" in values else "need"
        raise table[given].fail('sample = 0 unless need = "any": all must be tested')
    if isinstance(function.need, int) and any(len(pool) < function.need for pool in function.pools):
        given = "need" if "need" in values else "endpoints"
        remedy = f"list at least {function.need} endpoints, in each group"
        raise table[given].fail(remedy) if given in table else node.lack(given, remedy)
    if function.canonical and function.groups:
        given = "canonical" if "canonical" in values else "endpoints"
        raise table[given].fail("canonical or groups, not both: each group counts by itself")
    resolved = [one.id for one in function.endpoints if one.kind is EndpointKind.DNS]
    if function.name == "calls" and resolved:
        wrong = f"{resolved[0]} proves no call"
        raise node.lack("endpoints", "a server that answers: stun:host", wrong=wrong)


def _all_marked(
    node: Node, values: dict[str, Any], endpoints: tuple[Endpoint, ...]
) -> tuple[Endpoint, ...]:
    """The endpoints of a function, each with the function's own `verify` and `protocol`."""
    shared = {name: values[name] for name in ("verify", "protocol") if name in values}
    if "protocol" in shared:
        for one in endpoints:
            require_tcp(node.table()["protocol"], one)
    if not shared:
        return endpoints
    return tuple(msgspec.structs.replace(one, **shared) for one in endpoints)


def _members(
    node: Node, values: dict[str, Any], base: Function | None
) -> dict[str, tuple[Endpoint, ...]]:
    """Group → endpoints: those listed, or the base's after additions and removals; all under ""
    where there are no groups."""
    table = node.table()
    if base is None or "endpoints" in values:
        for name in ("add", "remove"):
            if name in table:
                raise table[name].fail("list all endpoints under endpoints instead")
        members: dict[str, tuple[Endpoint, ...]] = values.get("endpoints", {})
        if not members or not all(members.values()):
            raise node.lack("endpoints", 'list at least one: ["https://example.org/"]')
        return members
    return _changed(table, values, base)


def _changed(
    table: dict[str, Node], values: dict[str, Any], base: Function
) -> dict[str, tuple[Endpoint, ...]]:
    """The base's endpoints after `remove` and `add`."""
    names = [group.name for group in base.groups] or [""]
    members = {
        name: {one.id: one for one in pool} for name, pool in zip(names, base.pools, strict=True)
    }
    known = dict.fromkeys(one.id for one in base.endpoints)
    for entry, gone in zip(_entries(table, "remove"), values.get("remove", ()), strict=True):
        if gone not in known:
            hint = did_you_mean(gone, known)
            raise entry.fail(hint or f"one of: {', '.join(known)}", wrong="is not in this function")
        del known[gone]
        for pool in members.values():
            pool.pop(gone, None)
    for name, new in values.get("add", {}).items():
        if ("" in members) is not (name == ""):
            right = (
                "a list: this function has no groups" if name else f"its group: add.{names[0]} = …"
            )
            raise table["add"].fail(right)
        given = table["add"].table()[name] if name else table["add"]
        for entry, one in zip(given.entries(), new, strict=True):
            if one.id in known:
                raise entry.fail("leave it out: the function has it already")
            known[one.id] = None
            members.setdefault(name, {})[one.id] = one
    if not known:
        raise table["remove"].fail("leave at least one endpoint, or add others")
    return {name: tuple(pool.values()) for name, pool in members.items() if pool}


def _entries(table: dict[str, Node], name: str) -> list[Node]:
    return table[name].entries() if name in table else []
