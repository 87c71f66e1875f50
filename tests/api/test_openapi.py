"""The OpenAPI document and docs/api.md describe the whole API."""

import re
from pathlib import Path
from typing import Any

from starlette.routing import Route

from monitor.export.columns import VANTAGE_COLUMNS
from monitor.server.api import create_api
from monitor.server.api.openapi import document
from monitor.server.api.parameters import PAGING
from monitor.server.api.resources import RESOURCES
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")


def _routes() -> set[str]:
    app = create_api(MemoryStore(), lambda _: True)
    return {route.path for route in app.routes if isinstance(route, Route)}


def test_every_route_is_described_and_nothing_else() -> None:
    """The document and the application have the same paths."""
    assert set(document()["paths"]) == _routes()


def test_every_parameter_is_described() -> None:
    """Each operation has its parameters; only pages have limit and cursor."""
    paths = document()["paths"]
    for resource in RESOURCES:
        for path, parameters in (
            (f"/{resource.name}", (*resource.filters, *PAGING)),
            (f"/{resource.name}.csv", resource.filters),
        ):
            described = {one["name"]: one for one in paths[path]["get"]["parameters"]}
            assert list(described) == [one.name for one in parameters]
            for one in parameters:
                assert described[one.name]["schema"] == one.schema
                assert described[one.name]["description"] == one.meaning


def test_examples_are_right() -> None:
    """Each example is accepted, except the cursor's, which only a server can make."""
    for resource in RESOURCES:
        for one in resource.filters:
            assert one.read(one.example) is not None


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if "$ref" in value else set()
        return found.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


def test_every_reference_leads_somewhere() -> None:
    """Each one points to an existing part."""
    whole = document()
    for reference in _references(whole):
        part: Any = whole
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]
        assert part


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    kinds: dict[str, Any] = {
        "string": str,
        "number": (int, float),
        "boolean": bool,
        "array": list,
        "object": dict,
        "integer": int,
        "null": type(None),
    }
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    right = any(
        isinstance(value, kinds[kind]) and (kind == "boolean" or not isinstance(value, bool))
        for kind in types
    )
    return right and ("items" not in schema or all(_fits(one, schema["items"]) for one in value))


async def test_answers_are_as_described(operator: httpx.AsyncClient) -> None:
    """Every member of every row is described, and has a described type."""
    described = (await operator.get("openapi.json")).json()
    assert described == document()
    for resource in RESOURCES:
        schema = described["components"]["schemas"][f"{resource.name}_row"]
        for row in (await operator.get(resource.name)).json()["data"]:
            assert set(row) == set(schema["properties"]) == set(schema["required"])
            for name, value in row.items():
                assert _fits(value, schema["properties"][name]), (name, value)


def test_the_columns_of_vantages_are_in_the_manual() -> None:
    """No CSV file of the command line has them, so docs/api.md explains them all, in order."""
    rows = re.findall(r"^\| `(\w+)` \| ([a-zA-Z ]+) \| ([^|]+\.) \|$", TEXT, re.MULTILINE)
    assert rows == [(column.name, column.unit, column.meaning) for column in VANTAGE_COLUMNS]


def test_every_route_and_parameter_is_in_the_manual() -> None:
    """docs/api.md has exactly the routes, each with exactly its parameters: a row is a path and its
    `.csv`, and the sentence below the table adds what only JSON has."""
    table = TEXT.partition("| path | parameters |")[2].partition("\n\nColumns")[0]
    rows = dict(re.findall(r"^\| `/api/v1(/[a-z]+)` \| ([^|]+) \|$", table, re.MULTILINE))
    (paging,) = re.findall(r"^JSON has (.+) too\.", table, re.MULTILINE)
    documented = {"/openapi.json": list[str]()} if "`/api/v1/openapi.json`" in table else {}
    for path, cell in rows.items():
        documented[f"{path}.csv"] = re.findall(r"`(\w+)`", cell)
        documented[path] = re.findall(r"`(\w+)`", f"{cell}{paging}")
    assert set(documented) == _routes()
    for path, operations in document()["paths"].items():
        parameters = [one["name"] for one in operations["get"].get("parameters", [])]
        assert documented[path] == parameters
    meanings = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", TEXT, re.MULTILINE))
    known = {one.name for each in RESOURCES for one in (*each.filters, *PAGING)}
    assert known <= set(meanings)
