"""Read catalogues: the shipped one, and the operator's file that adds to it or overrides it.

docs/catalog.md describes the format. A file is merged platform by platform and role by role:
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
    check_platform_name,
    check_role_name,
    endpoint,
    endpoint_id,
    reference,
    require_tcp,
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
    Catalog,
    Endpoint,
    Need,
    Platform,
    Protocol,
    Reference,
    ReferenceScope,
    Role,
)

M = TypeVar("M", Platform, Role)

LARGEST_SAMPLE = 1000

_EMPTY = Catalog(platforms=())


@cache
def shipped_catalog() -> Catalog:
    """The whole catalogue that comes with shutwatch, platforms not measured by default too."""
    text = files("probes.catalog").joinpath("catalog.toml").read_text(encoding="utf-8")
    return parse_catalog(text, "catalog.toml")


def load_catalog(path: Path, base: Catalog = _EMPTY) -> Catalog:
    """`base` with the file at `path` merged into it. Raises ConfigError."""
    return _merged(read_source(path), base)


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
            "domestic": named(_domestic),
            "udp": listed(reference(ReferenceScope.UDP)),
        },
    )
    for scope in (ReferenceScope.UPLINK, ReferenceScope.INTERNATIONAL, ReferenceScope.UDP):
        if scope in tables:
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
            },
        )
    document.finish()
    return Catalog(
        platforms=values.get("platform", base.platforms),
        references=values.get("references", base.references),
    )


def _over(base: Sequence[M], read: Callable[[Node, str, M | None], M]) -> Shape[tuple[M, ...]]:
    """A table of names: everything of the base, and over it what `read` makes of each name."""
    known = {one.name: one for one in base}
    given = named(lambda name, child: read(child, name, known.get(name)))
    return lambda node: tuple({**known, **given(node)}.values())


def _platform(node: Node, name: str, base: Platform | None) -> Platform:
    """`[platform.NAME]`, over the platform of that name if there is one."""
    check_platform_name(node, name)
    example = f'[platform.{name}.role.web] core = true, endpoints = ["https://example.org/"]'
    values = read_table(
        node,
        {
            "title": filled,
            "owner": filled,
            "default": flag,
            "role": _over(base.roles if base else (), _role),
        },
        required=None if base else {"role": f"say where it answers: {example}"},
    )
    title = values.get("title", name)
    start = base or Platform(name=name, title=title, owner=title, roles=())
    if "role" in values:
        values["roles"] = values.pop("role")
    platform = msgspec.structs.replace(start, **values)
    if not any(role.core for role in platform.roles):
        raise node.lack(
            "role",
            "add core = true to the roles without which the platform does not work",
            wrong="has no core role, so it could never be called blocked",
        )
    return platform


_ROLE: dict[str, Shape[Any]] = {
    "core": flag,
    "need": member(Need),
    "canonical": flag,
    "sample": whole(0, LARGEST_SAMPLE),
    "verify": flag,
    "protocol": member(Protocol),
    "endpoints": listed(endpoint),
    "add": listed(endpoint),
    "remove": listed(endpoint_id),
    "transfer": transfer_objects,
}


_OWN_FIELDS = {"core", "need", "canonical", "sample", "transfer"}
"""Keys that are fields of a role; the others are about its endpoints."""


def _role(node: Node, name: str, base: Role | None) -> Role:
    """`[platform.NAME.role.NAME]`, over the role of that name if there is one."""
    check_role_name(node, name)
    values = read_table(node, _ROLE)
    endpoints = _all_marked(node, values, _endpoints(node, values, base))
    start = base or Role(name=name, canonical=name == "web", endpoints=())
    own = {field: values[field] for field in _OWN_FIELDS & values.keys()}
    role = msgspec.structs.replace(start, **own, endpoints=endpoints)
    if role.sample and role.need is Need.ALL:
        given = "sample" if "sample" in values else "need"
        raise node.table()[given].fail('sample = 0 with need = "all": all must be tested')
    return role


def _all_marked(
    node: Node, values: dict[str, Any], endpoints: tuple[Endpoint, ...]
) -> tuple[Endpoint, ...]:
    """The endpoints of a role, each with the role's own `verify` and `protocol`."""
    shared = {name: values[name] for name in ("verify", "protocol") if name in values}
    if "protocol" in shared:
        for one in endpoints:
            require_tcp(node.table()["protocol"], one)
    if not shared:
        return endpoints
    return tuple(msgspec.structs.replace(one, **shared) for one in endpoints)


def _endpoints(node: Node, values: dict[str, Any], base: Role | None) -> tuple[Endpoint, ...]:
    """The endpoints that are listed, or the base's after additions and removals."""
    table = node.table()
    if base is None or "endpoints" in values:
        for name in ("add", "remove"):
            if name in table:
                raise table[name].fail("list all endpoints under endpoints instead")
        if not values.get("endpoints"):
            raise node.lack("endpoints", 'list at least one: ["https://example.org/"]')
        return tuple(values["endpoints"])
    return _changed(table, values, base)


def _changed(table: dict[str, Node], values: dict[str, Any], base: Role) -> tuple[Endpoint, ...]:
    """The base's endpoints after `remove` and `add`."""
    known = {one.id: one for one in base.endpoints}
    for entry, gone in zip(_entries(table, "remove"), values.get("remove", ()), strict=True):
        if known.pop(gone, None) is None:
            hint = did_you_mean(gone, known)
            raise entry.fail(hint or f"one of: {', '.join(known)}", wrong="is not in this role")
    for entry, new in zip(_entries(table, "add"), values.get("add", ()), strict=True):
        if new.id in known:
            raise entry.fail("leave it out: the role has it already")
        known[new.id] = new
    if not known:
        raise table["remove"].fail("leave at least one endpoint, or add others")
    return tuple(known.values())


def _entries(table: dict[str, Node], name: str) -> list[Node]:
    return table[name].entries() if name in table else []
