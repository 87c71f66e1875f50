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
    ENROLMENT,
    KNOWN,
    SETTINGS,
    STATUS,
    TIME,
    AgentSettings,
    ControlAnswer,
    ControlRequest,
    KnownControls,
    Moment,
    Reason,
    Receipt,
    Refusal,
)
from monitor.wire.batch import ENCODINGS, Batch
from monitor.wire.envelope import ANSWER_KEY, MOST_HEADERS, SEALED, SPOOL
from monitor.wire.invitation import INVITATION, PUBLIC
from monitor.wire.openapi import SCHEMA, parameter, refusals, response, write_document
from monitor.wire.signing import BODY, HEADERS, KEY, REQUEST, SENT, SIGNATURE, VANTAGE

_Schemas = Mapping[Any, dict[str, Any]]
"""By the type they describe."""

_UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    VANTAGE: ("Id of the vantage.", {"type": "string"}),
    KEY: ("Fingerprint of the key.", {"type": "string", "pattern": "^[0-9a-f]{64}$"}),
    REQUEST: ("UUIDv7; for a batch, the batch's id.", {"type": "string", "pattern": _UUID}),
    SENT: ("UTC, with microseconds.", {"type": "string", "format": "date-time"}),
    BODY: (
        "SHA-256 of the body inside, hexadecimal.",
        {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    ),
    SIGNATURE: ("Ed25519, base64; see the text.", {"type": "string"}),
    ANSWER_KEY: ("32 random bytes that the answer is sealed with, base64.", {"type": "string"}),
    SPOOL: (
        "Of a batch: measurements that wait behind it, and those ever dropped.",
        {"type": "string", "pattern": "^([0-9]{1,15} [0-9]{1,15})?$"},
    ),
    INVITATION: ("Of an enrolment: proof of an invitation, base64.", {"type": "string"}),
    PUBLIC: ("Of an enrolment: the public key to enrol, base64.", {"type": "string"}),
    "content-encoding": ("Of the body inside.", {"type": "string", "enum": list(ENCODINGS)}),
}
"""Inside the sealed header."""
_REQUIRED = (*HEADERS, ANSWER_KEY)
_LIMITS = frozenset({Reason.TOO_FAST, Reason.BUSY, Reason.STORAGE})
_OF_BATCHES = frozenset({Reason.REPLAY, Reason.OTHER_VANTAGE, Reason.NEWER, Reason.TOO_OLD})


def document() -> dict[str, Any]:
    """The whole document, as JSON has it."""
    asked = (Batch, ControlRequest)
    answers = (Receipt, ControlAnswer, AgentSettings, KnownControls, Moment, Refusal)
    values = (*asked, *answers)
    schemas, components = msgspec.json.schema_components(values, ref_template=SCHEMA)
    for schema in components.values():
        if "description" in schema:
            # Before Python 3.13 a docstring keeps the indentation of the source.
            schema["description"] = cleandoc(schema["description"])
    of: _Schemas = dict(zip(values, schemas, strict=True))
    return write_document(
        "shutwatch, for agents",
        "How agents in the field send their measurements. Requests are signed over method, path, "
        "vantage, key, id, time, Content-Encoding and the SHA-256 of the body inside, each on a "
        f"line of its own. The headers named in SealedHeaders are sealed into {SEALED}, and the "
        "body by itself (HPKE: X25519, HKDF-SHA256, ChaCha20-Poly1305), to the collectors' key. "
        "Answers are packed by zlib and sealed with the key of the request (ChaCha20-Poly1305, "
        "the nonce of 12 bytes before it, the id of the request as associated data).",
        paths={
            BATCHES: {"post": _operation("batches", "Store cycles", of, Batch, Receipt)},
            CONTROLS: {
                "post": _operation(
                    "controls", "Measure from the controls", of, ControlRequest, ControlAnswer
                )
            },
            SETTINGS: {"get": _operation("settings", "Agent settings", of, None, AgentSettings)},
            KNOWN: {
                "get": _operation("known", "What controls measured last", of, None, KnownControls)
            },
            ENROLMENT: {"post": _enrolment(of)},
            TIME: {"get": _time(of)},
        },
        schemas={**components, "SealedHeaders": _sealed_headers()},
        responses={status: _refusal(status, of) for status in sorted(set(STATUS.values()))},
    )


_OF_SENDERS = frozenset(
    {Reason.MALFORMED, Reason.UNKNOWN_KEY, Reason.REVOKED_KEY, Reason.BAD_SIGNATURE, Reason.STORAGE}
)
"""Why a request is refused for what its headers say, whatever it asks."""


def _operation(
    name: str, summary: str, of: _Schemas, body: type | None, answer: type
) -> dict[str, Any]:
    reasons = set(Reason) - {Reason.INVITATION}
    if body is not Batch:
        reasons -= _OF_BATCHES
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "parameters": [_sealed_header(required=True)],
        "responses": {"200": _sealed_answer(of[answer]), **_refusals(reasons)},
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _sealed(of[body])}
    return operation


def _sealed_header(*, required: bool) -> dict[str, Any]:
    return parameter(
        SEALED,
        "header",
        {"type": "string", "maxLength": MOST_HEADERS},
        description="SealedHeaders as JSON, sealed, base64.",
        required=required,
    )


def _sealed(inside: dict[str, Any]) -> dict[str, Any]:
    """Bytes, with what is inside."""
    encoded = {"contentMediaType": "application/json", "contentSchema": inside}
    return {"application/octet-stream": {"schema": {"type": "string", **encoded}}}


def _sealed_headers() -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(_REQUIRED),
        "properties": {
            name: {**schema, "description": description}
            for name, (description, schema) in _HEADERS.items()
        },
    }


def _enrolment(of: _Schemas) -> dict[str, Any]:
    reasons = {
        *(Reason.MALFORMED, Reason.UNKNOWN_KEY, Reason.INVITATION, Reason.BAD_SIGNATURE),
        *(Reason.STALE, Reason.FUTURE, Reason.BUSY, Reason.STORAGE),
    }
    return {
        "operationId": "enrolment",
        "summary": "Enrol a key by an invitation",
        "parameters": [_sealed_header(required=True)],
        "responses": {"200": _sealed_answer(of[Moment]), **_refusals(reasons)},
    }


def _time(of: _Schemas) -> dict[str, Any]:
    return {
        "operationId": "time",
        "summary": "The collector's time",
        "parameters": [_sealed_header(required=False), _request_id()],
        # What is sealed and signed is checked as in any other request.
        "responses": {"200": _answer(of[Moment]), **_refusals({*_OF_SENDERS, Reason.BUSY})},
    }


def _request_id() -> dict[str, Any]:
    description, schema = _HEADERS[REQUEST]
    return parameter(REQUEST, "header", schema, description=description)


def _answer(schema: dict[str, Any]) -> dict[str, Any]:
    headers = {SIGNATURE: {"required": True, "schema": {"type": "string"}}}
    return response("Signed for the id of the request.", schema, headers=headers)


def _sealed_answer(schema: dict[str, Any]) -> dict[str, Any]:
    words = "Signed for the id of the request, and sealed."
    return {**_answer(schema), "description": words, "content": _sealed(schema)}


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
