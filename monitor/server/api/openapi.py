"""The OpenAPI document, made from the tables that requests are read by."""

from collections.abc import Iterable
from typing import Any

from monitor import __version__
from monitor.server.api.json_rows import SCHEMAS
from monitor.server.api.parameters import PAGING, Parameter
from monitor.server.api.problem import TITLES
from monitor.server.api.resources import RESOURCES, Resource

_REFUSALS = (400, 403, 404, 405, 503)


def document() -> dict[str, Any]:
    """The whole document, as JSON has it."""
    paths: dict[str, Any] = {"/openapi.json": {"get": _openapi_operation()}}
    for resource in RESOURCES:
        paths[f"/{resource.name}"] = {"get": _page_operation(resource)}
        paths[f"/{resource.name}.csv"] = {"get": _file_operation(resource)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "shutwatch",
            "version": __version__,
            "description": "What this installation has seen and concluded, for reading. Columns "
            "are those of the CSV files of the command line. Times are UTC.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {
            "schemas": {
                **{_row_name(resource): _row(resource) for resource in RESOURCES},
                "problem": _problem(),
            },
            "responses": {str(status): _refusal(status) for status in _REFUSALS},
        },
    }


def _openapi_operation() -> dict[str, Any]:
    return {
        "operationId": "openapi",
        "summary": "This document",
        "responses": {
            "200": {
                "description": "The document.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            "304": {"description": "Unchanged since the ETag in If-None-Match."},
            "405": {"$ref": "#/components/responses/405"},
        },
    }


def _page_operation(resource: Resource) -> dict[str, Any]:
    page = {
        "type": "object",
        "required": ["data", "next"],
        "properties": {
            "data": {
                "type": "array",
                "items": {"$ref": f"#/components/schemas/{_row_name(resource)}"},
            },
            "next": {
                "type": ["string", "null"],
                "description": "Address of the page behind this one; null on the last.",
            },
        },
    }
    return {
        "operationId": resource.name,
        "summary": resource.summary,
        "description": f"A page of rows, by {resource.order}.",
        "parameters": list(map(_parameter, (*resource.filters, *PAGING))),
        "responses": {
            "200": {
                "description": "A page.",
                "headers": {"ETag": {"schema": {"type": "string"}}},
                "content": {"application/json": {"schema": page}},
            },
            "304": {"description": "Unchanged since the ETag in If-None-Match."},
            **_refusals(),
        },
    }


def _file_operation(resource: Resource) -> dict[str, Any]:
    return {
        "operationId": f"{resource.name}_csv",
        "summary": f"{resource.summary}, as CSV",
        "description": f"All rows in one file, by {resource.order}: RFC 4180, UTF-8.",
        "parameters": list(map(_parameter, resource.filters)),
        "responses": {
            "200": {
                "description": "The file.",
                "content": {"text/csv": {"schema": {"type": "string"}}},
            },
            **_refusals(),
        },
    }


def _refusals() -> dict[str, Any]:
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in _REFUSALS}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "required": False,
        "description": parameter.meaning,
        "schema": dict(parameter.schema),
        "example": parameter.example,
    }


def _row_name(resource: Resource) -> str:
    return f"{resource.name}_row"


def _row(resource: Resource) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [column.name for column in resource.columns],
        "properties": {
            column.name: {**SCHEMAS[column.unit], "description": _unit(column.unit)}
            for column in resource.columns
        },
        "additionalProperties": False,
    }


def _unit(unit: str) -> str:
    return f"{unit[0].upper()}{unit[1:]}."


def _problem() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "As in RFC 9457.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": text,
            "title": {**text, "enum": list(_titles())},
            "status": {"type": "integer"},
            "detail": {**text, "description": "What would be right."},
            "parameter": {**text, "description": "The parameter at fault."},
        },
    }


def _titles() -> Iterable[str]:
    return TITLES.values()


def _refusal(status: int) -> dict[str, Any]:
    return {
        "description": f"{TITLES[status]}.",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}
        },
    }
