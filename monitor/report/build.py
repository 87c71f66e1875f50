"""From the store to a signed archive."""

import hashlib
import tempfile
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor import __version__
from monitor.export.output_file import filled_file
from monitor.keys.keys import fingerprint, public_text
from monitor.report import charts, html, pdf
from monitor.report.archive import Manifest, manifest_text, write_archive
from monitor.report.collect import gather
from monitor.report.compose import document
from monitor.report.findings import Findings, Imprint, Wanted
from monitor.report.log_file import LOG
from monitor.report.names_between_marks import report_words
from monitor.report.optional_libraries import library
from monitor.wording.coverage import coverage_headline
from monitor.wording.languages import ENGLISH, Language
from monitor.wording.words import words_in
from storage.store import CollectorStore
from storage.values.log import HeadStamp
from storage.values.times import time_text

HTML, PDF, README = "report.html", "report.pdf", "README.txt"


class Made(msgspec.Struct, frozen=True):
    """A report that was written."""

    manifest: Manifest
    findings: Findings
    headline: str


class NothingKnownError(Exception):
    """Nothing was decided, so a report would have nothing to say. The message says why."""


async def build(
    store: CollectorStore,
    wanted: Wanted,
    out: Path,
    key: Ed25519PrivateKey,
    *,
    title: str,
    interval: float,
    generated_at: datetime,
    language: Language = ENGLISH,
    even_if_nothing_known: bool = False,
) -> Made:
    """Write the report to `out`, whole or not at all. `title` is the platform's own name,
    `interval` the seconds between two cycles.

    Raises MissingExtraError before anything is read, StorageError, TooLargeError, OSError, and
    NothingKnownError where there is neither an event nor a decided verdict, unless
    `even_if_nothing_known`.
    """
    for needed in ("resvg_py", "fpdf", "uharfbuzz"):
        library(needed)
    with (
        filled_file(out) as whole,
        # In the folder of the report: that disk has room for it.
        tempfile.TemporaryDirectory(prefix=".shutwatch-", dir=whole.parent) as name,
    ):
        folder = Path(name)
        findings = await gather(store, wanted, folder, interval)
        if findings.nothing_known and not even_if_nothing_known:
            raise NothingKnownError(
                coverage_headline(words_in(), findings.coverage, controls=wanted.controls)
            )
        public = public_text(key)
        imprint = Imprint(
            version=__version__,
            generated_at=generated_at,
            fingerprint=fingerprint(public),
            title=title,
            language=language,
        )
        drawn = charts.draw(report_words(language), findings, folder, title)
        page = document(findings, imprint)
        (folder / HTML).write_bytes(html.render(page, folder))
        (folder / PDF).write_bytes(pdf.render(page, folder, generated_at))
        (folder / README).write_text(_readme(imprint), encoding="utf-8")
        data = sorted(f"data/{path.name}" for path in (folder / "data").iterdir())
        names = [README, LOG, PDF, HTML, *drawn, *data]
        about = {
            "made_by": f"shutwatch {__version__}",
            "rules_versions": findings.rules_versions,
            "generated_at": time_text(generated_at),
            "country": wanted.country,
            "platform": wanted.platform,
            "since": time_text(wanted.since),
            "until": time_text(wanted.until),
        }
        manifest = write_archive(whole, folder, names, about, key)
    # The log cannot be rewritten before this head without whoever has the report noticing.
    given = HeadStamp(
        size=findings.log.size,
        root=findings.log.root,
        kind="report",
        authority=hashlib.sha256(manifest_text(manifest)).hexdigest(),
        at=generated_at,
    )
    await store.add_head_stamp(given)
    return Made(manifest, findings, page.title)


def _readme(imprint: Imprint) -> str:
    return f"""This is a report made by shutwatch {imprint.version}.

report.pdf    to read and to print
report.html   the same as a web page; it loads nothing from anywhere
charts/       the pictures, PNG and SVG
data/         what it rests on; data/dictionary.csv says what every column means
log.json      the head of the installation's append-only log, and how it continues earlier ones
MANIFEST.json every file with its SHA-256, and the key that signed it
MANIFEST.sig  the signature
seals/        where there are any: what others sign or stamp about MANIFEST.json

To see that nothing was changed, offline:

    shutwatch verify report.zip --key {imprint.fingerprint}

This fingerprint is only worth something when you have it from somewhere else
than this file: from those who made the report.
"""
