"""The agents' API as an OpenAPI 3.1 document, made from the types of its values.

python -m monitor.collector.agents_openapi >docs/agents-api.json
"""

import sys
from collections.abc import Mapping
from inspect import cleandoc
from typing import Any

import msgspec

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
from monitor.wire.openapi import SCHEMA, parameter, refusals, response, write_document
from monitor.wire.signing import BODY, KEY, REQUEST, SENT, SIGNATURE, VANTAGE

_Schemas = Mapping[Any, dict[str, Any]]
"""By the type they describe."""

_UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    VANTAGE: ("Id of the vantage.", {"type": "string"}),
    KEY: ("Fingerprint of the key.", {"type": "string", "pattern": "^[0-9a-f]{64}$"}),
    REQUEST: ("UUIDv7; for a batch, the batch's id.", {"type": "string", "pattern": _UUID}),
    SENT: ("UTC, with microseconds.", {"type": "string", "format": "date-time"}),
    BODY: (
        "SHA-256 of the body as it is sent, hexadecimal.",
        {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    ),
    SIGNATURE: ("Ed25519, base64; see the text.", {"type": "string"}),
}
_LIMITS = frozenset({Reason.TOO_FAST, Reason.BUSY, Reason.STORAGE})
_OF_BATCHES = frozenset({Reason.REPLAY, Reason.OTHER_VANTAGE, Reason.TOO_OLD})


def document() -> dict[str, Any]:
    """The whole document, as JSON has it."""
    values = (Batch, Receipt, ControlRequest, ControlAnswer, AgentSettings, Moment, Refusal)
    schemas, components = msgspec.json.schema_components(values, ref_template=SCHEMA)
    for schema in components.values():
        if "description" in schema:
            # Before Python 3.13 a docstring keeps the indentation of the source.
            schema["description"] = cleandoc(schema["description"])
    of: _Schemas = dict(zip(values, schemas, strict=True))
    return write_document(
        "shutwatch, for agents",
        "How agents in the field send their measurements. Requests are signed over method, path, "
        "vantage, key, id, time, Content-Encoding and the SHA-256 of the body as it is sent, each "
        "on a line of its own.",
        paths={
            BATCHES: {"post": _operation("batches", "Store cycles", of, Batch, Receipt)},
            CONTROLS: {
                "post": _operation(
                    "controls", "Measure from the controls", of, ControlRequest, ControlAnswer
                )
            },
            SETTINGS: {"get": _operation("settings", "Agent settings", of, None, AgentSettings)},
            TIME: {"get": _time(of)},
        },
        schemas=components,
        responses={status: _refusal(status, of) for status in sorted(set(STATUS.values()))},
    )


def _operation(
    name: str, summary: str, of: _Schemas, body: type | None, answer: type
) -> dict[str, Any]:
    reasons = set(Reason) if body is Batch else set(Reason) - _OF_BATCHES
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "parameters": [_header(header, required=True) for header in _HEADERS],
        "responses": {"200": _answer(of[answer]), **_refusals(reasons)},
    }
    if body is not None:
        encodings = {"enum": list(ENCODINGS)}
        operation["parameters"].append(parameter("content-encoding", "header", encodings))
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": of[body]}},
        }
    return operation


def _time(of: _Schemas) -> dict[str, Any]:
    return {
        "operationId": "time",
        "summary": "The collector's time",
        "parameters": [_header(header, required=False) for header in _HEADERS],
        "responses": {"200": _answer(of[Moment]), **_refusals({Reason.MALFORMED, Reason.BUSY})},
    }


def _header(name: str, *, required: bool) -> dict[str, Any]:
    description, schema = _HEADERS[name]
    return parameter(name, "header", schema, description=description, required=required)


def _answer(schema: dict[str, Any]) -> dict[str, Any]:
    headers = {SIGNATURE: {"required": True, "schema": {"type": "string"}}}
    return response("Signed for the id of the request.", schema, headers=headers)


def _refusals(reasons: set[Reason]) -> dict[str, Any]:
    return refusals(sorted({STATUS[reason] for reason in reasons}))


def _refusal(status: int, of: _Schemas) -> dict[str, Any]:
    reasons = [reason for reason in Reason if STATUS[reason] == status]
    limited = {"Retry-After": {"schema": {"type": "integer"}}} if _LIMITS & set(reasons) else None
    return response("Refused: " + ", ".join(reasons), of[Refusal], headers=limited)


def main() -> None:
    """Write the document to standard output."""
    encoded = msgspec.json.encode(document(), order="sorted")
    sys.stdout.write(msgspec.json.format(encoded, indent=1).decode() + "\n")


if __name__ == "__main__":
    main()
