"""A TOML file: its values with their line numbers, or the mistake that makes it unreadable."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from monitor.config.toml_lines import line_numbers
from monitor.config.toml_problem import (
    ConfigError,
    KeyPath,
    Problem,
    hide_credentials_in_line,
    key_text,
)
from monitor.wording.file_errors import remedy

_LARGEST_INTEGER = 2**63 - 1
_LARGEST = 4 * 2**20
"""Bytes of a file: the shipped catalogue is a hundredth of it, and reading takes 120 times as much
memory."""
_EXCERPT = 200
"""Characters of a line that are shown on each side of a mistake."""
_ABSENT = "check the name, or write a new file with `shutwatch init`"


class TomlSource(msgspec.Struct, frozen=True, kw_only=True):
    """A TOML file that could be read."""

    file: str
    """Name of the file, as the user gave it."""
    data: dict[str, Any]
    lines: dict[KeyPath, int]

    def line(self, path: KeyPath) -> int:
        """The line of `path`, or of the nearest table around it; 0 when none has a line."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


def read_source(path: Path, absent: str = _ABSENT) -> TomlSource:
    """Read a TOML file. Raises ConfigError; `absent` is what to do where there is none."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        gone = isinstance(error, FileNotFoundError)
        known = absent if gone else _UNREADABLE.get(type(error)) or remedy(error)
        what = known or "make it a file that can be read"
        raise refusal(str(path), f"cannot be read: {error.strerror}", what) from error
    except ValueError as error:
        raise refusal(str(path), "is not a file name", "name a file") from error
    if len(content) > _LARGEST:
        what = f"is larger than {_LARGEST // 2**20} MiB"
        raise refusal(str(path), what, "name the file that you meant")
    return parse_source(_decoded(content, str(path)), str(path))


def parse_source(text: str, file: str) -> TomlSource:
    """Read TOML text; `file` is the name its problems carry. Raises ConfigError."""
    text = text.replace("\r\n", "\n")
    if not text.endswith("\n"):
        text += "\n"  # otherwise tomllib reports a mistake of the last line without its line
    try:
        source = TomlSource(file=file, data=tomllib.loads(text), lines=line_numbers(text))
        huge = _huge_number(source.data)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_problem(text, file, str(error))]) from None
    except RecursionError:
        flat = "write them flat, as in the file that `shutwatch init --example` makes"
        raise refusal(file, "holds lists or tables nested too deeply", flat) from None
    except ValueError:
        # Python refuses to read numbers this long, and tomllib passes its error on.
        raise refusal(file, "holds a number with thousands of digits", "shorten it") from None
    if huge is not None:
        fewer = "a number of at most 18 digits"
        line, key = source.line(huge), key_text(huge)
        raise refusal(file, "is too large a number", fewer, line=line, key=key)
    return source


def refusal(file: str, wrong: str, remedy: str, *, line: int = 0, key: str = "") -> ConfigError:
    """The error of a file with one problem."""
    return ConfigError([Problem(file=file, line=line, key=key, wrong=wrong, remedy=remedy)])


def _huge_number(value: object, path: KeyPath = ()) -> KeyPath | None:
    """Path of an integer beyond the 64 bits that TOML allows; tomllib reads any."""
    if isinstance(value, int):
        return path if abs(value) > _LARGEST_INTEGER else None
    children: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    found = (_huge_number(child, (*path, name)) for name, child in children)
    return next((place for place in found if place is not None), None)


_UNREADABLE: dict[type[OSError], str] = {
    PermissionError: "let the user that runs shutwatch read it",
    IsADirectoryError: "name the file inside that folder",
}


def _decoded(content: bytes, file: str) -> str:
    """The text of a UTF-8 file, with or without a byte order mark."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        remedy = "in the editor choose “Save as” and the encoding UTF-8"
        raise refusal(file, "the file is not in the encoding UTF-8", remedy, line=line) from error


def _syntax_problem(text: str, file: str, message: str) -> Problem:
    """tomllib's message with the position, the line and a hint for people new to TOML."""
    reason = re.sub(r" \(at .*\)$", "", message, flags=re.DOTALL)
    lines = text.split("\n")
    place = re.search(r"\(at line (\d+), column (\d+)\)$", message)
    line, column = (int(place[1]), int(place[2])) if place else _last_written(lines)
    if reason == "Cannot overwrite a value" and not lines[line - 1][: column - 1].strip():
        line, column = line - 1, len(lines[line - 2])
    shown = hide_credentials_in_line(lines[line - 1])
    start = max(0, column - _EXCERPT)
    mark = "" if shown != lines[line - 1] else f"\n    {' ' * (column - 1 - start)}^"
    return Problem(
        file=file,
        line=line,
        column=column,
        wrong=f"cannot be understood: {reason[:1].lower()}{reason[1:]}",
        remedy=_hint(reason, lines, line),
        excerpt=f"    {_printable(shown[start : start + 2 * _EXCERPT])}{mark}",
    )


def _last_written(lines: list[str]) -> tuple[int, int]:
    """Line and column of the last text, for mistakes that tomllib notices at the end."""
    written = [number for number, line in enumerate(lines, 1) if line.strip()]
    last = written[-1] if written else 1
    return last, max(1, len(lines[last - 1].rstrip()))


def _printable(line: str) -> str:
    """`line` with unprintable characters replaced, of the same length."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "?" for c in line)


_NEEDS_QUOTES = re.compile(r"^\s*([\w.-]+)\s*=\s*([^\s\"'\[{#][^#\"']*)")
_COLON = re.compile(r"^\s*([\w.-]+)\s*:")
_VALUE_WANTED = {"Invalid value", "Expected newline or end of document after a statement"}


def _hint(reason: str, lines: list[str], line: int) -> str:
    """What would be right, guessed from tomllib's message and the line it is about."""
    text = lines[line - 1]
    before = next((t.strip() for t in reversed(lines[: line - 1]) if t.strip()), "")
    unquoted = _NEEDS_QUOTES.match(text)
    colon = _COLON.match(text)
    if re.search("[“”„‘’«»]", text) and reason in _VALUE_WANTED:
        return 'use plain quotation marks, "like this", not typographic ones'
    if reason in _VALUE_WANTED and unquoted:
        return _quote_hint(unquoted[1], unquoted[2].strip())
    if reason == "Invalid value" and before.endswith((",", "[")):
        return "close the list that begins above with ], or put text in quotation marks"
    if reason.startswith("Expected '=' after a key") and colon:
        return f"write = where there is a colon: {colon[1]} = …"
    return next((hint for start, hint in _HINTS if reason.startswith(start)), _GENERAL_HINT)


def _quote_hint(key: str, value: str) -> str:
    """For a value that begins with neither a quotation mark nor a bracket."""
    if value.lower() in ("true", "false", "yes", "no", "on", "off"):
        right = "true" if value.lower() in ("true", "yes", "on") else "false"
        return f"write {key} = {right}, in lower case and without quotation marks"
    if re.fullmatch(r"[\d.,_+-]+", value):
        return "write numbers as 20 or 0.5, and anything else in quotation marks"
    if '"' in value or len(value) > 60:  # more than a forgotten pair of marks
        return "put text in quotation marks, and only one setting on a line"
    if hide_credentials_in_line(f"{key} = {value}") != f"{key} = {value}":
        return "put the value in quotation marks"
    return f'put the value in quotation marks: {key} = "{value}"'


_GENERAL_HINT = 'write one setting a line, as in: interval = "5m"'
_HINTS = (
    ("Invalid value", "put text in quotation marks; numbers, true and false go without"),
    ("Expected newline", "write one setting a line; if this is text, put all of it in quotes"),
    ("Expected '=' after a key", "write the name, then =, then the value"),
    ("Unterminated string", "end the text with the quotation mark it begins with"),
    ('Expected "\'"', "end the text with the quotation mark it begins with"),
    ("Illegal character", "end the text with a quotation mark on the same line"),
    ("Cannot declare ('vantage',)", "begin every vantage with [[vantage]], in double brackets"),
    ("Cannot declare", "give each [table] once; put all its settings under the first"),
    ("Cannot overwrite", "this is set twice: remove one of the two"),
    ("Duplicate inline table key", "this is set twice: remove one of the two"),
    ("Unclosed array", "put commas between the entries of a list and ] at its end"),
    ("Unclosed inline table", "end the { with } on the same line"),
    ("Expected ']'", "end the [table] with ] on the same line"),
    ("Unescaped '\\'", "put text with backslashes in single quotation marks: 'C:\\file.pem'"),
    ("Invalid hex value", "put text with backslashes in single quotation marks: 'C:\\file.pem'"),
)
