"""What public pages of X and YouTube say, and that nothing unclear counts."""

import pytest

from probes.catalog.public_pages import PublicPage, public_page
from probes.layers.offer import Offered, offer_of
from probes.layers.scripted_pages import (
    COPYRIGHT,
    HERE,
    LEGAL,
    ROBOT,
    UPLOADER,
    account_page,
    post_answer,
    video_page,
)

POST, ACCOUNT = "https://x.com/example/status/1758812345678901234", "https://x.com/example"
VIDEO = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
NUMBER, ID = "1758812345678901234", "dQw4w9WgXcQ"
WITHHELD_WORDS = "@example's account has been withheld in Turkey in response to a legal demand."


def _page(url: str) -> PublicPage:
    found = public_page(url)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://twitter.com/example/status/1758812345678901234", POST),
        ("https://www.x.com/example/", ACCOUNT),
        ("https://youtu.be/dQw4w9WgXcQ", VIDEO),
        ("https://m.youtube.com/watch?v=dQw4w9WgXcQ", VIDEO),
        ("https://x.com/home", ""),
        ("https://x.com/example/with_replies", ""),
        ("http://x.com/example", ""),
        ("https://x.com.example/example", ""),
        ("https://www.youtube.com/watch?v=short", ""),
        ("https://www.youtube.com/@example", ""),
        ("", ""),
    ],
)
def test_an_address_is_a_post_an_account_a_video_or_nothing(written: str, kept: str) -> None:
    """Each is kept as people open it."""
    found = public_page(written)
    assert (found.url if found else "") == kept


@pytest.mark.parametrize(
    ("url", "body", "said"),
    [
        (POST, post_answer(NUMBER), Offered.OFFERED),
        (POST, post_answer(NUMBER, withheld_in="T\u00fcrkiye"), Offered.WITHHELD),
        (POST, post_answer(NUMBER, deleted=True), Offered.GONE),
        (POST, post_answer("1"), Offered.UNCLEAR),
        (ACCOUNT, account_page("Example"), Offered.OFFERED),
        (ACCOUNT, account_page("example", words=WITHHELD_WORDS, shown=False), Offered.WITHHELD),
        (ACCOUNT, account_page("example", shown=False), Offered.EMPTY),
        (ACCOUNT, account_page("somebody"), Offered.EMPTY),
        (VIDEO, video_page(ID), Offered.OFFERED),
        (VIDEO, video_page(ID, reason=LEGAL), Offered.WITHHELD),
        (VIDEO, video_page(ID, reason=HERE), Offered.WITHHELD),
        (VIDEO, video_page(ID, reason=UPLOADER), Offered.OWNER),
        (VIDEO, video_page(ID, reason=COPYRIGHT), Offered.OWNER),
        (VIDEO, video_page(ID, reason="This video is private", status="ERROR"), Offered.GONE),
        (VIDEO, video_page(ID, reason=ROBOT, status="LOGIN_REQUIRED"), Offered.UNCLEAR),
        (VIDEO, video_page("another-one"), Offered.UNCLEAR),
    ],
)
def test_clear_words_count(url: str, body: bytes, said: Offered) -> None:
    """The platform's, about this page, in this country."""
    assert offer_of(_page(url), 200, body).offered is said


def test_countries_that_a_platform_names_are_told() -> None:
    """X tells everybody where it withholds an account; what is no country is passed over."""
    body = account_page("example", withheld_in=("TR", "IN", "x", "XYZ"))
    offer = offer_of(_page(ACCOUNT), 200, body)
    assert (offer.offered, offer.not_in) == (Offered.OFFERED, ("IN", "TR"))


@pytest.mark.parametrize("url", [POST, ACCOUNT, VIDEO])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"<html>withheld in your country",
        b"\xff" * 100,
        b"var ytInitialPlayerResponse = " + b"[" * 100_000,
        b"var ytInitialPlayerResponse = {};",
        b'<script id="__NEXT_DATA__" type="application/json">[[[</script>',
        b'{"__typename": 1, "tombstone": []}',
        b'{"a":' * 5000,
    ],
)
def test_what_cannot_be_read_is_unclear(url: str, body: bytes) -> None:
    """A changed markup, a part of a page, or rubbish: never withheld, never offered."""
    assert offer_of(_page(url), 200, body).offered is Offered.UNCLEAR


@pytest.mark.parametrize(
    ("url", "whole"),
    [(POST, post_answer(NUMBER)), (ACCOUNT, account_page("example")), (VIDEO, video_page(ID))],
)
def test_a_part_of_a_page_is_unclear(url: str, whole: bytes) -> None:
    """As where the connection ends, or a page is longer than is read."""
    assert offer_of(_page(url), 200, whole[: len(whole) // 10]).offered is Offered.UNCLEAR


@pytest.mark.parametrize(("status", "said"), [(404, "gone"), (302, "unclear"), (429, "unclear")])
def test_only_an_answer_says_something(status: int, said: str) -> None:
    """A consent page, a refusal to robots and a limit are no withholding."""
    body = video_page(ID, reason=LEGAL)
    assert offer_of(_page(VIDEO), status, body).offered == said
