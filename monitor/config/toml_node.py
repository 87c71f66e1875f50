"""A value in a TOML file with its position, and the shapes it can be read in.

A shape is any function from a Node to a value. It refuses a value by `raise node.fail(…)`, which
notes the problem. A reader of several values catches `Invalid` between them and goes on, so one
reading finds every mistake.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from monitor.config.toml_problem import ConfigError, KeyPath, Problem, key_text, value_text
from monitor.config.toml_source import TomlSource

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class Invalid(Exception):  # noqa: N818 - control flow between shapes, never shown
    """A value was refused; its problem is noted already."""


class Attempts:
    """Reads several values, goes on after each refusal, and fails at the end."""

    def __init__(self) -> None:
        self._refused: Invalid | None = None

    @contextmanager
    def one(self) -> Iterator[None]:
        """Context for the reading of one value."""
        try:
            yield
        except Invalid as refusal:
            self._refused = refusal

    def finish(self) -> None:
        """Raise Invalid when any value was refused."""
        if self._refused is not None:
            raise self._refused


class Document:
    """One file being read: its source, and the problems noted so far."""

    def __init__(
        self,
        source: TomlSource,
        expand: Callable[[str], str] | None = None,
        elsewhere: Callable[[str], Mapping[str, str]] = lambda _: {},
        *,
        asks_apprise: bool = True,
    ) -> None:
        """`expand` is applied to every text that is read, and raises ValueError with a remedy.

        `elsewhere` maps, for the name of a table, keys of other tables to where they belong.
        `asks_apprise`: whether it can send to an address of notifications.
        """
        self.source = source
        self.problems: list[Problem] = []
        self.expand = expand
        self.elsewhere = elsewhere
        self.asks_apprise = asks_apprise

    @property
    def folder(self) -> Path:
        """The folder of the file; names of files in it are relative to this folder."""
        return Path(self.source.file).parent

    @property
    def root(self) -> "Node":
        """The whole file as one table."""
        return Node(self, (), self.source.data)

    def finish(self) -> None:
        """Raise ConfigError with every problem, in the order of lines, when there is any."""
        if self.problems:
            raise ConfigError(sorted(self.problems, key=lambda problem: problem.line))


class Node:
    """One value of a Document."""

    def __init__(self, document: Document, path: KeyPath, raw: Any) -> None:
        self.document = document
        self.path = path
        self.raw = raw
        """The value as the file has it."""

    @property
    def key(self) -> str:
        """Such as `vantage[2].egress`."""
        return key_text(self.path)

    @property
    def name(self) -> str:
        """The last name in the key: `egress`; empty for the whole file."""
        return next((part for part in reversed(self.path) if isinstance(part, str)), "")

    @property
    def value(self) -> Any:
        """The value with `${NAME}` replaced. Raises Invalid."""
        if self.document.expand is None or not isinstance(self.raw, str):
            return self.raw
        try:
            return self.document.expand(self.raw)
        except ValueError as error:
            raise self.fail(str(error)) from None

    @property
    def given_by_environment(self) -> bool:
        """Whether the value comes from the environment, so that no problem may repeat it."""
        return self.document.expand is not None and isinstance(self.raw, str) and "${" in self.raw

    def parsed(self, parse: Callable[[str], T]) -> T:
        """The text, parsed. The parser's ValueError says what would be right. Raises Invalid.

        A second argument of that error may repeat parts of the text, as an example.
        """
        try:
            return parse(text(self))
        except ValueError as error:
            remedy = error.args[:1] if self.given_by_environment else error.args
            raise self.fail(": ".join(map(str, remedy))) from None

    def fail(self, remedy: str, *, wrong: str = "") -> Invalid:
        """Note that this value is wrong, and return what to raise."""
        shown = not (wrong and isinstance(self.raw, dict | list))
        value = value_text(self.raw, self.name) if shown else ""
        return self._note(self.path, value, wrong, remedy)

    def lack(self, name: str, remedy: str, *, wrong: str = "is missing") -> Invalid:
        """Note that `name` is missing from this table, and return what to raise."""
        return self._note((*self.path, name), "", wrong, remedy)

    def _note(self, path: KeyPath, value: str, wrong: str, remedy: str) -> Invalid:
        source = self.document.source
        problem = Problem(
            file=source.file,
            line=source.line(path),
            key=key_text(path),
            value=value,
            wrong=wrong,
            remedy=remedy,
        )
        if problem not in self.document.problems:
            self.document.problems.append(problem)
        return Invalid(str(problem))

    def table(self) -> dict[str, "Node"]:
        """The values of a table by name. Raises Invalid."""
        if not isinstance(self.raw, dict):
            listed = any(isinstance(part, int) for part in self.path)
            example = "{ … }" if listed else f"[{self.key}]"
            raise self.fail(f"a table of settings: {example} and its settings below it")
        return {name: Node(self.document, (*self.path, name), v) for name, v in self.raw.items()}

    def entries(self) -> list["Node"]:
        """The entries of a list. Raises Invalid."""
        if not isinstance(self.raw, list):
            raise self.fail("a list in square brackets, entries separated by commas")
        return [Node(self.document, (*self.path, i), entry) for i, entry in enumerate(self.raw)]


Shape = Callable[[Node], T]
Shapes = Mapping[str, Shape[Any]]
"""The keys of a table, each with its shape."""


def read_table(
    node: Node,
    shapes: Shapes,
    *,
    required: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Every given key, in its shape. Raises Invalid after noting every problem.

    `required` maps each mandatory key to an example.
    """
    table = node.table()
    name_of_table = ".".join(part for part in node.path if isinstance(part, str))
    elsewhere = node.document.elsewhere(name_of_table)
    attempts = Attempts()
    values = {}
    for name, child in table.items():
        with attempts.one():
            if name not in shapes:
                remedy = _where(name, shapes, elsewhere)
                raise child.fail(remedy, wrong="is not a setting shutwatch knows")
            values[name] = shapes[name](child)
    for name, remedy in (required or {}).items():
        with attempts.one():
            if name not in table:
                raise node.lack(name, remedy)
    attempts.finish()
    return values


def _where(name: str, known: Iterable[str], elsewhere: Mapping[str, str]) -> str:
    """The remedy for a key that is not known here."""
    if name in elsewhere:
        meant = next((one for one in known if _singular(one) == _singular(name)), "")
        belongs = f"belongs {elsewhere[name]}"
        return f'did you mean "{meant}"? {name} itself {belongs}' if meant else f"it {belongs}"
    return did_you_mean(name, known) or f"remove it, or use one of: {', '.join(known)}"


def _singular(name: str) -> str:
    return re.sub(r"(ies|y|s)$", "", name)


def close_to(name: str, known: Iterable[str]) -> str:
    """The known name that looks most like `name`; empty for none."""
    plain = {re.sub(r"[^a-z0-9]", "", candidate.lower()): candidate for candidate in known}
    close = difflib.get_close_matches(re.sub(r"[^a-z0-9]", "", name.lower()), plain, 1, 0.7)
    return plain[close[0]] if close else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean …?`, or empty when nothing known looks like `name`."""
    close = close_to(name, known)
    return f'did you mean "{close}"?' if close else ""


def suggestion(name: str, known: Collection[str]) -> str:
    """What to write instead of `name`: the known name that looks like it, or one of all."""
    return did_you_mean(name, known) or f"one of {', '.join(sorted(known))}"


def named(read: Callable[[str, Node], T]) -> Shape[dict[str, T]]:
    """A table whose keys the author chooses; `read` gets each key and its value."""

    def read_all(node: Node) -> dict[str, T]:
        attempts = Attempts()
        values = {}
        for name, child in node.table().items():
            with attempts.one():
                values[name] = read(name, child)
        attempts.finish()
        return values

    return read_all


def listed(shape: Shape[T], *, distinct: bool = True) -> Shape[tuple[T, ...]]:
    """A list, every entry in `shape`, none twice."""

    def read(node: Node) -> tuple[T, ...]:
        attempts = Attempts()
        values: list[T] = []
        for entry in node.entries():
            with attempts.one():
                value = shape(entry)
                if distinct and value in values:
                    raise entry.fail("remove one of the two", wrong="is listed twice")
                values.append(value)
        attempts.finish()
        return tuple(values)

    return read


def text(node: Node) -> str:
    """Text on one line, which may be empty."""
    value = node.value
    if not isinstance(value, str):
        example = value if isinstance(value, int | float) else "…"
        raise node.fail(f'text in quotation marks: {node.name or "value"} = "{example}"')
    if not value.isprintable():
        raise node.fail("text on one line, without control characters")
    return value


def filled(node: Node) -> str:
    """Text on one line, not empty."""
    value = text(node)
    if not value.strip():
        raise node.fail("text that is not empty")
    return value


def flag(node: Node) -> bool:
    """true or false."""
    if not isinstance(node.raw, bool):
        raise node.fail("true or false, without quotation marks")
    return node.raw


def whole(minimum: int, maximum: int) -> Shape[int]:
    """A whole number within bounds, both included."""
    return _within(f"a whole number from {minimum} to {maximum}", int, minimum, maximum)


def number(minimum: float, maximum: float) -> Shape[float]:
    """A number within bounds, both included."""
    within = _within(f"a number from {minimum:g} to {maximum:g}", int | float, minimum, maximum)
    return lambda node: float(within(node))


def _within(remedy: str, kind: Any, minimum: float, maximum: float) -> Shape[Any]:
    def read(node: Node) -> Any:
        right = isinstance(node.raw, kind) and not isinstance(node.raw, bool)
        if not right or not minimum <= node.raw <= maximum:
            raise node.fail(f"{remedy}, without quotation marks")
        return node.raw

    return read


def member(words: type[E]) -> Shape[E]:
    """One word of an enumeration."""
    word = one_of([one.value for one in words])
    return lambda node: words(word(node))


def parsed(parse: Callable[[str], T]) -> Shape[T]:
    """Text that `parse` reads, which raises ValueError as `Node.parsed` expects it."""
    return lambda node: node.parsed(parse)


def optional(shape: Shape[T], absent: T) -> Shape[T]:
    """A text in that shape; `absent` for empty text."""
    return lambda node: shape(node) if text(node) else absent


def one_of(words: Collection[str]) -> Shape[str]:
    """One of a few words."""

    def read(node: Node) -> str:
        value = text(node)
        if value not in words:
            raise node.fail("one of " + ", ".join(f'"{word}"' for word in words))
        return value

    return read
