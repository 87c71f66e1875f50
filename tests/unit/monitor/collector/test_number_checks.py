"""No number that an agent sends is larger than what a database, a file or a chart can hold."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from monitor.collector.batch_checks import read_batch
from monitor.wire.answers import Reason
from monitor.wire.batch import encode_batch
from monitor.wire.refusal import Refused
from probes.measurement import LAYER_OF, DnsAnswer, HttpObservation, TransferObservation
from tests.collector.test_fuzz import FRAME, every_kind
from tests.collector.world import collecting, enrolment, refusal, request

KINDS: tuple[type[msgspec.Struct], ...] = (*LAYER_OF, DnsAnswer)


def numbers(kind: type[msgspec.Struct]) -> Iterator[str]:
    """Names of the fields that hold a number."""
    for field in msgspec.structs.fields(kind):
        if field.type in (int, float, float | None):
            yield field.name


def with_number(kind: type[msgspec.Struct], name: str, number: object) -> bytes:
    """A batch with that number in the first value of that kind."""
    document = json.loads(encode_batch(every_kind()))
    looks = [one for one in document["reports"][0]["measurements"] if one["observations"]]
    seen: list[dict[str, Any]] = looks[0]["observations"]
    if kind is DnsAnswer:
        seen = [answer for one in seen for answer in one.get("answers", ())]
    else:
        seen = [one for one in seen if one["layer"] == kind.__struct_config__.tag]
    seen[0][name] = number
    return json.dumps(document).encode()


def refused(body: bytes) -> Refused:
    """Why a batch is refused."""
    with pytest.raises(Refused) as caught:
        read_batch(body, enrolment(), FRAME)
    return caught.value


PLACES = [(kind, name) for kind in KINDS for name in numbers(kind)]


@pytest.mark.parametrize(("kind", "name"), PLACES)
@pytest.mark.parametrize("number", [2**63, 2**70, -(2**63) - 1, 10**30])
def test_attack_a_number_beyond_all_columns_is_refused(
    kind: type[msgspec.Struct], name: str, number: int
) -> None:
    """It went through every check, and failed where it was written: the collector answered with a
    fault of its own, and the agent sent it again for ever."""
    found = refused(with_number(kind, name, number))
    assert found.reason is Reason.MALFORMED
    assert name in found.detail


@pytest.mark.parametrize("name", ["references_ok", "references_total", "exit_asn"])
def test_attack_a_count_in_the_health_beyond_its_column_is_refused(name: str) -> None:
    """PostgreSQL's small integers end at 2**31."""
    document = json.loads(encode_batch(every_kind()))
    document["reports"][0]["health"][name] = 2**32
    assert name in refused(json.dumps(document).encode()).detail


@pytest.mark.parametrize("mark", [[1e9, 1], [0.1, 2**63], [0.1, -1]])
def test_attack_marks_of_a_transfer_have_their_bounds(mark: list[float]) -> None:
    """They are numbers too."""
    body = with_number(TransferObservation, "marks", [mark])
    assert "marks" in refused(body).detail


@pytest.mark.parametrize(
    ("name", "most"), [("status", 9999), ("body_length", 2**53 - 1), ("hop", 2**53 - 1)]
)
def test_the_largest_number_is_taken(name: str, most: int) -> None:
    """And the next one is not; nor is one below nothing."""
    read_batch(with_number(HttpObservation, name, most), enrolment(), FRAME)
    assert name in refused(with_number(HttpObservation, name, most + 1)).detail
    assert name in refused(with_number(HttpObservation, name, -1)).detail


async def test_attack_a_length_beyond_all_columns_is_no_fault_of_the_collectors() -> None:
    """Over HTTP: refused as malformed, signed, and not with a status of 500."""
    async with collecting() as collector:
        for length in (2**63, 2**70):
            body = with_number(HttpObservation, "body_length", length)
            response = await collector.send(*request(body))
            assert response.status_code == 400
            assert "body_length" in refusal(response).detail
