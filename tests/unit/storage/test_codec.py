"""Values to cells and back: for every value a type can hold, not only for those we thought of."""

from datetime import UTC, date, datetime, timedelta, timezone
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.analysis.events.event import Event, EventLogEntry
from monitor.analysis.verdict import PlatformVerdict, VantageHealth, Verdict
from probes.measurement import Measurement
from storage.sql import schema
from storage.values import codecs
from storage.values.codec import Codec
from storage.values.reviews import Annotation, Review
from storage.values.storable_text import storable
from storage.values.times import Arrivals, text_time, time_text
from tests.contract.cycles import AWKWARD
from tests.properties import examples

TEXT = st.sampled_from(["", "x", AWKWARD]) | st.text(st.characters(codec="utf-8"), max_size=10)
FIRST_DAY = datetime(1, 1, 1, tzinfo=UTC)
MOMENT = st.builds(
    lambda days, microseconds: FIRST_DAY + timedelta(days, microseconds=microseconds),
    st.integers(0, date.max.toordinal() - 1),
    st.sampled_from([0, 1, 86_399_999_999]) | st.integers(0, 86_399_999_999),
)
"""Any time there is; its year, month and so on, drawn one by one, would take four times as long."""
MOST = 2
"""Of what may be several: more hold nothing that two do not."""
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    datetime: MOMENT,
    float: st.floats(allow_nan=False, allow_infinity=False),
    int: st.integers(-(2**63), 2**63 - 1),
}


def _values(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any value of a struct type, built from the strategies of its fields."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: _field(hints[name]) for name in kind.__struct_fields__})


def _field(hint: Any) -> st.SearchStrategy[Any]:
    if hint in PLAIN:
        return PLAIN[hint]
    origin, parts = get_origin(hint), get_args(hint)
    if origin is dict:
        return st.dictionaries(*map(_field, parts), max_size=MOST)
    if origin is tuple and parts[-1] is Ellipsis:
        return st.lists(_field(parts[0]), max_size=MOST).map(tuple)
    if origin is tuple:
        return st.tuples(*map(_field, parts))
    if origin in (Union, UnionType):
        return st.one_of(*map(_field, parts))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _values(hint)
    return st.from_type(hint)


CODECS: tuple[Codec[Any], ...] = (
    codecs.MEASUREMENT,
    codecs.VERDICT,
    codecs.PLATFORM,
    codecs.HEALTH,
    codecs.EVENT,
    codecs.EVENT_LOG,
    codecs.REVIEW,
    codecs.ANNOTATION,
)
VALUES = {codec: _values(codec.kind) for codec in CODECS}
"""Made once: making one takes longer than drawing from it."""


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.kind.__name__)
@settings(max_examples=examples(40), deadline=None)
@given(data=st.data())
def test_any_value_survives_its_cells(codec: Codec[Any], data: st.DataObject) -> None:
    """Encoding and decoding gives back the same value, whatever its fields hold."""
    value = data.draw(VALUES[codec])
    cells = codec.encode(value)
    assert all(cell is None or isinstance(cell, str | int | float | bytes) for cell in cells)
    assert codec.decode(cells) == value


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (Measurement, schema.measurement),
        (Verdict, schema.verdict),
        (Verdict, schema.latest_verdict),
        (PlatformVerdict, schema.platform_verdict),
        (PlatformVerdict, schema.latest_platform),
        (VantageHealth, schema.vantage_health),
        (VantageHealth, schema.latest_health),
        (Event, schema.event_table),
        (EventLogEntry, schema.event_log),
        (Review, schema.review),
        (Annotation, schema.annotation),
    ],
)
def test_every_field_has_its_column(kind: type[msgspec.Struct], table: Any) -> None:
    """A field added to a value cannot be forgotten by its table."""
    assert set(kind.__struct_fields__) <= set(table.columns.keys())


@given(MOMENT, MOMENT)
def test_times_as_text_compare_like_times(one: datetime, other: datetime) -> None:
    """Text of times, from year 1 to 9999, sorts as they do, to the microsecond."""
    assert (time_text(one) < time_text(other)) == (one < other)
    assert text_time(time_text(one)) == one
    assert len(time_text(one)) == 27


def test_times_of_other_zones_are_stored_as_utc() -> None:
    """The moment counts, not the clock it was read from."""
    karachi = datetime(2024, 2, 17, 17, 0, tzinfo=timezone(timedelta(hours=5)))
    assert time_text(karachi) == "2024-02-17T12:00:00.000000Z"


def test_a_time_without_a_zone_is_no_moment() -> None:
    """It is refused rather than taken for UTC or for local time."""
    with pytest.raises(ValueError, match="without a time zone"):
        time_text(datetime(2024, 2, 17))  # noqa: DTZ001 # what must be refused


def test_stamps_increase_whatever_the_clock_does() -> None:
    """Standing still or jumping back, the clock never makes two arrivals equal or swapped."""
    noon = datetime(2024, 2, 17, 12, tzinfo=UTC)
    times = iter([noon, noon, noon - timedelta(hours=1), noon + timedelta(hours=1)])
    arrivals = Arrivals(lambda: next(times))
    stamps = [arrivals.stamp() for _ in range(4)]
    assert stamps == sorted(set(stamps))
    assert stamps[3] == noon + timedelta(hours=1)


def test_valid_text_is_passed_on_untouched() -> None:
    """The usual case costs no copy."""
    value = ("ایکس", "😀", "")
    assert storable(value, tuple[str, ...]) is value


def test_only_what_is_not_unicode_is_replaced() -> None:
    """Keys, values, nested ones too, lose lone surrogates and nothing else."""
    value = {"a\ud800": ("b", "\udfff"), "c": ()}
    cleaned = storable(value, dict[str, tuple[str, ...]])
    assert cleaned == {"a\ufffd": ("b", "\ufffd"), "c": ()}
