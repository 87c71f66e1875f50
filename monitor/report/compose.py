"""From findings to the document: what, where, when, how it is known, and what it does not show.

Nothing is said here that the findings do not hold, and nothing at all about who is behind it.
"""

from monitor.report.contents import files, method
from monitor.report.context import beside, history, people
from monitor.report.document import Block, Document
from monitor.report.findings import Findings, Imprint
from monitor.report.foreign_text import name
from monitor.report.limitations import limits
from monitor.report.proof import how
from monitor.report.summary import headline, share, summary, where
from monitor.report.words import short
from monitor.wording.languages import LANGUAGES, words_in


def document(findings: Findings, imprint: Imprint) -> Document:
    """The whole report."""
    wanted = findings.wanted
    title = name(imprint.title)
    country = words_in(LANGUAGES[0]).country(wanted.country)
    blocks: list[Block] = [
        *summary(findings, title, country),
        *where(findings, country),
        *share(findings, title),
        *how(findings),
        *limits(findings, title, country),
        *beside(findings),
        *people(findings),
        *history(findings),
        *method(findings, imprint),
        *files(findings, imprint),
    ]
    return Document(
        title=headline(findings, title, country),
        subtitle=(
            f"Report on {title} in {country}, {short(wanted.since)} to {short(wanted.until)} UTC"
        ),
        blocks=tuple(blocks),
        footer=(
            f"shutwatch {imprint.version} · rules {', '.join(findings.rules_versions) or 'none'} · "
            f"made {short(imprint.generated_at)} UTC · key {imprint.fingerprint[:16]}…"
        ),
    )
