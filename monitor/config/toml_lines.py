"""The line number of each key of a TOML text.

tomllib returns values without positions, and libraries that keep the text keep no positions either.
This scanner walks text that tomllib has accepted, so it only needs to know where strings, comments,
arrays and tables begin and end.
"""

import re
import tomllib
from bisect import bisect_right
from itertools import count

from monitor.config.toml_problem import KeyPath

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[^\s.=\[\]{}\"'#,]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]*")


def line_numbers(text: str) -> dict[KeyPath, int]:
    """The line, from 1, on which every key, table and array entry of valid TOML begins.

    Raises RecursionError where values are nested too deeply, as tomllib does.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    """One walk over one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._entries: dict[KeyPath, int] = {}

    def document(self) -> None:
        """Headers and pairs, to the end of the text."""
        table: KeyPath = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> KeyPath:
        """`[a.b]` or `[[a.b]]`: the path of the table it opens."""
        start = self.at
        array = self.text.startswith("[[", self.at)
        self.at += 2 if array else 1
        *parents, last = self._key()
        self.at += 2 if array else 1
        path: KeyPath = ()
        for name in parents:
            path = self._entered((*path, name), start)
        path = (*path, last)
        if array:
            self._note(path, start)
            self._entries[path] = self._entries.get(path, 0) + 1
            path = (*path, self._entries[path] - 1)
        self.lines[path] = self._line(start)
        return path

    def _entered(self, path: KeyPath, start: int) -> KeyPath:
        """`path`, or the newest entry of the array of tables that it names."""
        self._note(path, start)
        entries = self._entries.get(path)
        return path if entries is None else (*path, entries - 1)

    def _pair(self, table: KeyPath) -> None:
        """`a.b = value` under `table`."""
        start = self.at
        path = table
        for name in self._key():
            path = (*path, name)
            self._note(path, start)
        self.at += 1
        self._skip(_BLANK)
        self._value(path)

    def _key(self) -> list[str]:
        """The names of a dotted key, up to the `=` or `]` behind it."""
        names = []
        while True:
            self._skip(_BLANK)
            if self.text[self.at] in "\"'":
                names.append(str(tomllib.loads(f"k = {self._skip(_STRING)}")["k"]))
            else:
                names.append(self._skip(_BARE_KEY))
            self._skip(_BLANK)
            if self.text[self.at] != ".":
                return names
            self.at += 1

    def _value(self, path: KeyPath) -> None:
        """One value, wherever it ends."""
        first = self.text[self.at]
        if first == "[":
            for index in count():
                if not self._next_in("]"):
                    break
                self._note((*path, index), self.at)
                self._value((*path, index))
        elif first == "{":
            while self._next_in("}"):
                self._pair(path)
        elif first in "\"'":
            self._skip(_STRING)
        else:
            self._skip(_BARE_VALUE)

    def _next_in(self, closing: str) -> bool:
        """Step over an opening bracket or a comma; False once past the closing bracket."""
        self._skip(_BLANK)
        if self.text[self.at] != closing:
            self.at += 1
            self._skip(_BLANK)
        if self.text[self.at] == closing:
            self.at += 1
            return False
        return True

    def _skip(self, pattern: re.Pattern[str]) -> str:
        """Step over what `pattern` matches here, and return it."""
        match = pattern.match(self.text, self.at)
        if match is None:
            raise AssertionError(f"not valid TOML at character {self.at}")
        self.at = match.end()
        return match[0]

    def _note(self, path: KeyPath, start: int) -> None:
        """Keep the line of the first mention of a path."""
        self.lines.setdefault(path, self._line(start))

    def _line(self, position: int) -> int:
        return bisect_right(self._starts, position)
