"""The document as a PDF for print, by fpdf2: letters of Arabic script are joined and run from
right to left, and a document in such a language runs so as a whole."""

import logging
from collections.abc import Iterable
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from monitor.charts.letters import characters, families, fit, font_files
from monitor.report.document import Block, Bullets, Document, Facts, Heading, Para, Picture, Table
from monitor.report.names_between_marks import unmarked
from monitor.report.optional_libraries import library
from monitor.wording.languages import Language

_INK, _RED, _GREY, _SOFT = (26, 26, 26), (143, 16, 34), (90, 90, 90), (243, 243, 241)
_MARGIN = 18
_CAPTION = 14
"""Room below a picture, mm."""
_TALLEST = 230
"""Millimetres of a picture that fit on a page with its heading and caption."""
_ALL_PAGES = "\ue002" * 3
"""Stands for the number of pages: no font has this character, so `fit` lets it into no text."""


def render(document: Document, folder: Path, generated_at: datetime) -> bytes:
    """The PDF; charts are taken from `folder`. Raises MissingExtraError."""
    library("uharfbuzz")
    # It logs every character that the font lacks; those are replaced before.
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    pages = _Pages(document, folder, generated_at)
    for block, following in zip_longest(document.blocks, document.blocks[1:]):
        pages.add(block, following)
    return pages.finish()


def add_fonts(
    pdf: Any, language: Language, texts: Iterable[str] | None = None
) -> tuple[str, frozenset[int]]:
    """Give a PDF the fonts of a language: all of them, or those that `texts` need. Returns their
    family, and the characters that all of the fonts have. Raises OSError where a font is not
    there."""
    first, *others = families(rtl=language.direction == "rtl")
    if texts is not None:
        rest = {ord(one) for text in texts for one in text} - characters(first)
        others = [family for family in others if rest & characters(family)]
    for family, bold, file in font_files():
        if family in (first, *others):
            pdf.add_font(family, "B" if bold else "", file)
    pdf.set_fallback_fonts(others, exact_match=False)
    # By the document's language: a line that begins with a name in another script still runs in
    # the direction of its sentence.
    pdf.set_text_shaping(True, direction=language.direction)
    return first, frozenset[int]().union(*map(characters, families(rtl=False)))


class _Pages:
    def __init__(self, document: Document, folder: Path, generated_at: datetime) -> None:
        fpdf = library("fpdf")
        self._fonts = library("fpdf.fonts")
        self._folder = folder

        class Paper(fpdf.FPDF):  # type: ignore[misc, name-defined] # loaded when first needed
            def footer(paper) -> None:  # noqa: N805
                # The page may have ended inside a list, with another margin.
                paper.set_xy(_MARGIN, -12)
                paper.set_font(self._family, size=7)
                paper.set_text_color(*_GREY)
                paper.cell(0, 5, self._fit(document.footer), align=self._align)
                paper.set_x(_MARGIN)
                # The number of all pages is filled in later, which shaped text would hide.
                number = f"{paper.page_no()}" if self._rtl else f"{paper.page_no()} / {_ALL_PAGES}"
                paper.cell(0, 5, number, align="L" if self._rtl else "R")

        pdf = Paper(format="A4")
        self._pdf = pdf
        pdf.alias_nb_pages(_ALL_PAGES)
        self._rtl = document.language.direction == "rtl"
        self._align = "R" if self._rtl else "L"
        self._family, self._known = add_fonts(pdf, document.language)
        pdf.set_creation_date(generated_at)
        pdf.set_title(unmarked(document.title))
        pdf.set_subject(unmarked(document.subtitle))
        pdf.set_producer("shutwatch")
        pdf.set_lang(document.language.code)
        pdf.set_margins(_MARGIN, 16, _MARGIN)
        pdf.set_auto_page_break(True, 18)
        pdf.add_page()
        pdf.set_text_color(*_INK)
        self._write(document.title, 16.5, bold=True, height=7.5)
        self._write(document.subtitle, 9, height=5)
        pdf.set_draw_color(*_RED)
        pdf.set_line_width(0.8)
        pdf.line(_MARGIN, pdf.get_y() + 1, pdf.w - _MARGIN, pdf.get_y() + 1)
        pdf.ln(3)

    def _fit(self, text: str) -> str:
        return fit(unmarked(text), self._known)

    def _write(self, text: str, size: float, *, bold: bool = False, height: float = 5) -> None:
        self._pdf.set_font(self._family, "B" if bold else "", size)
        self._pdf.multi_cell(
            0, height, self._fit(text), align=self._align, new_x="LMARGIN", new_y="NEXT"
        )

    def add(self, block: Block, following: Block | None = None) -> None:
        """Write a block; a heading stays on one page with what follows it."""
        pdf = self._pdf
        match block:
            case Heading():
                picture = following if isinstance(following, Picture) else None
                self._keep(34 if picture is None else 14 + self._size(picture)[1] + _CAPTION)
                self._heading(block)
            case Para(lead=True):
                self._lead(block.text)
            case Para():
                self._write(block.text, 9, height=4.6)
                pdf.ln(1.5)
            case Bullets():
                for item in block.items:
                    self._bullet(item)
                pdf.ln(1.5)
            case Facts():
                self._table(("", ""), block.rows, (18, 82), headed=False)
            case Table():
                self._keep(24)
                self._write(block.caption, 8.5, bold=True, height=4.4)
                pdf.ln(0.8)
                self._table(block.header, block.rows, block.widths)
            case Picture():
                self._picture(block)

    def _keep(self, height: float) -> None:
        """Begin a new page when so many millimetres do not fit on this one."""
        if self._pdf.will_page_break(height):
            self._pdf.add_page()

    def _heading(self, heading: Heading) -> None:
        self._pdf.ln(4 if heading.level == 2 else 2)
        self._pdf.set_text_color(*(_RED if heading.level == 2 else _INK))
        self._pdf.start_section(unmarked(self._fit(heading.text)), level=heading.level - 2)
        self._write(heading.text, 13 if heading.level == 2 else 10.5, bold=True, height=6.5)
        self._pdf.set_text_color(*_INK)
        self._pdf.ln(1)

    def _lead(self, text: str) -> None:
        pdf = self._pdf
        self._keep(16)
        top, page = pdf.get_y(), pdf.page_no()
        self._indented(text, 11, 5.6)
        if pdf.page_no() == page:
            pdf.set_draw_color(*_RED)
            pdf.set_line_width(1.1)
            x = pdf.w - _MARGIN - 1 if self._rtl else _MARGIN + 1
            pdf.line(x, top, x, pdf.get_y())
        pdf.ln(2)

    def _indented(self, text: str, size: float, height: float) -> None:
        """A paragraph with room at the side where its lines begin."""
        pdf = self._pdf
        set_margin = pdf.set_right_margin if self._rtl else pdf.set_left_margin
        set_margin(_MARGIN + 4)
        pdf.set_x(pdf.l_margin)
        self._write(text, size, height=height)
        set_margin(_MARGIN)
        pdf.set_x(_MARGIN)

    def _bullet(self, text: str) -> None:
        pdf = self._pdf
        pdf.set_font(self._family, "", 9)
        pdf.set_x(pdf.w - _MARGIN - 4 if self._rtl else _MARGIN)
        pdf.cell(4, 4.6, "•")
        self._indented(text, 9, 4.6)
        pdf.ln(0.8)

    def _table(
        self,
        header: tuple[str, ...],
        rows: tuple[tuple[str, ...], ...],
        widths: tuple[int, ...],
        *,
        headed: bool = True,
    ) -> None:
        pdf = self._pdf
        pdf.set_font(self._family, "", 7.6)
        pdf.set_draw_color(190, 190, 190)
        pdf.set_line_width(0.15)
        style = self._fonts.FontFace(emphasis="BOLD", fill_color=_SOFT)
        # The first column is at the side where lines begin.
        order = slice(None, None, -1) if self._rtl else slice(None)
        naming = len(widths) - 1 if self._rtl else 0
        with pdf.table(
            col_widths=widths[order],
            first_row_as_headings=headed,
            headings_style=style,
            line_height=4,
            padding=1,
            text_align="RIGHT" if self._rtl else "LEFT",
            v_align="TOP",
            borders_layout="ALL",
        ) as table:
            if headed:
                table.row([self._fit(cell) for cell in header[order]])
            for cells in rows:
                row = table.row()
                for number, cell in enumerate(cells[order]):
                    bold = self._fonts.FontFace(emphasis="BOLD") if number == naming else None
                    row.cell(self._fit(cell), style=bold)
        pdf.ln(3)

    def _size(self, picture: Picture) -> tuple[float, float]:
        """Width and height of a picture, mm: as wide as the text unless a page is too short."""
        with library("PIL.Image").open(self._folder / f"{picture.name}.png") as image:
            shape = image.height / image.width
        width = min(self._pdf.w - 2 * _MARGIN, _TALLEST / shape)
        return width, width * shape

    def _picture(self, picture: Picture) -> None:
        pdf = self._pdf
        width, height = self._size(picture)
        self._keep(height + _CAPTION)
        file, x = self._folder / f"{picture.name}.png", (pdf.w - width) / 2
        pdf.image(file, x=x, w=width, alt_text=unmarked(picture.alt)[:2000])
        pdf.ln(1)
        pdf.set_text_color(*_GREY)
        self._write(picture.caption, 8, height=4.2)
        pdf.set_text_color(*_INK)
        pdf.ln(2)

    def finish(self) -> bytes:
        return bytes(self._pdf.output())
