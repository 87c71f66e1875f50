"""Bytes that a measurement is taken to have cost."""

import msgspec

from monitor.budget.bytes_used import bytes_of
from tests.worlds.build import dns, look

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
