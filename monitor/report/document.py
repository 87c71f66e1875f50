"""A document as a sequence of blocks, from which the web page and the PDF are made."""

import msgspec

from monitor.wording.languages import Language


class Heading(msgspec.Struct, frozen=True):
    """The title of a section; `level` 2 for a section, 3 for a part of one."""

    text: str
    level: int = 2


class Para(msgspec.Struct, frozen=True):
    """A paragraph; a `lead` one stands out, to be quoted."""

    text: str
    lead: bool = False


class Bullets(msgspec.Struct, frozen=True):
    """A list without order."""

    items: tuple[str, ...]


class Table(msgspec.Struct, frozen=True):
    """Rows under a header; `widths` are parts of the whole. The first cell of a row names it."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]


class Facts(msgspec.Struct, frozen=True):
    """The first questions with their answers."""

    rows: tuple[tuple[str, str], ...]


class Picture(msgspec.Struct, frozen=True):
    """A chart, by the name of its file without the extension."""

    name: str
    alt: str
    """What it shows, for people who do not see it."""
    caption: str


Block = Heading | Para | Bullets | Table | Facts | Picture


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document."""

    language: Language
    title: str
    subtitle: str
    blocks: tuple[Block, ...]
    footer: str
    """On every page."""
    table: str
    """The word "table", for screen readers."""
