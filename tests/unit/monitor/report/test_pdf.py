"""The report as a PDF: what others wrote stands in it as they wrote it."""

from pathlib import Path

import pypdfium2
import pytest
from PIL import Image

from monitor.report.document import Document, Facts, Heading, Para, Picture
from monitor.report.pdf import render
from monitor.wording.languages import BY_CODE
from tests.worlds.report_world import MADE_AT


@pytest.mark.parametrize("code", ["en", "ar"])
def test_text_of_others_is_not_the_number_of_pages(code: str, tmp_path: Path) -> None:
    """Neither fpdf2's sign for it nor ours is filled in, outside the foot of the page."""
    name = "a {nb} b \ue002\ue002\ue002 c"
    document = Document(
        language=BY_CODE[code],
        title=name,
        subtitle=name,
        blocks=(Heading(name), Para(name), Facts(((name, name),))),
        footer=name,
        table="Table",
    )
    pdf = pypdfium2.PdfDocument(render(document, tmp_path, MADE_AT))
    said = "".join(pdf[0].get_textpage().get_text_range().split())
    assert said.count("{nb}") == said.count("[U+E002]" * 3) == 7
    assert said.endswith("1/1") == (code == "en")


@pytest.mark.parametrize(("wide", "tall"), [(100, 40), (100, 190)])
def test_a_picture_stays_on_its_page(wide: int, tall: int, tmp_path: Path) -> None:
    """With its heading and caption, also a chart of many networks."""
    Image.new("RGB", (wide, tall)).save(tmp_path / "chart.png")
    document = Document(
        language=BY_CODE["en"],
        title="X",
        subtitle="X",
        blocks=(Heading("Where"), Picture("chart", "A chart", "What it shows"), Para("After")),
        footer="X",
        table="Table",
    )
    pdf = pypdfium2.PdfDocument(render(document, tmp_path, MADE_AT))
    page = pdf[len(pdf) - 1]
    (picture,) = page.get_objects(filter=[3])
    left, bottom, right, top = picture.get_bounds()
    assert 0 < left < right < page.get_width()
    assert 30 < bottom < top < page.get_height()
    assert (right - left) / (top - bottom) == pytest.approx(wide / tall, rel=0.01)
    said = page.get_textpage().get_text_range()
    assert "Where" in said
    assert "What it shows" in said
