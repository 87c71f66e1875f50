"""The signed report as a PDF: its text, read back from the file, has every word of the document."""

import re
import subprocess
import unicodedata
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from monitor.report.compose import document
from monitor.report.document import Picture
from monitor.report.findings import Imprint
from monitor.report.names_between_marks import unmarked
from monitor.report.pdf import render
from monitor.wording.failures_and_methods import METHODS
from monitor.wording.languages import BY_CODE, Language
from probes.failure_strings import Failure
from probes.measurement import TcpObservation
from tests.contract.cycles import measurement
from tests.unit.monitor.wording.test_same_words_everywhere import findings_of, texts
from tests.worlds.notify_world import block
from tests.worlds.report_world import MADE_AT

pytestmark = pytest.mark.pdf


def pieces(text: str, language: Language) -> Counter[str]:
    """The words of a text. Of scripts whose letters are joined the letters: a PDF holds the joined
    forms, which a reader of PDFs cannot always join to words again.
    """
    plain = unicodedata.normalize("NFKC", unmarked(text))
    return Counter(re.findall(r"\w" if language.direction == "rtl" else r"\w+", plain))


def text_of(file: Path) -> str:
    """The text of a PDF, page by page, as it is laid out."""
    return subprocess.run(
        ["pdftotext", "-layout", file, "-"], check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize("code", ["en", "ru", "fa"])
async def test_the_pdf_has_every_word_of_the_report(code: str, tmp_path: Path) -> None:
    """With every method and every failure. Charts are pictures, and their captions are left out.

    One language for each font and direction: `test_report.py` knows the letters of all.
    """
    language = BY_CODE[code]
    failed = [
        msgspec.structs.replace(
            measurement(f"f-{failure}", 1.0),
            observations=(
                TcpObservation(
                    start=0.0, duration=0.1, failure=failure, address="192.0.2.1", port=443
                ),
            ),
        )
        for failure in Failure
    ]
    findings = await findings_of(tmp_path, block(methods=tuple(METHODS)), *failed)
    imprint = Imprint(
        version="1", generated_at=MADE_AT, fingerprint="ab" * 32, title="X", language=language
    )
    made = document(findings, imprint)
    shown = tuple(one for one in made.blocks if not isinstance(one, Picture))
    made = msgspec.structs.replace(made, blocks=shown)
    file = tmp_path / "report.pdf"
    file.write_bytes(render(made, tmp_path, MADE_AT))
    read = text_of(file)
    wanted = "\n".join([made.title, made.subtitle, *texts(msgspec.to_builtins(shown))])
    assert pieces(wanted, language) - pieces(read, language) == Counter()
