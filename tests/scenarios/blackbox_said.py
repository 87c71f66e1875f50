"""What blackbox_exporter said of each scenario: the recording, and why some rows have none.

`make soak` makes the recording (`test_blackbox_beside.py`).
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("blackbox_said.json")
_LUCK = "luck decides each probe"
_TIME = "changes with time"
UNASKED: Mapping[str, str] = {
    **dict.fromkeys(("half-reset", "half-drop", "loss", "lossy-path"), _LUCK),
    **dict.fromkeys(("one-of-two-dropped", "one-of-two-refused"), "it asks one of two addresses"),
    **dict.fromkeys(("intermittent-block", "mostly-blocked"), _LUCK),
    "ipv6-unreachable-and-lossy-path": _LUCK,
    **dict.fromkeys(("queries-refused-at-random", "connections-refused-at-random"), _LUCK),
    **dict.fromkeys(("br-ip-drop", "on-off-on", "technique-switch", "duty-cycle"), _TIME),
    **dict.fromkeys(("private-cache-died", "trouble-that-ends", "injected-at-times"), _TIME),
    **dict.fromkeys(("a-forged-ipv6-reset", "moved-address"), _TIME),
    "doh-blocked": "serves no page",
    "control-led-astray": "has no controls",
    "forged-agent-results": "has no agents",
    **dict.fromkeys(("signal-dns", "signal-opened"), "it is given no roots for Signal alone"),
}
"""Scenario → why it was not asked about it."""


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`probe_success` of its two modules for one scenario."""

    http_2xx: bool
    tcp_connect: bool

    def __str__(self) -> str:
        return " / ".join("up" if up else "down" for up in (self.http_2xx, self.tcp_connect))


class Recording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that one version said."""

    version: str
    said: dict[str, Said]
    """By scenario."""


@cache
def recording() -> Recording:
    """The one that is committed."""
    return msgspec.json.decode(FILE.read_bytes(), type=Recording)


def write(new: Recording) -> None:
    """Replace it."""
    FILE.write_bytes(
        msgspec.json.format(msgspec.json.encode(new, order="sorted"), indent=1) + b"\n"
    )
    recording.cache_clear()


def cell(name: str) -> str:
    """What the table shows of a scenario."""
    return str(recording().said[name]) if name not in UNASKED else f"– ({UNASKED[name]})"
