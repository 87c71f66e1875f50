"""The line of every key of a TOML text."""

import tomllib
from collections.abc import Iterator
from random import Random
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


# A seed says what stands where: to draw each part would take longer than all the rest.
SEEDS = st.integers(0, 2**32 - 1).map(Random)
AWKWARD = 'a#]}"[{=.,\\ é'
GAPS = ("", " ", "\n", " # ] } \" ' = [x]\n", "\n\n\t")
SCALARS = (
    "1",
    "0.5",
    "true",
    "1979-05-27 07:32:00",
    '"""\n # [x]\n " "" \\""""',
    "'''\n'[y]'''",
    "''''x'''''",
)


def letters(chance: Random, known: str, least: int = 0) -> str:
    """Up to four of the known ones."""
    return "".join(chance.choices(known, k=chance.randint(least, 4)))


def bare(chance: Random) -> str:
    """A key without quotes."""
    return letters(chance, "abcxyz019_-", least=1)


def quoted(chance: Random) -> str:
    """A text or key in either kind of quotes."""
    text = letters(chance, AWKWARD)
    if chance.getrandbits(1):
        return f"'{text}'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def key(chance: Random) -> str:
    """Any one part of a key."""
    return chance.choice((bare, quoted, quoted))(chance)


def value(chance: Random, deep: int = 3) -> str:
    """Any value, with lists and tables within lists and tables."""
    kind = chance.randrange(4 if deep else 2)
    if kind < 2:
        return quoted(chance) if kind else chance.choice(SCALARS)
    inner = [value(chance, deep - 1) for _ in range(chance.randint(0, 3))]
    if kind == 2:
        entries = (chance.choice(GAPS) + one + chance.choice(GAPS) for one in inner)
        return f"[{','.join(entries)}{chance.choice(GAPS)}]"
    return "{" + ",".join(f" {key(chance)} = {one}" for one in inner) + " }"


def line(chance: Random) -> str:
    """A key and its value, the head of a table, a comment or nothing."""
    kind = chance.randrange(5)
    if kind < 2:
        keys = [key(chance) for _ in range(chance.randint(1, 2))]
        return f"{'.'.join(keys)} = {value(chance)}"
    if kind == 2:
        keys = [key(chance) for _ in range(chance.randint(1, 3))]
        return f"[[{'.'.join(keys)}]]" if chance.getrandbits(1) else f"[{' . '.join(keys)}]"
    return "# x = [1" if kind == 3 else ""


def document(chance: Random) -> str:
    """Any text, TOML or nearly so."""
    return "\n".join(line(chance) for _ in range(chance.randint(0, 12)))


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
@given(SEEDS.map(document))
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
@given(SEEDS)
def test_every_line_is_the_one_the_key_was_written_on(chance: Random) -> None:
    """Values over several lines, comments and gaps never shift what follows."""
    text, written = "", {}
    for name in dict.fromkeys(bare(chance) for _ in range(chance.randint(0, 8))):
        gap = chance.choice(GAPS)
        text += gap if gap.endswith("\n") else ""
        written[name] = text.count("\n") + 1
        text += f"{name} = {value(chance)}\n"
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        reject()
    lines = line_numbers(text)
    assert {name: lines[(name,)] for name in written} == written, text
