"""One mistake in a TOML file, worded so that the file's author can correct it."""

import re
from collections.abc import Iterable

import msgspec

KeyPath = tuple[str | int, ...]
"""Position of a value: names of tables and keys, and indexes in arrays from 0."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SECRET = re.compile(
    r"pass|pwd|secret|token|credential|auth|api_?key|\burls?\b|ping_?url", re.IGNORECASE
)
"""Names whose values are never shown."""
_WAY_OUT = re.compile(r"egr|prox", re.IGNORECASE)
"""Names, misspelt ones too, whose values may hold credentials next to a host worth showing."""
_ODD_SCHEME = re.compile(
    r"(?<![A-Za-z0-9+.-])"
    r"(?!(?:https?|tcp|tls|stun|ntp|dns|socks5?|connect|postgres|[a-z+]*sql[a-z0-9+]*)://)"
    r"[A-Za-z][A-Za-z0-9+.-]*://",
    re.IGNORECASE,
)
"""Start of an address of another kind, such as a service's, with a token in its path."""
_SCHEME = re.compile(r"[A-Za-z0-9+.-]+:/{0,2}")
_HOST_AND_PORT = re.compile(r"(?:\[[^\]]*\]|[^:/?#\s]*)(?::\d+(?![^/]))?")
_HARMLESS = re.compile(r"(?:source:[0-9A-Fa-f:.%/]*|interface:\S*|direct)")
_HIDDEN = "****"
_SHOWN_LENGTH = 80


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake: its position, the value there, and what would be right."""

    file: str
    line: int = 0
    """Line number from 1; 0 for a mistake without a line."""
    column: int = 0
    """Column from 1, for text that is not TOML; 0 otherwise."""
    key: str = ""
    """Such as `vantage[2].egress`, list entries counted from 1; empty for the whole file."""
    value: str = ""
    """The value in the file, without credentials; empty when there is none."""
    wrong: str = ""
    """What is wrong, where key and value alone do not show it: `is missing`."""
    remedy: str
    """What would be right."""
    excerpt: str = ""
    """The line itself with a mark under the place, for text that is not TOML."""

    def __str__(self) -> str:
        """`file:line: key = value → what would be right`."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        setting = " = ".join(part for part in (self.key, self.value) if part)
        mistake = " ".join(part for part in (setting, self.wrong) if part)
        return f"{place}: {mistake} → {self.remedy}{self.excerpt and chr(10) + self.excerpt}"


class ConfigError(Exception):
    """A file that cannot be used. `problems` holds every reason, in the file's order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def key_text(path: KeyPath) -> str:
    """`path` as people write it: `vantage[2].egress`, list entries counted from 1."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            name = part if _BARE_KEY.fullmatch(part) else _quoted(part)
            text += f".{name}" if text else name
    return text


def value_text(value: object, key: str = "") -> str:
    """`value` much as the file has it, shortened, and without credentials.

    `key` is its name: the value of a key like `password` is never shown.
    """
    if isinstance(value, str):
        return _quoted(hide_credentials(value, key))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table" if value else "an empty table"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "[]"
    return _short(str(value))


def hide_credentials(text: str, key: str = "") -> str:
    """`text`, the value of `key`, without anything that may be a user name or a password.

    A proxy is `scheme://user:password@host:port`, and people misspell it in many ways, so only the
    scheme, a host and a port of an egress are kept.
    """
    if _SECRET.search(key):
        return _HIDDEN
    if _HARMLESS.fullmatch(text):
        return text
    if "@" not in text and not _WAY_OUT.search(key):
        odd = _ODD_SCHEME.match(text)
        if odd:
            return f"{odd[0]}{_HIDDEN}"
        name, question, _ = text.partition("?")
        return f"{name}?{_HIDDEN}" if question and "://" in name else text
    scheme = _SCHEME.match(text)
    start = scheme.end() if scheme else 0
    before, at, after = text[start:].rpartition("@")
    return f"{text[:start]}{before and _HIDDEN}{at}{_host_and_port(after)}"


def hide_credentials_in_line(line: str) -> str:
    """A line of a file that is not TOML; a value that may hold credentials is hidden."""
    name, equals, value = line.partition("=")
    colons = value.replace("://", "", 1).count(":")
    hidden = _SECRET.search(line) or _ODD_SCHEME.search(line)
    # An address in a list that spans lines: what it is for stands on another line.
    if "://" in name or (not equals and "://" in line):
        return _HIDDEN
    if "@" in line or hidden or (_WAY_OUT.search(line) and colons > 1):
        return f"{name}{equals} {_HIDDEN}" if equals and "@" not in name else _HIDDEN
    return line


def _host_and_port(text: str) -> str:
    """The host and port that `text` begins with; the rest is hidden."""
    match = _HOST_AND_PORT.match(text)
    kept = match[0] if match else ""
    return kept if kept == text.rstrip("/") else f"{kept}{_HIDDEN}"


def _quoted(text: str) -> str:
    """`text` in quotation marks, on one line, shortened."""
    escaped = text.encode("unicode_escape").decode() if not text.isprintable() else text
    return f'"{_short(escaped)}"'


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"
