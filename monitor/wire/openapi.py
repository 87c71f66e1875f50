"""The parts of an OpenAPI 3.1 document that the readers' API and the agents' API share."""

from collections.abc import Iterable, Mapping
from typing import Any

from monitor import __version__

OPENAPI = "3.1.0"
SCHEMA = "#/components/schemas/{name}"
"""Reference to a schema of the document."""


def write_document(
    title: str,
    description: str,
    *,
    paths: Mapping[str, Any],
    schemas: Mapping[str, Any],
    responses: Mapping[int, Any],
    servers: Iterable[str] = (),
) -> dict[str, Any]:
    """A whole document, ready for JSON. `responses` are by status, as `refusals` refers to them."""
    addresses = [{"url": one} for one in servers]
    return {
        "openapi": OPENAPI,
        "info": {
            "title": title,
            "version": __version__,
            "description": description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        **({"servers": addresses} if addresses else {}),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {str(status): response for status, response in responses.items()},
        },
    }


def response(
    description: str,
    schema: Mapping[str, Any],
    *,
    media_type: str = "application/json",
    headers: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A response with a body of that schema."""
    return {
        "description": description,
        **({"headers": headers} if headers else {}),
        "content": {media_type: {"schema": schema}},
    }


def refusals(statuses: Iterable[int]) -> dict[str, Any]:
    """References to the responses of these statuses."""
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses}


def parameter(
    name: str,
    place: str,
    schema: Mapping[str, Any],
    *,
    description: str = "",
    required: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """One parameter, whose `place` is `query` or `header`; `more` may hold its example."""
    return {
        "name": name,
        "in": place,
        "required": required,
        **({"description": description} if description else {}),
        "schema": schema,
        **more,
    }
