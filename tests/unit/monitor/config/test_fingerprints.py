"""Reading lists of fingerprints: our own, OONI's, and others'."""

import re
from pathlib import Path

import pytest

from monitor.analysis.judge.fingerprint import Fingerprint, Kind, Scope, Where
from monitor.config.fingerprints import (
    load_fingerprints,
    merged,
    parse_csv,
    parse_toml,
    shipped_fingerprints,
)
from monitor.config.load import load_config
from monitor.config.toml_problem import ConfigError

ONE = """
[[fingerprint]]
id = "pk-order"
where = "header"
header = "Server"
kind = "regex"
pattern = "filter/[0-9]"
scope = "country"
countries = ["PK", "AF"]
confident = true
"""
OONI = """\
name,scope,other_names,location_found,pattern_type,pattern,confidence_no_fp,expected_countries,source,exp_url,notes
nat.a,nat,,body,contains,"blocked, by order",10,"PK,AF",,,
isp.b,isp,,header.Location,prefix,http://192.0.2.7/deny,5,IN,,,
prod.c,prod,,title,full,Denied,3,,,,
inst.d,inst,,header.Server,regexp,^filter/\\d,5,US,,,
fp.e,fp,,body,contains,Just a moment,10,,,,
dns.f,nat,,dns,full,192.0.2.8,10,IR,,,
"""


def told(text: str, parse: str = "toml") -> list[str]:
    """Every problem of a text, as it is shown."""
    with pytest.raises(ConfigError) as caught:
        parse_toml(text, "mine.toml") if parse == "toml" else parse_csv(text, "mine.csv")
    return [str(problem) for problem in caught.value.problems]


def test_our_own_format() -> None:
    """Every key is read; names of headers are lower case."""
    assert parse_toml(ONE, "mine.toml") == (
        Fingerprint(
            id="pk-order",
            where=Where.HEADER,
            header="server",
            kind=Kind.REGEX,
            pattern="filter/[0-9]",
            scope=Scope.COUNTRY,
            countries=("PK", "AF"),
            confident=True,
        ),
    )
    assert parse_toml("", "mine.toml") == ()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('id = "pk-order"\n', "", "id"),
        ('where = "header"', 'where = "cookie"', 'one of "body"'),
        ('header = "Server"\n', "", "go together"),
        ('where = "header"', 'where = "body"', "go together"),
        ('kind = "regex"', 'kind = "host"', 'goes with where = "location"'),
        ("[0-9]", "[0-9", "regular expression"),
        ('["PK", "AF"]', '["PK", "Pakistan"]', "PK"),
        ('countries = ["PK", "AF"]\n', "", "needs countries"),
        ("confident = true", 'confident = "yes"', "true or false"),
        ("confident", "confidence", "is not a setting"),
        ('"pk-order"', '"PK order"', "lower-case"),
    ],
)
def test_mistakes_are_told_in_place(old: str, new: str, problem: str) -> None:
    """One mistake, one problem, in the line where it stands."""
    (only,) = told(ONE.replace(old, new, 1))
    assert problem in only
    assert only.startswith("mine.toml:")


def test_text_that_is_not_toml_is_told() -> None:
    """The parser's own mistake is a problem like others."""
    assert len(told("[[fingerprint]\n")) == 1


def test_oonis_list() -> None:
    """Places, kinds, scopes, countries and confidence; innocent pages and DNS are left out."""
    found = parse_csv(OONI, "ooni.csv")
    assert [(one.id, one.where, one.header, one.kind, one.pattern) for one in found] == [
        ("nat.a", Where.BODY, "", Kind.CONTAINS, "blocked, by order"),
        ("isp.b", Where.HEADER, "location", Kind.PREFIX, "http://192.0.2.7/deny"),
        ("prod.c", Where.TITLE, "", Kind.FULL, "Denied"),
        ("inst.d", Where.HEADER, "server", Kind.REGEX, r"^filter/\d"),
    ]
    assert [(one.scope, one.countries, one.confident) for one in found] == [
        (Scope.COUNTRY, ("PK", "AF"), True),
        (Scope.ISP, ("IN",), True),
        (Scope.VENDOR, (), False),
        (Scope.VENDOR, ("US",), True),
    ]


def test_other_lists() -> None:
    """A column with the words is enough: regex, id and country are understood by their names."""
    (one,) = parse_csv("fingerprint_id,regex,country_code\nA 7!,order \\d+,pk\n", "x.csv")
    assert (one.id, one.kind, one.pattern, one.countries) == (
        "a-7",
        Kind.REGEX,
        "order \\d+",
        ("PK",),
    )
    assert (one.where, one.confident) == (Where.BODY, False)
    (bare,) = parse_csv("pattern\nblocked\n", "x.csv")
    assert (bare.id, bare.kind) == ("line-2", Kind.CONTAINS)


def test_rows_that_cannot_be_used_are_all_told() -> None:
    """Each with its line; nothing is passed over in silence."""
    text = (
        "name,location_found,pattern_type,pattern,confidence_no_fp\n"
        "a,body,contains,,5\nb,cookie,contains,x,5\nc,body,glob,x,5\n"
        "d,body,regexp,[,5\ne,body,contains,x,high\nf,body,contains,x,5\n"
    )
    problems = told(text, "csv")
    assert [problem.split(":")[1] for problem in problems] == ["2", "3", "4", "5", "6"]
    for number, words in enumerate(
        ("no pattern", "location_found", "pattern_type", "regular expression", "confidence")
    ):
        assert words in problems[number]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", 'pattern\n"open\n'])
def test_what_is_no_list_is_told(text: str) -> None:
    """No column for the words, or no CSV at all."""
    assert len(told(text, "csv")) == 1


def test_a_later_list_replaces_by_id() -> None:
    """Operators correct a shipped fingerprint by one of the same id."""
    first = shipped_fingerprints()[0]
    mine = parse_toml(ONE.replace("pk-order", first.id), "mine.toml")
    both = merged(shipped_fingerprints(), mine)
    assert len(both) == len(shipped_fingerprints())
    assert mine[0] in both
    assert first not in both


def test_the_shipped_list() -> None:
    """Ids are unique, and only what is known from a country claims to be certain of one."""
    shipped = shipped_fingerprints()
    text = (Path(__file__).parents[4] / "monitor" / "config" / "fingerprints.toml").read_text()
    assert len(shipped) == text.count("[[fingerprint]]")
    for one in shipped:
        anywhere = one.scope in (Scope.VENDOR, Scope.DEVICE)
        assert anywhere or one.countries
        assert not anywhere or not (one.countries or one.confident)


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """A file that is missing or no text is a problem that names it."""
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.toml", "binary.csv"):
        with pytest.raises(ConfigError, match=name):
            load_fingerprints(tmp_path / name)


def test_files_named_in_the_configuration(tmp_path: Path) -> None:
    """Both formats add to the shipped list; a mistake in one is a mistake of the configuration."""
    (tmp_path / "mine.toml").write_text(ONE)
    (tmp_path / "ooni.csv").write_text(f"\ufeff{OONI}", encoding="utf-8")
    config = tmp_path / "shutwatch.toml"
    config.write_text(
        '[[vantage]]\nid = "here"\ncountry = "PK"\n'
        '[fingerprints]\nfiles = ["mine.toml", "ooni.csv"]\n'
    )
    found = load_config(config, {}).fingerprints
    assert len(found) == len(shipped_fingerprints()) + 5
    (tmp_path / "mine.toml").write_text(ONE.replace("[0-9]", "["))
    with pytest.raises(ConfigError, match=r"shutwatch\.toml:5.*mine\.toml:7"):
        load_config(config, {})


DOCUMENT = (Path(__file__).parents[4] / "docs" / "fingerprints.md").read_text(encoding="utf-8")


def test_the_document_shows_what_can_be_copied(tmp_path: Path) -> None:
    """Its configuration and its list are read, and its table has every key and every word."""
    config, ours = re.findall(r"^```toml\n(.+?)^```", DOCUMENT, re.M | re.S)
    (tmp_path / "shutwatch.toml").write_text(config)
    assert load_config(tmp_path / "shutwatch.toml", {}).fingerprints == shipped_fingerprints()
    assert len(parse_toml(ours, "mine.toml")) == 2
    table = dict(re.findall(r"^\| `(\w+)` \| .+? \| (.+) \|$", DOCUMENT, re.M))
    assert set(table) == set(Fingerprint.__struct_fields__)
    for key, words in (("where", Where), ("kind", Kind), ("scope", Scope)):
        assert all(f"`{word.value}`" in table[key] for word in words)
