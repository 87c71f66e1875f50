"""Country codes, compared with other tables of them."""

from importlib.resources import files

import pytest
from babel import Locale

from probes.catalog.countries import COUNTRIES, INVENTED

ISO_3166 = files("tzdata") / "zoneinfo" / "iso3166.tab"


def test_the_codes_are_those_of_iso_3166_and_kosovo() -> None:
    """The codes are those of the time zone database, XK, and the invented ones."""
    lines = ISO_3166.read_text(encoding="utf-8").splitlines()
    listed = {line.split("\t")[0] for line in lines if not line.startswith("#")}
    assert len(listed) == 249
    assert listed | {"XK"} | INVENTED == COUNTRIES
    assert not INVENTED & listed


@pytest.mark.parametrize("language", ["en_GB", "ur_PK", "pt_BR"])
def test_every_real_country_has_a_name_of_its_own(language: str) -> None:
    """Babel names each country in each language of the page, and no two alike."""
    territories = Locale.parse(language).territories
    names = {territories[code] for code in COUNTRIES - INVENTED}
    assert len(names) == 250
