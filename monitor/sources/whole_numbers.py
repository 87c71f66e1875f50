"""Whole numbers in answers, small enough to be added up and stored."""

from typing import Annotated

import msgspec

from monitor.sources.fault import SourceFault

_MOST = 2**53
_DIGITS = 15

Whole = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
Balance = Annotated[int, msgspec.Meta(ge=-_MOST, le=_MOST)]
"""What is left of a quota: one that is overdrawn may be below nothing."""


def whole(text: str) -> int | None:
    """The number that a text is; None where it is none. Raises SourceFault for one that is larger
    than any can be."""
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) > _DIGITS:
        raise SourceFault("malformed", f"a number of {len(text)} digits")
    return int(text)
