"""What a measurement showed in one layer, a line for each observation: on the page and in reports.

A layer has several observations: a query for each family, a connection for each address. The page
and the report show the same ones, so that neither hides the answer that decided.
"""

from collections.abc import Callable

import msgspec

from monitor.wording.observations import observed, worked
from monitor.wording.words import Words
from probes.measurement import AnyObservation, DnsObservation, Layer, Measurement, layer_of

MOST = 4
"""Lines of one layer: a platform can have a dozen addresses."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One observation."""

    worked: bool
    text: str


Tell = Callable[[Words, AnyObservation], str]
"""Makes the text of one observation."""


def line_text(words: Words, one: AnyObservation) -> str:
    """What one observation showed, in a line."""
    return words.dotted(observed(words, one))


def layer_lines(
    words: Words, measurement: Measurement | None, layer: Layer, tell: Tell = line_text
) -> tuple[Line, ...]:
    """The lines of one layer, equal ones once; none where nothing was observed."""
    if measurement is None:
        return ()
    own = [
        one
        for one in measurement.observations
        if layer_of(one) is layer and (not one.reason or layer is Layer.TRANSFER)
    ]
    own.sort(key=_is_empty)
    lines = tuple(dict.fromkeys(Line(worked=worked(one), text=tell(words, one)) for one in own))
    if not lines and layer in measurement.not_observed:
        return (Line(worked=True, text=words.gettext("not visible from here")),)
    if len(lines) > MOST:
        more = words.gettext("%(n)s more", n=words.number(len(lines) - MOST))
        return (*lines[:MOST], Line(worked=True, text=more))
    return lines


def _is_empty(one: AnyObservation) -> bool:
    """Whether it is an answer without addresses, as every name without IPv6 has."""
    return isinstance(one, DnsObservation) and one.failure is None and not one.addresses
