"""The lines of this machine: devices by which packets can leave it, as the kernel lists them."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

_ROUTES = Path("/proc/net/route")
_ROUTES6 = Path("/proc/net/ipv6_route")
_DEVICES = Path("/sys/class/net")
_UP = ("up", "unknown")
"""What the kernel says of a device that works; modems say the latter."""


class LocalLine(msgspec.Struct, frozen=True, kw_only=True):
    """One way out of this machine."""

    device: str
    egress: str
    """As in `[[vantage]] egress`."""


def local_lines(
    routes: Path = _ROUTES, routes6: Path = _ROUTES6, devices: Path = _DEVICES
) -> tuple[LocalLine, ...]:
    """The device of the default route first, as `direct` where it is the only one, then others that
    are plugged in. Empty where the kernel names none."""
    leading = list(dict.fromkeys((*_default(routes), *_default6(routes6))))
    others = [name for name in _plugged(devices) if name not in leading]
    if len(leading) == 1:
        first = [LocalLine(device=leading[0], egress="direct")]
    else:
        first = [_by_device(name) for name in leading]
    return (*first, *map(_by_device, others))


def _by_device(name: str) -> LocalLine:
    return LocalLine(device=name, egress=f"interface:{name}")


def _default(file: Path) -> Iterator[str]:
    """Devices of IPv4 routes to everywhere."""
    for words in _rows(file):
        if len(words) > 7 and words[1] == words[7] == "00000000":
            yield words[0]


def _default6(file: Path) -> Iterator[str]:
    """Devices of IPv6 routes to everywhere; the kernel keeps one that refuses on loopback."""
    for words in _rows(file):
        if len(words) > 9 and words[0] == "0" * 32 and words[1] == "00" and words[9] != "lo":
            yield words[9]


def _plugged(folder: Path) -> Iterator[str]:
    """Devices that are hardware, and up."""
    try:
        names = sorted(one.name for one in folder.iterdir() if (one / "device").exists())
    except OSError:
        return
    for name in names:
        try:
            state = (folder / name / "operstate").read_text().strip()
        except OSError:
            continue
        if state in _UP:
            yield name


def _rows(file: Path) -> list[list[str]]:
    try:
        return [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return []
