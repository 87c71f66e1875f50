"""What agents and collectors say to each other: nothing signed can be changed or used elsewhere."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.keys.keys import fingerprint, public_text
from monitor.wire.answers import FOR_GOOD, STATUS, ControlRequest, Reason
from monitor.wire.batch import Batch, CycleReport, encode_batch
from monitor.wire.signing import (
    IncompleteError,
    body_digest,
    claim_of,
    is_answer,
    is_signed,
    sign_answer,
    signed_headers,
)
from probes.catalog.endpoint_text import parse_endpoint
from probes.target import Reduction, Target
from tests.contract.cycles import cycle

KEY = Ed25519PrivateKey.from_private_bytes(b"a" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"b" * 32)
BODY = b"what was seen"
REQUEST = {
    "method": "POST",
    "path": "/agent/v1/batches",
    "vantage": "khi-ptcl",
    "request": "0193",
    "sent_at": "2026-11-25T12:00:00.000000Z",
    "encoding": "gzip",
}


def test_a_batch_survives_the_wire() -> None:
    """All of a cycle that an agent hands in is there again when it is read."""
    whole = cycle(1)
    report = CycleReport(
        cycle=whole.id,
        started_at=whole.started_at,
        finished_at=whole.finished_at,
        offset=-3.5,
        health=whole.health,
        measurements=whole.measurements,
    )
    batch = Batch(vantage=whole.vantage, version="1", reports=(report,))
    assert report.measurements
    assert msgspec.json.decode(encode_batch(batch), type=Batch) == batch


def test_signed_requests_are_believed() -> None:
    """The headers that are made for a request are those it is believed by."""
    headers = signed_headers(KEY, body=BODY, **REQUEST)
    claim = claim_of("POST", REQUEST["path"], headers)
    assert claim.key == fingerprint(public_text(KEY))
    assert is_signed(claim, public_text(KEY))
    assert not is_signed(claim, public_text(OTHER))
    assert claim.body == body_digest(BODY)


@pytest.mark.parametrize("field", [*REQUEST, "key", "signature", "body"])
def test_nothing_signed_can_be_changed(field: str) -> None:
    """A change of any part of a request, its encoding and its body among them, shows."""
    claim = claim_of("POST", REQUEST["path"], signed_headers(KEY, body=BODY, **REQUEST))
    value = getattr(claim, field)
    changed = ("A" if value[0] != "A" else "B") + value[1:]
    claim = msgspec.structs.replace(claim, **{field: changed})
    assert not is_signed(claim, public_text(KEY))


@pytest.mark.parametrize("name", ["vantage", "key", "request", "sent", "body", "signature"])
@pytest.mark.parametrize("value", ["", "two\nlines", "caf\u00e9"])
def test_every_header_is_asked_for(name: str, value: str) -> None:
    """A request without one of them, or with one that could pass for two, is none."""
    headers = signed_headers(KEY, body=BODY, **REQUEST)
    headers[f"shutwatch-{name}"] = value
    with pytest.raises(IncompleteError, match=f"shutwatch-{name}"):
        claim_of("POST", REQUEST["path"], headers)


def test_an_answer_is_good_for_one_request() -> None:
    """An answer is believed with the key, the request and the body it was signed for."""
    signature = sign_answer(KEY, "0193", BODY)
    assert is_answer(public_text(KEY), signature, "0193", BODY)
    assert not is_answer(public_text(KEY), signature, "0194", BODY)
    assert not is_answer(public_text(KEY), signature, "0193", BODY + b" ")
    assert not is_answer(public_text(OTHER), signature, "0193", BODY)


def test_no_request_passes_for_an_answer() -> None:
    """What an agent signs is worth nothing as an answer, should it have the same key."""
    headers = signed_headers(KEY, body=BODY, **REQUEST)
    claim = claim_of("POST", REQUEST["path"], headers)
    assert not is_answer(public_text(KEY), claim.signature, "", claim.text())


def test_every_reason_has_a_status() -> None:
    """Each refusal answers with a status of its kind, and what is worth trying again is no 4xx that
    would be given up."""
    assert set(STATUS) == set(Reason)
    assert all(400 <= status < 600 for status in STATUS.values())
    assert not FOR_GOOD & {Reason.BUSY, Reason.TOO_FAST, Reason.STORAGE, Reason.STALE}


def test_a_target_survives_the_wire() -> None:
    """What a control is to look at arrives as it was."""
    target = Target(platform="x", function="web", endpoint=parse_endpoint("https://x.com/"))
    asked = ControlRequest(cycle="0193", target=target, reduction=Reduction(greet=True))
    assert msgspec.json.decode(msgspec.json.encode(asked), type=ControlRequest) == asked
