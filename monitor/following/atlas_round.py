"""A round of RIPE Atlas that is under way: what was begun, as the name of a cursor has it.

It is noted as soon as anything is begun, so that neither a restart nor a failure begins it again.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

_WORD = "asked"
_NOBODY = "-"


class AtlasRound(msgspec.Struct, frozen=True, kw_only=True):
    """About a platform in a country."""

    country: str
    platform: str
    function: str
    """Whose page is tested."""
    here: tuple[int, ...]
    """`dns`, `sslcert` of the page and of each reference, from the country."""
    begun: datetime
    """UTC, in whole seconds."""
    beside: tuple[tuple[int, ...], ...] = ()
    """`sslcert` of the page and of a reference, from each country to compare with that was asked so
    far; empty where one cannot be. They are asked once a probe failed."""
    at: datetime
    """UTC; when something was begun last."""

    @property
    def name(self) -> str:
        """Of its cursor."""
        return self._begins + " ".join(_text(one) for one in (self.here, *self.beside))

    @property
    def _begins(self) -> str:
        """What its name begins with, whatever was begun since."""
        begun = int(self.begun.timestamp())
        return f"{_WORD} {self.country} {self.platform} {begun}/{self.function} "

    def removed(self, cursors: Mapping[str, datetime]) -> dict[str, datetime]:
        """The cursors without it."""
        return {name: at for name, at in cursors.items() if not name.startswith(self._begins)}

    def noted(self, cursors: Mapping[str, datetime]) -> dict[str, datetime]:
        """The cursors with it, as it is now."""
        return {**self.removed(cursors), self.name: self.at}

    @classmethod
    def of(cls, name: str, at: datetime) -> "AtlasRound | None":
        """None for a cursor of something else."""
        word, *fields = name.split(" ")
        if word != _WORD:
            return None
        country, platform, first, here, *beside = fields
        begun, _, function = first.partition("/")
        return cls(
            country=country,
            platform=platform,
            function=function,
            begun=datetime.fromtimestamp(int(begun), UTC),
            here=_numbers(here),
            beside=tuple(map(_numbers, beside)),
            at=at,
        )


def _text(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers)) or _NOBODY


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(","))) if text not in (_NOBODY, "") else ()
