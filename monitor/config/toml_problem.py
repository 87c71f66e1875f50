"""One mistake in a TOML file, told so that whoever wrote the file can put it right."""

import re

import msgspec

KeyPath = tuple[str | int, ...]
"""Where a value stands: table and key names, and positions in arrays counted from 0."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SECRET = re.compile(
    r"pass|pwd|secret|token|credential|auth|api_?key|\burls?\b|ping_?url", re.IGNORECASE
)
"""Names whose values are never shown."""
_WAY_OUT = re.compile(r"egr|prox", re.IGNORECASE)
"""Names, rightly spelt or not, whose values may hold credentials beside what is worth showing."""
_ODD_SCHEME = re.compile(
    r"(?<![A-Za-z0-9+.-])"
    r"(?!(?:https?|tcp|tls|stun|dns|socks5?|connect|postgres|[a-z+]*sql[a-z0-9+]*)://)"
    r"[A-Za-z][A-Za-z0-9+.-]*://",
    re.IGNORECASE,
)
"""Begins an address of none of the kinds we know: of a service, say, with a token in its path."""
_SCHEME = re.compile(r"[A-Za-z0-9+.-]+:/{0,2}")
_HOST_AND_PORT = re.compile(r"(?:\[[^\]]*\]|[^:/?#\s]*)(?::\d+(?![^/]))?")
_HARMLESS = re.compile(r"(?:source:[0-9A-Fa-f:.%/]*|interface:\S*|direct)")
_HIDDEN = "****"
_SHOWN_LENGTH = 80


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake: where it is, what stands there and what would be right."""

    file: str
    line: int = 0
    """Line number from 1; 0 when the mistake is in no line."""
    column: int = 0
    """Column from 1, for text that is not TOML; 0 otherwise."""
    key: str = ""
    """Such as `vantage[2].egress`, entries of lists counted from 1; empty for the whole file."""
    value: str = ""
    """The value as it stands in the file, without credentials; empty when there is none."""
    wrong: str = ""
    """What is wrong, where key and value alone do not tell: `is missing`."""
    remedy: str
    """What would be right."""
    excerpt: str = ""
    """The line itself with a mark under the place, for text that is not TOML."""

    def __str__(self) -> str:
        """`file:line: key = value → what would be right`."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        what = " = ".join(part for part in (self.key, self.value) if part)
        told = " ".join(part for part in (what, self.wrong) if part)
        return f"{place}: {told} → {self.remedy}{self.excerpt and chr(10) + self.excerpt}"


def key_text(path: KeyPath) -> str:
    """`path` as people write it: `vantage[2].egress`, entries of lists counted from 1."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            name = part if _BARE_KEY.fullmatch(part) else _quoted(part)
            text += f".{name}" if text else name
    return text


def value_text(value: object, key: str = "") -> str:
    """`value` much as it stands in the file, shortened, and without credentials.

    `key` is its name: what a name like `password` holds is never shown.
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
    """`text`, found under the name `key`, without what could be a user name or a password.

    Proxies are written `scheme://user:password@host:port`, and by mistake in many other ways,
    so of a way out only the scheme, a host and a port are ever kept.
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
    """A line of a file that is not TOML, with its value hidden where that may hold credentials."""
    name, equals, value = line.partition("=")
    colons = value.replace("://", "", 1).count(":")
    hidden = _SECRET.search(line) or _ODD_SCHEME.search(line)
    if "@" in line or hidden or (_WAY_OUT.search(line) and colons > 1):
        return f"{name}{equals} {_HIDDEN}" if equals and "@" not in name else _HIDDEN
    return line


def _host_and_port(text: str) -> str:
    """The host and port that `text` begins with; whatever follows them is hidden."""
    match = _HOST_AND_PORT.match(text)
    kept = match[0] if match else ""
    return kept if kept == text.rstrip("/") else f"{kept}{_HIDDEN}"


def _quoted(text: str) -> str:
    """`text` in quotation marks, on one line, shortened."""
    escaped = text.encode("unicode_escape").decode() if not text.isprintable() else text
    return f'"{_short(escaped)}"'


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"
