"""The OpenAPI document of the readers' API, made from the tables of parameters and resources."""

from http import HTTPStatus
from typing import Any

from monitor.export.coverage import SCHEMA as COVERAGE_SCHEMA
from monitor.server.api.json_rows import SCHEMAS
from monitor.server.api.parameters import PAGING, Parameter
from monitor.server.api.resources import RESOURCES, Resource
from monitor.server.api.witnesses import SCHEMA as WITNESSES_SCHEMA
from monitor.wire.openapi import SCHEMA, parameter, refusals, response, write_document

_REFUSALS = (400, 403, 404, 405, 503)
_BEFORE_ANY_ROUTE = {
    400: "Of a request whose headers, with its path, are longer than 16 KiB.",
    403: "Where a user is needed, and the server has none.",
}
_UNCHANGED = {"304": {"description": "Not changed since the ETag in If-None-Match."}}


def document() -> dict[str, Any]:
    """The whole document, ready for JSON."""
    paths: dict[str, Any] = {"/openapi.json": {"get": _openapi_operation()}}
    for resource in RESOURCES:
        paths[f"/{resource.name}"] = {"get": _page_operation(resource)}
        paths[f"/{resource.name}.csv"] = {"get": _file_operation(resource)}
    return write_document(
        "shutwatch",
        "Measurements, verdicts and events of this installation, read only. The columns are those "
        "of `shutwatch export csv`. Times are UTC.",
        servers=["/api/v1"],
        paths=paths,
        schemas={
            **{_row_name(resource): _row(resource) for resource in RESOURCES},
            "problem": _problem(),
        },
        responses={status: _refusal(status) for status in _REFUSALS},
    )


def _openapi_operation() -> dict[str, Any]:
    return {
        "operationId": "openapi",
        "summary": "This document",
        "responses": {
            "200": response("The document.", {"type": "object"}),
            **_UNCHANGED,
            **refusals([405]),
        },
    }


def _page_operation(resource: Resource) -> dict[str, Any]:
    rows = {"type": "array", "items": {"$ref": SCHEMA.format(name=_row_name(resource))}}
    following = {
        "type": ["string", "null"],
        "description": "Address of the next page; null on the last one.",
    }
    more: dict[str, Any] = {"coverage": COVERAGE_SCHEMA} if resource.covered else {}
    if resource.witnessed:
        more["witnesses"] = WITNESSES_SCHEMA
    page = {
        "type": "object",
        "required": ["data", "next", *more],
        "properties": {"data": rows, "next": following, **more},
    }
    return {
        "operationId": resource.name,
        "summary": resource.summary,
        "description": f"A page of rows, ordered by {resource.order}.",
        "parameters": list(map(_parameter, (*resource.filters, *PAGING))),
        "responses": {
            "200": response("A page.", page, headers={"ETag": {"schema": {"type": "string"}}}),
            **_UNCHANGED,
            **refusals(_REFUSALS),
        },
    }


def _file_operation(resource: Resource) -> dict[str, Any]:
    return {
        "operationId": f"{resource.name}_csv",
        "summary": f"{resource.summary}, as CSV",
        "description": f"All rows in one file, ordered by {resource.order}: RFC 4180, UTF-8.",
        "parameters": list(map(_parameter, resource.filters)),
        "responses": {
            "200": response("The file.", {"type": "string"}, media_type="text/csv"),
            **refusals(_REFUSALS),
        },
    }


def _parameter(one: Parameter) -> dict[str, Any]:
    return parameter(
        one.name, "query", dict(one.schema), description=one.meaning, example=one.example
    )


def _row_name(resource: Resource) -> str:
    return f"{resource.name}_row"


def _row(resource: Resource) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [column.name for column in resource.columns],
        "properties": {
            column.name: {
                **SCHEMAS[column.unit],
                "description": f"{column.unit[0].upper()}{column.unit[1:]}.",
            }
            for column in resource.columns
        },
        "additionalProperties": False,
    }


def _problem() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "A problem as in RFC 9457.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": text,
            "title": {**text, "enum": [HTTPStatus(one).phrase for one in _REFUSALS]},
            "status": {"type": "integer"},
            "detail": {**text, "description": "What is wrong, and what would be right."},
            "parameter": {**text, "description": "The parameter that caused it."},
            "suggestion": {**text, "description": "The value that may have been meant."},
        },
    }


def _refusal(status: int) -> dict[str, Any]:
    schema = {"$ref": SCHEMA.format(name="problem")}
    text = f"{HTTPStatus(status).phrase}."
    found = response(text, schema, media_type="application/problem+json")
    if status in _BEFORE_ANY_ROUTE:
        plain = {"type": "string", "description": _BEFORE_ANY_ROUTE[status]}
        found["content"]["text/plain"] = {"schema": plain}
    return found
