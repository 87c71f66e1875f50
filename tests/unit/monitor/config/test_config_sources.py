"""`[[source]]` in the configuration: what is read, and what is refused with a reason."""

from pathlib import Path

import pytest

from monitor.config.load import load_config
from monitor.config.settings import SourceSettings
from monitor.config.toml_problem import ConfigError
from monitor.sources.terms import SourceKind

ACCOUNT = "of-nobody"
FIELD = '[[vantage]]\nid = "here"\ncountry = "PK"\n'
SOURCE = '[[source]]\nkind = "ooni"\ncountries = ["PK", "BR"]\n'


def _load(folder: Path, text: str) -> tuple[SourceSettings, ...]:
    path = folder / "shutwatch.toml"
    path.write_text(text)
    return load_config(path, {}).sources


def test_a_source_needs_no_vantage(tmp_path: Path) -> None:
    """Whoever has no line in a country may watch it by what others measure there."""
    (source,) = _load(tmp_path, SOURCE)
    assert source.kind is SourceKind.OONI
    assert source.countries == ("PK", "BR")
    assert source.api == "https://api.ooni.io"


def test_another_api_is_asked_when_it_is_named(tmp_path: Path) -> None:
    """A mirror, or a server on this machine."""
    (source,) = _load(tmp_path, SOURCE + 'url = "http://127.0.0.1:8099/"\n')
    assert source.api == "http://127.0.0.1:8099"


def test_without_a_source_nobody_is_asked(tmp_path: Path) -> None:
    """Sources are off by default."""
    assert _load(tmp_path, FIELD) == ()


@pytest.mark.parametrize(
    ("countries", "named", "beside"),
    [
        ('["PK"]', "", ("IN", "AE")),
        ('["PK", "IN"]', "", ("AE",)),
        ('["PK", "BR", "IR"]', "", ()),
        ('["PK"]', "beside = []\n", ()),
        ('["PK"]', 'beside = ["DE"]\n', ("DE",)),
    ],
)
def test_few_countries_are_compared_with_their_neighbours(
    countries: str, named: str, beside: tuple[str, ...], tmp_path: Path
) -> None:
    """A test that breaks everywhere looks like a block where only one country is read."""
    (source,) = _load(tmp_path, f'[[source]]\nkind = "ooni"\ncountries = {countries}\n{named}')
    assert source.beside == beside


def test_globalping_is_asked_sparingly_and_compared_with_other_countries(tmp_path: Path) -> None:
    """Within the free quota, from few probes; its token comes from the environment."""
    path = tmp_path / "shutwatch.toml"
    path.write_text(
        '[[source]]\nkind = "globalping"\ncountries = ["PK", "DE"]\ntoken = "${GLOBALPING_TOKEN}"\n'
    )
    (source,) = load_config(path, {"GLOBALPING_TOKEN": ACCOUNT}).sources
    assert (source.budget, source.every, source.probes) == (200, 60.0, 6)
    assert source.beside == ("NL", "US")
    assert source.token == ACCOUNT


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            SOURCE.replace("ooni", "oni"),
            r'source\[1\].kind = "oni" → one of "ooni", "ioda", "globalping"',
        ),
        ('[[source]]\nkind = "ooni"\n', r"source\[1\].countries is missing"),
        (SOURCE.replace('"PK", "BR"', ""), r"source\[1\].countries.*at least one country"),
        (SOURCE.replace("PK", "UK"), r'source\[1\].countries\[1\] = "UK".*write "GB"'),
        (SOURCE + 'platforms = ["twiter"]\n', r'source\[1\].platforms\[1\] = "twiter"'),
        (SOURCE + 'beside = ["PK"]\n', r"source\[1\].beside.*leave out PK"),
        (SOURCE + "budget = 5\n", "a whole number from 60 to 100000"),
        (SOURCE + 'run_link = "https://run.ooni.org/v2/10042"\n', "the number at the end"),
        (SOURCE + 'url = "http://api.example.org"\n', "https:// and the host alone"),
        (SOURCE + SOURCE, r"source\[2\].kind.*name all countries in source\[1\]"),
        (SOURCE.replace("[[source]]", "[source]"), "in double brackets"),
        (
            SOURCE.replace("ooni", "ioda") + 'platforms = ["x"]\n',
            r"source\[1\].platforms is for kind ooni, globalping, atlas alone.*leave it out",
        ),
        (SOURCE + 'key = "x"\n', "is not a setting shutwatch knows"),
        (SOURCE + 'token = "x"\n', r"source\[1\].token .* is for kind globalping, atlas alone"),
        (SOURCE.replace("ooni", "globalping") + "probes = 11\n", "a whole number from 2 to 10"),
        (SOURCE.replace("ooni", "globalping") + "beside = []\n", "at least one country, or leave"),
        (SOURCE.replace("ooni", "atlas"), r"has no key → .*from the environment"),
        (
            SOURCE.replace("ooni", "atlas") + 'token = "x"\nbudget = 479\n',
            r"source\[1\].budget = 479 has no room for one round.*at least budget = 480",
        ),
        (
            SOURCE.replace("ooni", "globalping")
            + 'probes = 10\nbudget = 60\nbeside = ["DE", "NL", "US", "FR", "SE", "CH"]\n',
            r"source\[1\].budget = 60 has no room for one round, which takes up to 62",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, named: str, tmp_path: Path) -> None:
    """What is wrong, where, and what would be right."""
    with pytest.raises(ConfigError, match=named):
        _load(tmp_path, FIELD + text)
