"""Texts of pages that everybody may see: those that two vantages were shown alike.

A page that one vantage alone saw may hold something that was made for it: a case number, a token in
a redirect, its address in a way that no scrubber knows.
"""

from collections.abc import Iterable, Iterator

import msgspec

from probes.measurement import HttpObservation, Measurement

_TEXTS = ("title", "location")
"""The fields of an HTTP observation that the page itself fills and that are shown."""


def common_texts(measurements: Iterable[Measurement]) -> frozenset[str]:
    """The texts that at least two vantages saw among these measurements."""
    seen: dict[str, str] = {}
    common = set()
    for measurement in measurements:
        for text in _texts(measurement):
            if seen.setdefault(text, measurement.vantage) != measurement.vantage:
                common.add(text)
    return frozenset(common)


def with_common_text(measurement: Measurement, common: frozenset[str]) -> Measurement:
    """The measurement without texts of pages that are not among the common ones."""
    return msgspec.structs.replace(
        measurement,
        observations=tuple(
            msgspec.structs.replace(
                one,
                **{name: "" for name in _TEXTS if getattr(one, name) not in common},
            )
            if isinstance(one, HttpObservation)
            else one
            for one in measurement.observations
        ),
    )


def _texts(measurement: Measurement) -> Iterator[str]:
    for one in measurement.observations:
        if isinstance(one, HttpObservation):
            yield from (text for name in _TEXTS if (text := getattr(one, name)))
