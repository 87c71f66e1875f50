"""The public words of X and YouTube about posts, accounts and videos, without X and YouTube, for
tests and trials.

Written by us after the markup that both give to everybody, with as much of it as is read and some
of what surrounds it; never compared with the live pages.

    body = video_page("dQw4w9WgXcQ", reason=LEGAL)
"""

from typing import Any

import msgspec

LEGAL = (
    "This content is not available on this country domain due to a legal complaint from the "
    "government."
)
HERE = "This video is not available in your country."
UPLOADER = "The uploader has not made this video available in your country"
COPYRIGHT = (
    "This video contains content from Example, who has blocked it in your country on copyright "
    "grounds"
)
ROBOT = "Sign in to confirm you\u2019re not a bot"


def post_answer(number: str, *, withheld_in: str = "", deleted: bool = False) -> bytes:
    """What X gives to a site that embeds a post; `withheld_in` is the name of the country that asks
    where it is withheld there."""
    if withheld_in or deleted:
        text = (
            f"This Post from @example has been withheld in {withheld_in} in response to a legal "
            "demand. Learn more"
            if withheld_in
            else "This Post was deleted by the Post author. Learn more"
        )
        tombstone = {"text": {"text": text, "entities": [], "rtl": False}}
        return msgspec.json.encode({"__typename": "TweetTombstone", "tombstone": tombstone})
    return msgspec.json.encode(
        {
            "__typename": "Tweet",
            "lang": "en",
            "created_at": "2024-02-17T12:00:00.000Z",
            "id_str": number,
            "text": "It was withheld in another sense.",
            "user": {"id_str": "1", "name": "Example", "screen_name": "example"},
            "isEdited": False,
        }
    )


def account_page(
    name: str, *, shown: bool = True, withheld_in: tuple[str, ...] = (), words: str = ""
) -> bytes:
    """What X gives to a site that embeds an account: `shown` with its posts; `withheld_in` is what
    it tells everybody, `words` what stands in place of the posts."""
    user = {"screen_name": name, "withheld_in_countries": list(withheld_in)}
    entries: list[dict[str, Any]] = [
        {"type": "tweet", "content": {"tweet": {"id_str": str(number), "user": user}}}
        for number in range(3)
        if shown
    ]
    if words:
        entries.append({"type": "tombstone", "content": {"tombstone": {"text": {"text": words}}}})
    data = {
        "props": {
            "pageProps": {
                "contextProvider": {"hasResults": shown, "features": {}},
                "headerProps": {"screenName": name},
                "timeline": {"entries": entries},
            }
        },
        "page": "/timeline-profile/screen-name/[screenName]",
    }
    text = msgspec.json.encode(data).decode().replace("</", "<\\/")
    return (
        '<!DOCTYPE html><html><head><title>X</title></head><body><div id="__next"></div>'
        f'<script id="__NEXT_DATA__" type="application/json">{text}</script></body></html>'
    ).encode()


def video_page(number: str, *, reason: str = "", status: str = "UNPLAYABLE") -> bytes:
    """YouTube's page of a video; `reason` is why it is not played, empty where it is."""
    playable: dict[str, Any] = {"status": "OK", "playableInEmbed": True}
    if reason:
        playable = {
            "status": status,
            "reason": "Video unavailable",
            "errorScreen": {
                "playerErrorMessageRenderer": {
                    "subreason": {"runs": [{"text": reason}]},
                    "reason": {"simpleText": "Video unavailable"},
                }
            },
        }
    player = {
        "responseContext": {"visitorData": "x"},
        "playabilityStatus": playable,
        "videoDetails": {"videoId": number, "title": "Not in your country;var x = {}</a>"},
    }
    text = msgspec.json.encode(player).decode().replace("</", "<\\/")
    return (
        "<!DOCTYPE html><html><head><title>YouTube</title></head><body>"
        f'<script nonce="n">var ytInitialPlayerResponse = {text};var meta = 1;</script>'
        f"<script>{' ' * 2000}var ytInitialData = {{}};</script></body></html>"
    ).encode()
