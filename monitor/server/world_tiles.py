"""Where each country lies on a map of equal squares, and the part of it that is watched.

The map is drawn by hand: neighbours are near each other, and nothing else is to scale.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

import msgspec

_DRAWN = """
.. .. .. .. .. .. .. .. GL .. .. .. .. .. .. SJ
.. .. .. .. .. .. .. .. .. .. .. IS .. FO .. NO SE AX FI
.. .. .. .. .. .. .. .. .. .. .. .. IM .. .. DK .. .. EE .. RU
.. CA .. .. .. .. .. .. .. .. .. IE GB .. NL DE PL LT LV
.. .. .. .. .. PM .. .. .. .. .. GG JE BE LU LI CZ SK BY .. .. KZ .. .. MN
.. US .. .. .. .. .. .. .. .. .. .. .. FR CH AT HU RO MD UA .. UZ KG .. CN .. KP .. JP
.. .. .. .. .. BM .. .. .. .. .. PT ES AD MC SI HR RS BG .. GE TM TJ .. .. .. KR
MX .. .. .. BS TC .. .. .. .. .. .. GI IT SM BA ME XK MK TR AM AZ .. AF NP BT HK TW
.. BZ .. CU HT DO PR VG AI .. .. .. .. VA MT .. AL GR .. CY SY IQ IR PK IN BD MO .. .. MP
GT HN KY JM .. .. VI SX MF BL .. .. MA DZ TN LY .. EG IL LB JO KW BH .. .. MM LA VN PH GU .. UM
SV NI .. .. .. .. .. KN AG .. .. EH MR ML NE TD .. SD ER PS SA QA AE MV LK TH KH .. PW FM MH
.. CR .. .. .. .. MS GP .. CV SN GM .. BF BJ .. CF SS ET DJ YE OM .. .. .. MY BN .. .. NR KI
.. .. PA .. AW CW BQ DM MQ .. GW GN CI GH TG NG CM UG KE SO .. .. .. IO .. SG ID TL PG SB TV TK
.. .. CO VE .. .. GD VC LC .. .. SL LR .. ST GQ CG RW TZ .. SC .. .. .. CC .. CX .. .. VU WF WS AS
.. .. EC .. GY SR TT .. BB .. .. .. SH .. .. GA CD BI MW KM YT .. .. .. .. .. .. AU .. NC FJ TO NU
.. .. PE .. BR GF .. .. .. .. .. .. .. .. .. AO ZM ZW MZ .. MG MU .. .. .. .. .. .. .. NF .. CK PF
.. .. .. BO PY .. .. .. .. .. .. .. .. .. .. NA BW SZ .. .. RE .. .. .. .. .. .. .. .. .. NZ .. PN
.. .. CL AR UY .. .. .. .. .. .. .. .. .. .. .. ZA LS
.. .. .. .. FK .. GS .. .. .. .. .. .. .. .. BV .. .. .. .. .. TF .. HM
.. .. .. .. .. .. .. .. .. .. .. .. .. .. .. .. AQ
"""
_SEA = ".."
MOST_COLUMNS = 12
"""That a map has if it can do with them: more are too narrow for a phone."""

Place = tuple[int, int]
"""Column and row, from 0 at the north-west."""

PLACES: Mapping[str, Place] = {
    code: (column, row)
    for row, line in enumerate(_DRAWN.split("\n")[1:-1])
    for column, code in enumerate(line.split())
    if code != _SEA
}
"""Country → its square on the map of the world."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the map in which some countries lie."""

    columns: int
    rows: int
    wide: bool
    """Whether it is wider than MOST_COLUMNS."""
    places: Mapping[str, Place]
    """Country → its square, row by row."""


def layout(countries: Collection[str]) -> Layout:
    """These countries, without the columns and rows in which none of them lies.

    What lies west, or north, of something else stays there. Where they take more than MOST_COLUMNS
    columns, neighbouring ones that have nothing in the same row become one. A country that the map
    lacks comes in a row of its own at the end.
    """
    known = {code: PLACES[code] for code in countries if code in PLACES}
    columns = _narrowed(known)
    rows = sorted({row for _, row in known.values()})
    places = {
        code: (next(n for n, one in enumerate(columns) if column in one), rows.index(row))
        for code, (column, row) in known.items()
    }
    width = max(len(columns), min(MOST_COLUMNS, len(countries) - len(known)))
    beyond = [code for code in countries if code not in known]
    for number, code in enumerate(beyond):
        places[code] = (number % width, len(rows) + number // width)
    in_order = sorted(places.items(), key=lambda one: (one[1][1], one[1][0]))
    return Layout(
        columns=width,
        rows=max((row for _, row in places.values()), default=-1) + 1,
        wide=width > MOST_COLUMNS,
        places=dict(in_order),
    )


def _narrowed(known: Mapping[str, Place]) -> Sequence[frozenset[int]]:
    """The columns of the map that are one column of the part, from west to east."""
    rows_of: dict[frozenset[int], frozenset[int]] = {}
    for number in sorted({column for column, _ in known.values()}):
        rows = frozenset(row for column, row in known.values() if column == number)
        rows_of[frozenset({number})] = rows
    columns = list(rows_of)
    while len(columns) > MOST_COLUMNS:
        # The emptiest first: that moves the fewest countries.
        free = [
            (len(rows_of[west]) + len(rows_of[east]), at)
            for at, (west, east) in enumerate(pairwise(columns))
            if not rows_of[west] & rows_of[east]
        ]
        if not free:
            break
        _, at = min(free)
        west, east = columns[at : at + 2]
        rows_of[west | east] = rows_of[west] | rows_of[east]
        columns[at : at + 2] = [west | east]
    return columns
