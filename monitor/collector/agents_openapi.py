"""The agents' API as an OpenAPI 3.1 document, made of the values themselves.

python -m monitor.collector.agents_openapi >docs/agents-api.json
"""

import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from monitor import __version__
from monitor.wire.answers import (
    BATCHES,
    CONTROLS,
    SETTINGS,
    STATUS,
    TIME,
    AgentSettings,
    ControlAnswer,
    ControlRequest,
    Moment,
    Reason,
    Receipt,
    Refusal,
)
from monitor.wire.batch import ENCODINGS, Batch
from monitor.wire.signing import KEY, REQUEST, SENT, SIGNATURE, VANTAGE

_Schemas = Mapping[Any, dict[str, Any]]
"""By the type they describe."""

_TEMPLATE = "#/components/schemas/{name}"
_UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    VANTAGE: ("Id of the vantage.", {"type": "string"}),
    KEY: ("Fingerprint of the key.", {"type": "string", "pattern": "^[0-9a-f]{64}$"}),
    REQUEST: ("UUIDv7; of a batch, the batch's.", {"type": "string", "pattern": _UUID}),
    SENT: ("UTC, with microseconds.", {"type": "string", "format": "date-time"}),
    SIGNATURE: ("Ed25519, base64; see the text.", {"type": "string"}),
}
_LIMITS = frozenset({Reason.TOO_FAST, Reason.BUSY, Reason.STORAGE})
_OF_BATCHES = frozenset({Reason.REPLAY, Reason.OTHER_VANTAGE, Reason.TOO_OLD})


def document() -> dict[str, Any]:
    """The whole document, as JSON has it."""
    values = (Batch, Receipt, ControlRequest, ControlAnswer, AgentSettings, Moment, Refusal)
    schemas, components = msgspec.json.schema_components(values, ref_template=_TEMPLATE)
    of: _Schemas = dict(zip(values, schemas, strict=True))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "shutwatch, for agents",
            "version": __version__,
            "description": "How agents send what they measured. Requests are signed "
            "over method, path, vantage, key, id, time, Content-Encoding and the SHA-256 of the "
            "body as it is sent, each on a line of its own.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            BATCHES: {"post": _operation("batches", "Receive cycles", of, Batch, Receipt)},
            CONTROLS: {
                "post": _operation(
                    "controls", "Measure from the controls", of, ControlRequest, ControlAnswer
                )
            },
            SETTINGS: {
                "get": _operation("settings", "Settings for the agent", of, None, AgentSettings)
            },
            TIME: {"get": _time(of)},
        },
        "components": {
            "schemas": components,
            "responses": {
                str(status): _refusal(status, of) for status in sorted(set(STATUS.values()))
            },
        },
    }


def _operation(
    name: str, summary: str, of: _Schemas, asked: type | None, answer: type
) -> dict[str, Any]:
    reasons = set(Reason) if asked is Batch else set(Reason) - _OF_BATCHES
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "parameters": [_header(header, required=True) for header in _HEADERS],
        "responses": {"200": _answer(of[answer]), **_refusals(reasons)},
    }
    if asked is not None:
        operation["parameters"].append(_encoding())
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": of[asked]}},
        }
    return operation


def _time(of: _Schemas) -> dict[str, Any]:
    return {
        "operationId": "time",
        "summary": "The time",
        "parameters": [_header(REQUEST, required=False)],
        "responses": {
            "200": _answer(of[Moment]),
            **_refusals({Reason.MALFORMED, Reason.BUSY}),
        },
    }


def _header(name: str, *, required: bool) -> dict[str, Any]:
    description, schema = _HEADERS[name]
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": schema,
    }


def _encoding() -> dict[str, Any]:
    return {
        "name": "content-encoding",
        "in": "header",
        "required": False,
        "schema": {"enum": list(ENCODINGS)},
    }


def _answer(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": "Signed for the id of the request.",
        "headers": {SIGNATURE: {"required": True, "schema": {"type": "string"}}},
        "content": {"application/json": {"schema": schema}},
    }


def _refusals(reasons: set[Reason]) -> dict[str, Any]:
    statuses = sorted({STATUS[reason] for reason in reasons})
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses}


def _refusal(status: int, of: _Schemas) -> dict[str, Any]:
    reasons = [reason for reason in Reason if STATUS[reason] == status]
    refusal: dict[str, Any] = {
        "description": "Refused: " + ", ".join(reasons),
        "content": {"application/json": {"schema": of[Refusal]}},
    }
    if _LIMITS & set(reasons):
        refusal["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return refusal


def main() -> None:
    """Write it out."""
    encoded = msgspec.json.encode(document(), order="sorted")
    sys.stdout.write(msgspec.json.format(encoded, indent=1).decode() + "\n")


if __name__ == "__main__":
    main()
