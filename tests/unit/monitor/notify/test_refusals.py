"""Why a service did not take a message, without its own words."""

import smtplib
import ssl

import pytest

from monitor.notify.refusals import NOT_TAKEN, SILENT, by_error, by_status, of_message, passes


def raised(error: Exception) -> Exception:
    """As a library raises what it met."""
    try:
        try:
            raise error
        except Exception as met:
            raise ConnectionError("https://hush7.example") from met  # as libraries do
    except ConnectionError as made:
        return made


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (smtplib.SMTPAuthenticationError(535, b"hush7"), "the service refused the token"),
        (smtplib.SMTPRecipientsRefused({}), ""),
        (ssl.SSLCertVerificationError("hush7"), "(its certificate is not valid)"),
        (TimeoutError("hush7"), SILENT),
        (ConnectionResetError(104, "Connection reset by peer"), "(connection reset by peer)"),
        (ValueError("hush7"), ""),
    ],
)
def test_an_error_is_told_by_its_kind(error: Exception, reason: str) -> None:
    """By the one that the library met, not by its own."""
    assert reason in by_error(raised(error))
    assert "hush7" not in by_error(raised(error))
    assert bool(by_error(raised(error))) is bool(reason)


def test_what_passes_by_itself_needs_no_other_address() -> None:
    """A busy or broken service, and silence."""
    assert not any(passes(by_status(status)) for status in (301, 400, 401, 403, 404, 410))
    assert all(passes(by_status(status)) for status in (408, 429, 500, 502, 503, 504))
    assert passes(SILENT)
    assert passes("no answer within 20 s")
    assert not passes(NOT_TAKEN)


def test_a_refused_message_says_nothing_about_the_next() -> None:
    """Unlike a service that is not reached, is busy, or refuses whoever sends."""
    assert all(of_message(by_status(status)) for status in (400, 413, 422))
    assert of_message(NOT_TAKEN)
    others = (301, 401, 403, 404, 408, 410, 429, 500, 503)
    assert not any(of_message(by_status(status)) for status in others)
    assert not of_message(SILENT)
