"""What a look showed, layer by layer, in plain words."""

from collections.abc import Iterator, Sequence

import msgspec
from markupsafe import Markup

from monitor.wording.events import foreign
from monitor.wording.languages import N_, Words
from monitor.wording.vocabulary import FAILURES, REASONS
from probes.measure.follow_up_reasons import Reason
from probes.measurement import (
    AnyObservation,
    AppObservation,
    DnsObservation,
    EgressObservation,
    HttpObservation,
    Layer,
    Measurement,
    QuicObservation,
    TcpObservation,
    TlsObservation,
    TransferObservation,
    layer_of,
)

MOST = 4
"""Lines of one layer: a platform can have a dozen addresses."""
_ADDRESSES = 4
_NOT_JUDGED = (Reason.INNOCUOUS_SNI, Reason.SNI_ELSEWHERE)
"""Questions in which any certificate will do."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One observation."""

    worked: bool
    text: Markup


class LayerLines(msgspec.Struct, frozen=True, kw_only=True):
    """One layer, here and at the control."""

    layer: Layer
    here: tuple[Line, ...]
    control: tuple[Line, ...]


def side_by_side(
    words: Words, look: Measurement | None, control: Measurement | None
) -> tuple[LayerLines, ...]:
    """Every layer that either saw, in the order they are reached."""
    found = []
    for layer in Layer:
        here, there = _lines(words, look, layer), _lines(words, control, layer)
        if here or there:
            found.append(LayerLines(layer=layer, here=here, control=there))
    return tuple(found)


def follow_up_lines(words: Words, looks: Sequence[Measurement]) -> tuple[tuple[Markup, Line], ...]:
    """What was tried besides and what came of it, each kind of question once or twice."""
    found: list[tuple[Markup, Line]] = []
    for look in looks:
        for one in look.observations:
            said = REASONS.get(one.reason)
            if said is None:
                continue
            line = Line(worked=_worked(one), text=_observed(words, one))
            if (pair := (words.gettext(said), line)) not in found:
                found.append(pair)
    return tuple(found[:12])


def _lines(words: Words, look: Measurement | None, layer: Layer) -> tuple[Line, ...]:
    if look is None:
        return ()
    seen = [one for one in look.observations if layer_of(one) is layer and not one.reason]
    if layer is Layer.TRANSFER:
        seen = [one for one in look.observations if layer_of(one) is layer]
    lines: list[Line] = []
    for one in seen:
        line = Line(worked=_worked(one), text=_observed(words, one))
        if line not in lines:
            lines.append(line)
    if not lines and layer in look.not_observed:
        return (Line(worked=True, text=words.gettext("not seen from here")),)
    if len(lines) > MOST:
        more = words.gettext("and %(n)s more", n=words.number(len(lines) - MOST))
        return (*lines[:MOST], Line(worked=True, text=more))
    return tuple(lines)


def _worked(one: AnyObservation) -> bool:
    return one.failure is None and not (isinstance(one, HttpObservation) and not one.expected)


def _observed(words: Words, one: AnyObservation) -> Markup:
    parts = list(_parts(words, one))
    return Markup(" · ").join(parts)


def _parts(words: Words, one: AnyObservation) -> Iterator[Markup]:
    if one.failure is not None:
        yield failed(words, one.failure)
    match one:
        case DnsObservation():
            yield from _dns(words, one)
        case TcpObservation():
            if one.failure is None:
                yield words.gettext("connected")
            yield _at(one.address)
        case TlsObservation():
            if one.failure is None and one.reason in _NOT_JUDGED:
                yield words.gettext("an encrypted answer came")
            elif one.failure is None:
                yield words.gettext("the certificate proves that it is the platform")
            if one.server_name:
                yield foreign(one.server_name, 80)
            if one.verify_error:
                yield foreign(one.verify_error, 120)
        case HttpObservation():
            if not one.expected:
                yield words.gettext("not the page that should come")
            if one.status:
                yield words.gettext("answer %(status)s", status=str(one.status))
            if one.title:
                yield words.gettext("title: %(title)s", title=foreign(one.title, 120))
            if one.location:
                yield words.gettext("redirect to %(url)s", url=foreign(one.location, 120))
        case AppObservation():
            if one.failure is None:
                yield words.gettext("answered in its own protocol")
            yield foreign(one.protocol, 20)
        case QuicObservation():
            if one.failure is None:
                yield words.gettext("connected")
            yield _at(one.address)
        case TransferObservation():
            yield words.gettext(
                "%(read)s of %(wanted)s bytes in %(seconds)s s",
                read=words.number(one.bytes_read),
                wanted=words.number(one.bytes_wanted),
                seconds=words.number(round(one.duration, 1)),
            )
            yield foreign(one.server_name, 80)
        case EgressObservation():
            if one.failure is None:
                yield words.gettext("works")


def _dns(words: Words, one: DnsObservation) -> Iterator[Markup]:
    if one.addresses:
        shown = Markup(", ").join(_at(address) for address in one.addresses[:_ADDRESSES])
        rest = len(one.addresses) - _ADDRESSES
        if rest > 0:
            shown += Markup(" ") + words.gettext("and %(n)s more", n=words.number(rest))
        yield shown
    elif one.failure is None:
        yield words.gettext("an answer without addresses")
    if len({(a.rcode, a.addresses) for a in one.answers if a.query == 1}) > 1:
        yield words.gettext("two answers that contradict each other")
    yield foreign(f"{one.name} {one.rtype}", 100)


def failed(words: Words, failure: str) -> Markup:
    """A failure in plain words; what nobody gave a name stays as it was written."""
    if failure.startswith("blockpage:"):
        return words.gettext(_BLOCK_PAGE)
    said = FAILURES.get(failure)
    return words.gettext(said) if said else foreign(failure, 120)


_BLOCK_PAGE = N_("a page that is known to be shown in place of blocked ones")


def _at(address: str) -> Markup:
    return Markup('<bdi dir="ltr">{}</bdi>').format(address)
