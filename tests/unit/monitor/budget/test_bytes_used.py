"""Bytes that a measurement is taken to have cost."""

import msgspec

from monitor.budget.bytes_used import bytes_of
from probes.measure.follow_up_reasons import Reason
from tests.worlds.build import dns, look, tcp

BY_HTTPS = msgspec.structs.replace(dns(), transport="doh", resolver="https://dns.example/q")


def cost(*replies: bool) -> int:
    """Of a question for A and one for AAAA over HTTPS, by whether each got a reply."""
    return bytes_of(
        look(
            *(
                msgspec.structs.replace(
                    BY_HTTPS, rtype=rtype, answers=BY_HTTPS.answers if replied else ()
                )
                for rtype, replied in zip(("A", "AAAA"), replies, strict=True)
            )
        )
    )


def test_the_second_question_over_https_opens_no_connection() -> None:
    """It takes a connection only where the one before was of no use."""
    assert cost(True, True) < 1.5 * cost(True, False) / 2
    assert cost(False, False) == cost(True, False)


def test_the_way_to_an_address_takes_a_request_for_each_router() -> None:
    """One observation stands for sixty of them: past one to twelve routers, to five addresses. Each
    is at least a packet there and one back, or two there."""
    way = msgspec.structs.replace(tcp("generic_timeout_error"), reason=Reason.WAY)
    assert bytes_of(look(way)) > 60 * 2 * 74
