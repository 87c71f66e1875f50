"""What a measurement showed, layer by layer, next to its control."""

from collections.abc import Sequence

import msgspec

from monitor.wording.layer_lines import Line, layer_lines, line_text
from monitor.wording.observations import FOLLOW_UPS, worked
from monitor.wording.words import Words
from probes.measurement import Layer, Measurement

_MOST_FOLLOW_UPS = 12


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
        here, there = (layer_lines(words, one, layer) for one in (measurement, control))
        if here or there:
            found.append(LayerLines(layer=layer, here=here, control=there))
    return tuple(found)


def follow_up_lines(
    words: Words, measurements: Sequence[Measurement]
) -> tuple[tuple[str, Line], ...]:
    """Each follow-up test with its result; equal ones once."""
    found = dict.fromkeys(
        (
            words.gettext(FOLLOW_UPS[one.reason]),
            Line(worked=worked(one), text=line_text(words, one)),
        )
        for measurement in measurements
        for one in measurement.observations
        if one.reason in FOLLOW_UPS
    )
    return tuple(found)[:_MOST_FOLLOW_UPS]
