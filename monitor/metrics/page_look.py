"""What a page that a platform may withhold said last in a country."""

import msgspec

NOT_SEEN = "not_seen"
"""It was not reached, or no vantage there is well."""


class PageLook(msgspec.Struct, frozen=True, kw_only=True):
    """One page in one country."""

    country: str
    platform: str
    kind: str
    url: str
    said: str
    """`offered`, `withheld`, `owner`, `empty`, `gone`, `unclear` or `not_seen`."""
    control: bool
    """Whether it was looked at from there to compare with."""
