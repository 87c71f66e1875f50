"""The line of every key of a TOML text."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from monitor.config.toml_lines import line_numbers
from monitor.config.toml_problem import KeyPath, key_text
from monitor.config.toml_source import parse_source

TEXT = '''\
# a = 0 [not.this]
a = 1
"quoted.key".'b c' = """text
[no] = "header"
with a quote \\""""""
list = [   # x = 1
  "x, ] # y", 'its',
  [1,
   2],
  { p = 1, q.r = [{ s = "}" }] },
]
when = 1979-05-27 07:32:00
[[vantage]]
id = "a"
[vantage.extra]
z = 1
[[vantage]]
  id = "b"
[[vantage.deep]]
v = 1
[[vantage.deep]]
v = 2
[vantage.deep.er]
v = 3
[ t . "u.v" ] # [[vantage]]
inline = {}
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 2),
        (("quoted.key", "b c"), 3),
        (("list",), 6),
        (("list", 0), 7),
        (("list", 1), 7),
        (("list", 2, 0), 8),
        (("list", 2, 1), 9),
        (("list", 3, "p"), 10),
        (("list", 3, "q", "r", 0, "s"), 10),
        (("when",), 12),
        (("vantage", 0), 13),
        (("vantage", 0, "id"), 14),
        (("vantage", 0, "extra"), 15),
        (("vantage", 0, "extra", "z"), 16),
        (("vantage", 1), 17),
        (("vantage", 1, "id"), 18),
        (("vantage", 1, "deep", 0, "v"), 20),
        (("vantage", 1, "deep", 1), 21),
        (("vantage", 1, "deep", 1, "v"), 22),
        (("vantage", 1, "deep", 1, "er", "v"), 24),
        (("t", "u.v"), 25),
        (("t", "u.v", "inline"), 26),
    ],
)
def test_each_way_to_write_a_key_is_found(path: KeyPath, line: int) -> None:
    """Dotted, quoted and inline keys, nested lists and arrays of tables stand where they stand."""
    assert line_numbers(TEXT)[path] == line


def test_windows_line_ends_count_once() -> None:
    """A file saved on Windows has the same line numbers."""
    assert parse_source("a = 1\r\n\r\n[t]\r\nb = 2\r\n", "f").line(("t", "b")) == 4


def test_a_missing_key_stands_where_its_table_does() -> None:
    """What is not in the file is reported at the nearest thing around it."""
    source = parse_source("a = 1\n[[vantage]]\nid = 'x'\n", "f")
    assert source.line(("vantage", 0, "country")) == 2
    assert source.line(("nothing", "at", "all")) == 0


def test_positions_are_counted_from_one_for_people() -> None:
    """The second vantage is vantage[2]."""
    assert key_text(("vantage", 1, "egress")) == "vantage[2].egress"
    assert key_text(("references", "domestic", "P K", 0)) == 'references.domestic."P K"[1]'


BARE = st.text("abcxyz019_-", min_size=1, max_size=4)
QUOTED = st.text('a#]}"[{=.,\\ é', max_size=4).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
LITERAL = st.text('a#]}"[{=.,\\ é', max_size=4).map(lambda text: f"'{text}'")
KEY = st.one_of(BARE, QUOTED, LITERAL)
GAP = st.sampled_from(["", " ", "\n", " # ] } \" ' = [x]\n", "\n\n\t"])
SCALAR = st.one_of(
    QUOTED,
    LITERAL,
    st.sampled_from(
        [
            "1",
            "0.5",
            "true",
            "1979-05-27 07:32:00",
            '"""\n # [x]\n " "" \\""""',
            "'''\n'[y]'''",
            "''''x'''''",
        ]
    ),
)


def _list(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    entries = st.lists(st.tuples(GAP, inner, GAP).map("".join), max_size=3)
    return st.builds(lambda parts, gap: f"[{','.join(parts)}{gap}]", entries, GAP)


def _inline(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(KEY, inner).map(" = ".join), max_size=3)
    return pairs.map(lambda pairs: "{" + ",".join(f" {pair}" for pair in pairs) + " }")


VALUE = st.recursive(SCALAR, lambda inner: st.one_of(_list(inner), _inline(inner)), max_leaves=6)
PAIR = st.builds(
    lambda key, sub, value: f"{'.'.join([key, *sub])} = {value}",
    KEY,
    st.lists(KEY, max_size=1),
    VALUE,
)
HEADER = st.builds(
    lambda keys, double: f"[[{'.'.join(keys)}]]" if double else f"[{' . '.join(keys)}]",
    st.lists(KEY, min_size=1, max_size=3),
    st.booleans(),
)
DOCUMENT = st.lists(
    st.one_of(PAIR, PAIR, HEADER, st.just("# x = [1"), st.just("")), max_size=12
).map("\n".join)


def paths(value: Any, at: KeyPath = ()) -> Iterator[KeyPath]:
    """Every path that tomllib's values have."""
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for name, child in children:
        yield (*at, name)
        yield from paths(child, (*at, name))


# On a busy machine the first example is slow: it builds tables of all characters there are.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@patient
@given(DOCUMENT)
def test_every_key_that_tomllib_reads_has_a_line(text: str) -> None:
    """Whatever the layout, the scanner and tomllib agree on what there is."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        reject()
    lines = line_numbers(text)
    assert set(lines) == set(paths(values))
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


@patient
@given(st.lists(st.tuples(BARE, GAP, VALUE), max_size=8, unique_by=lambda entry: entry[0]))
def test_every_line_is_the_one_the_key_was_written_on(
    entries: list[tuple[str, str, str]],
) -> None:
    """Values over several lines, comments and gaps never shift what follows."""
    text, written = "", {}
    for key, gap, value in entries:
        text += gap if gap.endswith("\n") else ""
        written[key] = text.count("\n") + 1
        text += f"{key} = {value}\n"
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        reject()
    lines = line_numbers(text)
    assert {key: lines[(key,)] for key in written} == written
