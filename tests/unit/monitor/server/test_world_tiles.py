"""Where countries lie on the map of squares: each somewhere, none on another, none left out."""

from collections.abc import Sequence

import pytest

from monitor.server.world_tiles import MOST_COLUMNS, PLACES, layout
from probes.catalog.countries import COUNTRIES, INVENTED
from tests.worlds.many_countries import CODES


def test_every_country_has_a_square_of_its_own() -> None:
    """All of ISO 3166-1, and Kosovo."""
    assert PLACES.keys() == COUNTRIES - INVENTED
    assert len(set(PLACES.values())) == len(PLACES)


@pytest.mark.parametrize(
    ("west", "east"), [("US", "GB"), ("BR", "ZA"), ("FR", "IR"), ("IR", "PK"), ("IN", "JP")]
)
def test_east_is_right_of_west(west: str, east: str) -> None:
    """Also in a language that is written from the right."""
    assert PLACES[west][0] < PLACES[east][0]


@pytest.mark.parametrize(
    ("north", "south"), [("RU", "IR"), ("IT", "LY"), ("EG", "SD"), ("US", "MX"), ("ID", "AU")]
)
def test_south_is_below_north(north: str, south: str) -> None:
    """As on most maps."""
    assert PLACES[north][1] < PLACES[south][1]


@pytest.mark.parametrize(
    "codes",
    [("PK",), ("PK", "IR", "BR", "KE"), CODES, ("XD", "XE"), tuple(sorted(COUNTRIES))],
    ids=len,
)
def test_no_country_is_left_out(codes: Sequence[str]) -> None:
    """However many there are, each has a place within the drawing that no other has."""
    found = layout(codes)
    assert found.places.keys() == set(codes)
    assert len(set(found.places.values())) == len(codes)
    assert max(column for column, _ in found.places.values()) < found.columns
    assert max(row for _, row in found.places.values()) == found.rows - 1


def test_only_the_part_that_is_watched_is_drawn() -> None:
    """Without the columns and rows that would be empty; directions stay."""
    found = layout(("BR", "IR", "KE", "PK"))
    assert (found.columns, found.rows, found.wide) == (4, 3, False)
    assert found.places == {"IR": (2, 0), "PK": (3, 0), "KE": (1, 1), "BR": (0, 2)}


def test_a_map_of_many_fits_on_a_phone() -> None:
    """Columns come together only where that changes no row's order."""
    found = layout(CODES)
    assert found.columns == MOST_COLUMNS
    assert not found.wide
    for code, (column, row) in found.places.items():
        for other, (beside, line) in found.places.items():
            if row == line and column < beside and {code, other} <= PLACES.keys():
                assert PLACES[code][0] < PLACES[other][0]


def test_where_nothing_can_come_together_the_map_stays_wide() -> None:
    """It is then moved in its frame."""
    found = layout(tuple(PLACES))
    assert found.wide
    assert found.columns > MOST_COLUMNS


def test_a_country_that_the_map_lacks_comes_at_the_end() -> None:
    """In rows of their own, within the width."""
    found = layout(("PK", "XD", "XE", "IR"))
    assert found.places == {"IR": (0, 0), "PK": (1, 0), "XD": (0, 1), "XE": (1, 1)}
