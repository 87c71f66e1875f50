"""Whatever a file holds, reading it ends in settings or in a ConfigError."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monitor.config.advice import advice
from monitor.config.keys_by_table import TABLES
from monitor.config.load import load_config
from monitor.config.settings import Settings
from monitor.config.toml_problem import ConfigError

KNOWN = sorted({name for keys in TABLES.values() for name in keys} | {"PK", "endpoint", "status"})
TABLE_NAMES = [name for name in TABLES if name] + ["references.domestic", "probe.x", "platform"]
WORDS = st.one_of(
    st.sampled_from(
        [
            "5m",
            "PK",
            "x",
            "control",
            "system",
            "direct",
            "socks5://u:p@h:1",
            "socks5://[::1",
            "https://[/",
            "http://a:b/",
            "tcp://ü..x:1",
            "${HOME}",
            "${",
            "$${",
            "sqlite:///a",
            "10.0.0.0/8",
            "::1",
            "\0",
            "a" * 300,
            "..",
            "9" * 400 + "s",
        ]
    ),
    st.text(max_size=20),
)
NUMBERS = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["0x" + "f" * 5000, "inf", "-nan", "1979-05-27", "07:32:00"]),
)
SAID = st.tuples(
    st.lists(WORDS, min_size=1, max_size=4),
    st.lists(NUMBERS, min_size=1, max_size=2),
    st.text("abc_-", min_size=1, max_size=5),
)

WELL = '[[vantage]]\nid = "here"\ncountry = "PK"\n'


class Document:
    """A file of hostile texts and numbers. A seed says what stands where: to draw each place would
    take longer than all the rest."""

    def __init__(self, seed: int, said: tuple[list[str], list[str], str]) -> None:
        self._chance = Random(seed)
        words, numbers, self._name = said
        self._leaves = (*map(json.dumps, words), *numbers, "true", "false", "[]", "{}")

    def _value(self, deep: int = 2) -> str:
        kind = self._chance.randrange(6 if deep else 4)
        if kind < 4:
            return self._chance.choice(self._leaves)
        if kind == 4:
            entries = (self._value(deep - 1) for _ in range(self._chance.randint(0, 3)))
            return f"[{', '.join(entries)}]"
        return "{" + ", ".join(self._pairs(KNOWN, 2, deep - 1)) + "}"

    def _pairs(self, names: Sequence[str], most: int, deep: int = 2) -> Iterator[str]:
        for name in dict.fromkeys(self._chance.choices(names, k=self._chance.randint(0, most))):
            yield f"{name} = {self._value(deep)}"

    def _table(self, name: str) -> str:
        """Lines of a table: its own keys, or any, or one that nobody knows."""
        own = sorted(TABLES.get(name, KNOWN))
        names = self._chance.choice((own, own, KNOWN, [self._name]))
        return "".join(f"{pair}\n" for pair in self._pairs(names, 5))

    def _headed(self) -> str:
        if not self._chance.getrandbits(2):
            return f"[[vantage]]\n{self._table('vantage')}"
        name = self._chance.choice(TABLE_NAMES)
        return f"[{name}]\n{self._table(name)}"

    def __str__(self) -> str:
        well = self._chance.getrandbits(1) * WELL
        tables = (self._headed() for _ in range(self._chance.randint(0, 4)))
        return self._table("") + well + "".join(tables)


DOCUMENT = st.builds(Document, st.integers(0, 2**32 - 1), SAID).map(str)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file, written anew for each example."""
    return tmp_path_factory.mktemp("fuzz") / "shutwatch.toml"


def outcome(path: Path, content: bytes) -> Settings | ConfigError:
    """What reading a file with this content ends in, and advice on it."""
    path.write_bytes(content)
    try:
        found = load_config(path, {"HOME": "/home/someone"})
    except ConfigError as error:
        return error
    advice(found)
    return found


def is_told(result: Settings | ConfigError) -> bool:
    """Whether a refusal says in every problem what would be right."""
    if isinstance(result, Settings):
        return True
    return bool(result.problems) and all(
        problem.remedy and str(problem) for problem in result.problems
    )


# On a busy machine the first example is slow: it builds tables of all characters there are.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@patient
@given(document=DOCUMENT)
@example(document=f'database = "sqlite:////{"a" * 300}/x.db"\n{WELL}')
@example(document=f'[archive]\nfolder = "{"a" * 300}"\n')
def test_any_values_end_in_settings_or_a_config_error(path: Path, document: str) -> None:
    """Values of any type under any key are refused in words, never by a traceback."""
    content = document.encode("utf-8", "surrogatepass")
    assert is_told(outcome(path, content))


@patient
@given(text=st.text())
def test_any_text_ends_in_a_config_error(path: Path, text: str) -> None:
    """Text that is not TOML at all is one problem with a hint."""
    refused = outcome(path, text.encode("utf-8", "surrogatepass"))
    assert isinstance(refused, ConfigError)
    assert is_told(refused)


@patient
@given(content=st.binary())
def test_any_bytes_end_in_a_config_error(path: Path, content: bytes) -> None:
    """So is a file that holds no text."""
    refused = outcome(path, content)
    assert isinstance(refused, ConfigError)
    assert is_told(refused)


@pytest.mark.parametrize("depth", [100, 10_000, 200_000])
def test_deep_nesting_ends_in_a_config_error(path: Path, depth: int) -> None:
    """A file made to exhaust the reader is refused like any other."""
    nested: Any = outcome(path, b"rate = " + b"[" * depth + b"]" * depth + b"\n")
    assert isinstance(nested, ConfigError)
