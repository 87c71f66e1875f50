"""Whatever a file holds, reading it ends in settings or in a ConfigError."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
LEAF = st.one_of(
    WORDS.map(json.dumps),
    st.integers().map(str),
    st.just("0x" + "f" * 5000),
    st.floats().map(str),
    st.booleans().map(lambda value: str(value).lower()),
    st.sampled_from(["1979-05-27", "07:32:00", "inf", "-nan", "[]", "{}"]),
)
VALUE = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda entries: f"[{', '.join(entries)}]"),
        st.dictionaries(st.sampled_from(KNOWN), inner, max_size=2).map(
            lambda table: "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"
        ),
    ),
    max_leaves=4,
)
KEY = st.one_of(st.sampled_from(KNOWN), st.text("abc_-", min_size=1, max_size=5))
PAIRS = st.dictionaries(KEY, VALUE, max_size=5).map(
    lambda table: "".join(f"{key} = {value}\n" for key, value in table.items())
)
HEADER = st.one_of(
    st.just("[[vantage]]"), st.sampled_from(TABLE_NAMES).map(lambda name: f"[{name}]")
)
DOCUMENT = st.builds(
    lambda top, tables: top + "".join(f"{header}\n{pairs}" for header, pairs in tables),
    PAIRS,
    st.lists(st.tuples(HEADER, PAIRS), max_size=4),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file, written anew for each example."""
    return tmp_path_factory.mktemp("fuzz") / "shutwatch.toml"


def outcome(path: Path, content: bytes) -> Settings | ConfigError:
    """What reading a file with this content ends in."""
    path.write_bytes(content)
    try:
        return load_config(path, {"HOME": "/home/someone"})
    except ConfigError as error:
        return error


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
