"""The shapes of a catalogue's values: endpoints, references and names."""

import re
import ssl
from typing import Any, TypeVar

import msgspec

from monitor.config.toml_node import (
    Node,
    Shape,
    filled,
    flag,
    listed,
    member,
    named,
    parsed,
    read_table,
    whole,
)
from probes.catalog.catalog import Endpoint, Need, Reference, ReferenceScope
from probes.catalog.endpoint_kinds import DATAGRAM_KINDS, EndpointKind, Protocol
from probes.catalog.endpoint_text import parse_endpoint
from probes.catalog.host import is_literal
from probes.measurement import REFERENCE_PLATFORM

_NAME = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_LONGEST_NAME = 40
_MOST_NEEDED = 1000
T = TypeVar("T")
_FIELDS = {
    "status": "expect_status",
    "body": "expect_body",
    "verify": "verify",
    "protocol": "protocol",
}
"""Key of an endpoint's table → its field."""
_WEB = (EndpointKind.HTTPS, EndpointKind.HTTP)
_plain = parsed(parse_endpoint)
"""An endpoint written as text."""


def check_platform_name(node: Node, name: str) -> None:
    """Refuse a platform name that cannot be a label. Raises Invalid."""
    check_function_name(node, name)
    if name == REFERENCE_PLATFORM:
        raise node.fail("another name: this one means references in all data")


def check_function_name(node: Node, name: str) -> None:
    """Refuse a function name that cannot be a label. Raises Invalid."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise node.fail(
            "a name of lower-case letters and digits, separated by dashes",
            wrong="is not a usable name",
        )


def endpoint(node: Node) -> Endpoint:
    """One endpoint of a function: text, or a table that also says what it must answer."""
    found = _with_options(node, {"verify": flag, "protocol": member(Protocol)})
    if found.kind is EndpointKind.NTP:
        raise node.fail("list it as a reference, under udp: no platform is reached by ntp")
    return found


def root_certificates(node: Node) -> str:
    """PEM text with at least one certificate."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=str(node.raw))
    except (ssl.SSLError, ValueError, TypeError):
        raise node.fail("PEM text: -----BEGIN CERTIFICATE----- and what follows it") from None
    return str(node.raw)


def need(node: Node) -> Need | int:
    """How many endpoints must work: "any", "all", or a number of them."""
    if isinstance(node.raw, str):
        return member(Need)(node)
    return whole(1, _MOST_NEEDED)(node)


def grouped(shape: Shape[T]) -> Shape[dict[str, tuple[T, ...]]]:
    """A list, under the group ""; or a table of groups, with a list for each."""

    def read(node: Node) -> dict[str, tuple[T, ...]]:
        if not isinstance(node.raw, dict):
            return {"": listed(shape)(node)}
        found = named(lambda name, child: _group(name, child, shape))(node)
        several = [one for members in found.values() for one in members]
        twice = next((one for one in several if several.count(one) > 1), None)
        if twice is not None:
            raise node.fail("each endpoint in one group only", wrong="lists one twice")
        return found

    return read


def _group(name: str, node: Node, shape: Shape[T]) -> tuple[T, ...]:
    check_function_name(node, name)
    return listed(shape)(node)


def endpoint_id(node: Node) -> str:
    """The canonical text of the endpoint that the text names."""
    return _plain(node).id


def transfer_objects(node: Node) -> tuple[Endpoint, ...]:
    """One https address or a list of them."""
    return listed(_object)(node) if isinstance(node.raw, list) else (_object(node),)


def _object(node: Node) -> Endpoint:
    found = _plain(node)
    if found.kind is not EndpointKind.HTTPS:
        raise node.fail("an https:// address: only TLS proves whose speed is measured")
    return found


def reference(scope: ReferenceScope, country: str = "") -> Shape[Reference]:
    """One reference: text, or a table with `endpoint`, `status`, `body` and `verify`."""

    def read(node: Node) -> Reference:
        found = _with_options(node, {"body": filled, "verify": flag})
        if scope is ReferenceScope.UPLINK:
            _require_known_answer(node, found)
        if (found.kind in DATAGRAM_KINDS) is not (scope is ReferenceScope.UDP):
            raise node.fail("stun:host or ntp:host under udp, and nothing else there")
        if scope is ReferenceScope.ADDRESS and not is_literal(found.host):
            raise node.fail("an address in place of a name: names may not resolve")
        return Reference(scope=scope, endpoint=found, country=country)

    return read


def _require_known_answer(node: Node, found: Endpoint) -> None:
    """A captive portal is detected only by an answer that is known and not encrypted."""
    if found.kind is not EndpointKind.HTTP:
        raise node.fail("an http:// address: a captive portal cannot answer anything else")
    if not found.expect_status:
        raise node.fail('say what it answers: { endpoint = "http://…", status = 200, body = "…" }')


def _with_options(node: Node, options: dict[str, Shape[Any]]) -> Endpoint:
    """An endpoint as text, or as a table that also says what it must answer."""
    if not isinstance(node.raw, dict):
        return _plain(node)
    values = read_table(
        node,
        {"endpoint": _plain, "status": _statuses, **options},
        required={"endpoint": 'name it: { endpoint = "https://example.org/", status = 204 }'},
    )
    found: Endpoint = values["endpoint"]
    for name in ("status", "body"):
        if name in values and found.kind not in _WEB:
            raise node.table()[name].fail("leave it out: only http and https answer with this")
    if "protocol" in values:
        require_tcp(node.table()["protocol"], found)
    changes = {field: values[key] for key, field in _FIELDS.items() if key in values}
    return msgspec.structs.replace(found, **changes)


def require_tcp(node: Node, found: Endpoint) -> None:
    """Refuse a protocol for an endpoint that is not of kind tcp. Raises Invalid."""
    if found.kind is not EndpointKind.TCP:
        raise node.fail(f"leave it out: only tcp endpoints need one, not {found.id}")


def _statuses(node: Node) -> tuple[int, ...]:
    """One HTTP status or a list of them."""
    status = whole(100, 599)
    if not isinstance(node.raw, list):
        return (status(node),)
    found = listed(status)(node)
    if not found:
        raise node.fail("at least one status, as in [200, 204]")
    return found
