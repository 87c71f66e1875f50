"""Posts, accounts and videos that everybody may see without an account, and where their public
words are asked for.

X shows nothing without scripts. What it gives to sites that embed a post or an account is asked for
instead; YouTube's own page says what it offers.
"""

import re
from enum import StrEnum

import msgspec


class PageKind(StrEnum):
    """What a page shows."""

    POST = "post"
    ACCOUNT = "account"
    VIDEO = "video"


class PublicPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page that is looked at."""

    url: str
    """As people open it."""
    platform: str
    kind: PageKind
    name: str
    """Number of a post, name of an account, id of a video."""

    @property
    def asked(self) -> str:
        """What is fetched."""
        return _ASKED[self.kind].format(self.name)


_ASKED = {
    PageKind.POST: "https://cdn.syndication.twimg.com/tweet-result?id={}&lang=en&token=a",
    PageKind.ACCOUNT: "https://syndication.twitter.com/srv/timeline-profile/screen-name/{}?lang=en",
    PageKind.VIDEO: "https://www.youtube.com/watch?v={}&hl=en",
}
_POST = re.compile(r"https://(?:www\.)?(?:x|twitter)\.com/(\w{1,15})/status/(\d{1,20})/?")
_ACCOUNT = re.compile(r"https://(?:www\.)?(?:x|twitter)\.com/(\w{1,15})/?")
_VIDEO = re.compile(
    r"https://(?:(?:www\.|m\.)?youtube\.com/watch\?v=|youtu\.be/)([A-Za-z0-9_-]{11})"
)
_NO_ACCOUNT = frozenset({"home", "explore", "search", "i", "settings", "login", "intent", "share"})


def public_page(url: str) -> PublicPage | None:
    """The page of an address; None for one that is no post, account or video."""
    if post := _POST.fullmatch(url):
        kept = f"https://x.com/{post[1]}/status/{post[2]}"
        return PublicPage(url=kept, platform="x", kind=PageKind.POST, name=post[2])
    if (account := _ACCOUNT.fullmatch(url)) and account[1].lower() not in _NO_ACCOUNT:
        kept = f"https://x.com/{account[1]}"
        return PublicPage(url=kept, platform="x", kind=PageKind.ACCOUNT, name=account[1])
    if video := _VIDEO.fullmatch(url):
        kept = f"https://www.youtube.com/watch?v={video[1]}"
        return PublicPage(url=kept, platform="youtube", kind=PageKind.VIDEO, name=video[1])
    return None
