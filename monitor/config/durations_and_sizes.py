"""Times and sizes with a unit, as a configuration writes them: `"5m"`, `"300MB"`."""

import re
from math import inf

from monitor.config.toml_node import (
    Node,
    Shape,
)

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_SIZES = {
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_SIZE = re.compile(r"(\d{1,15})(B|KB|MB|GB|KiB|MiB|GiB)", re.ASCII)
_LARGEST_HINTED = 1_000_000


def duration(shortest: str, longest: str) -> Shape[float]:
    """A duration between two bounds, both included, in seconds: `"5m"`, `"1h30m"`."""
    least, most = seconds(shortest), seconds(longest)

    def read(node: Node) -> float:
        value = node.value
        if isinstance(value, int | float) and 0 <= value < _LARGEST_HINTED:
            raise node.fail(f'a unit is missing: "{value:g}s" are seconds, "5m" are minutes')
        if not isinstance(value, str) or not _DURATION.fullmatch(value.replace(" ", "")):
            raise node.fail('a number and a unit of ms, s, m, h or d, as in "30s" or "5m"')
        length = seconds(value.replace(" ", ""))
        if not least <= length <= most:
            raise node.fail(f'a time from "{shortest}" to "{longest}"')
        return length

    return read


def kept(shortest: str, longest: str) -> Shape[float]:
    """A duration in seconds; infinite for `"forever"`."""
    finite = duration(shortest, longest)
    return lambda node: inf if node.value == "forever" else finite(node)


def seconds(written: str) -> float:
    """`"1h30m"` → 5400.0; `written` must match."""
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(written))


def duration_text(length: float) -> str:
    """Seconds as a file writes them: `300.0` → `5m`."""
    for unit in ("h", "m"):
        if length >= _UNITS[unit] and length % _UNITS[unit] == 0:
            return f"{length / _UNITS[unit]:g}{unit}"
    return f"{length:g}s"


def size(least: str, most: str) -> Shape[int]:
    """A size between two bounds, both included, in bytes: `"300MB"`, `"128KiB"`."""
    low, high = byte_count(least), byte_count(most)

    def read(node: Node) -> int:
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool):
            raise node.fail('text with a unit, as in "300MB" or "128KiB"')
        if not isinstance(value, str) or not _SIZE.fullmatch(value.replace(" ", "")):
            raise node.fail('a number and a unit of B, KB, MB, GB, KiB, MiB or GiB, as in "300MB"')
        count = byte_count(value.replace(" ", ""))
        if not low <= count <= high:
            raise node.fail(f'a size from "{least}" to "{most}"')
        return count

    return read


def byte_count(written: str) -> int:
    """`"300MB"` → 300000000; `written` must match."""
    match = _SIZE.fullmatch(written)
    assert match is not None  # noqa: S101 # narrows for the type checker
    return int(match[1]) * _SIZES[match[2]]
