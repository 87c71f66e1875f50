"""Reasons for people: no class of a library, no number of an error, no address."""

import ssl

import pytest

from probes.sockets.http_client import httpx
from probes.sockets.http_reason import why_no_answer
from tests.worlds.loopback import unused_port


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:{port}/", "no connection"),
        ("http://no-such-name.invalid/", "no connection"),
        ("ftp://127.0.0.1/", "no web address"),
        ("http://127.0.0.1:x/", "no web address"),
    ],
)
async def test_a_request_that_fails_says_why(url: str, why: str) -> None:
    """Of what httpx raises itself."""
    with pytest.raises((httpx.HTTPError, httpx.InvalidURL)) as caught:
        async with httpx.AsyncClient() as client:
            await client.get(url.format(port=unused_port()))
    assert why_no_answer(caught.value) == why


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (httpx.ReadTimeout(""), "no answer in time"),
        (httpx.ConnectTimeout(""), "no connection in time"),
        (httpx.RemoteProtocolError("peer closed 192.0.2.1"), "the connection broke"),
        (OSError(104, "reset"), "the connection broke"),
    ],
)
def test_the_more_exact_reason_comes_first(error: Exception, why: str) -> None:
    """A timeout of the connection is a timeout, too."""
    assert why_no_answer(error) == why


def test_an_untrusted_certificate_is_named_however_deep_it_is() -> None:
    """httpx and its parts wrap it twice."""
    deep = ssl.SSLCertVerificationError(1, "failed")
    deep.verify_message = "self-signed certificate"
    between, error = OSError("x"), httpx.ConnectError("x")
    between.__cause__, error.__context__ = deep, between
    assert why_no_answer(error) == "an untrusted certificate (self-signed certificate)"
