"""What a measurement showed, layer by layer, next to its control."""

from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from monitor.wording.observations import FOLLOW_UPS, observed, worked
from monitor.wording.words import Words
from probes.measurement import AnyObservation, Layer, Measurement, layer_of

MOST = 4
"""Lines of one layer: a platform can have a dozen addresses."""
_MOST_FOLLOW_UPS = 12


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One observation."""

    worked: bool
    text: str


class LayerLines(msgspec.Struct, frozen=True, kw_only=True):
    """One layer, here and at the control."""

    layer: Layer
    here: tuple[Line, ...]
    control: tuple[Line, ...]


def side_by_side(
    words: Words, measurement: Measurement | None, control: Measurement | None
) -> tuple[LayerLines, ...]:
    """Every layer that either of the two observed, in the order in which they are reached."""
    found = []
    for layer in Layer:
        here, there = _lines(words, measurement, layer), _lines(words, control, layer)
        if here or there:
            found.append(LayerLines(layer=layer, here=here, control=there))
    return tuple(found)


def follow_up_lines(
    words: Words, measurements: Sequence[Measurement]
) -> tuple[tuple[str, Line], ...]:
    """Each follow-up test with its result; equal ones once."""
    found: list[tuple[str, Line]] = []
    for measurement in measurements:
        for one in measurement.observations:
            test = FOLLOW_UPS.get(one.reason)
            if test is None:
                continue
            if (pair := (words.gettext(test), _line(words, one))) not in found:
                found.append(pair)
    return tuple(found[:_MOST_FOLLOW_UPS])


def _lines(words: Words, measurement: Measurement | None, layer: Layer) -> tuple[Line, ...]:
    if measurement is None:
        return ()
    seen = [one for one in measurement.observations if layer_of(one) is layer and not one.reason]
    if layer is Layer.TRANSFER:
        seen = [one for one in measurement.observations if layer_of(one) is layer]
    lines: list[Line] = []
    for one in seen:
        line = _line(words, one)
        if line not in lines:
            lines.append(line)
    if not lines and layer in measurement.not_observed:
        return (Line(worked=True, text=words.gettext("not visible from here")),)
    if len(lines) > MOST:
        more = words.gettext("%(n)s more", n=words.number(len(lines) - MOST))
        return (*lines[:MOST], Line(worked=True, text=more))
    return tuple(lines)


def _line(words: Words, one: AnyObservation) -> Line:
    return Line(worked=worked(one), text=Markup(" · ").join(observed(words, one)))
