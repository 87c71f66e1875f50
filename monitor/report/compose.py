"""From findings to the document: what, where, when, the evidence, and what it does not show.

The document says nothing that the findings do not hold, and nothing about who is behind a block.
"""

from monitor.report.contents import files, method
from monitor.report.context import history, people, related_events, second_witnesses
from monitor.report.document import Block, Document, Para
from monitor.report.findings import Findings, Imprint
from monitor.report.limitations import limits
from monitor.report.names_between_marks import report_words
from monitor.report.proof import how
from monitor.report.summary import headline, share, summary, where
from monitor.report.tables import short


def document(findings: Findings, imprint: Imprint) -> Document:
    """The whole report."""
    wanted, title = findings.wanted, imprint.title
    words = report_words(imprint.language)
    blocks: list[Block] = [
        *([Para(text=words.draft)] if words.draft else []),
        *summary(words, findings, title),
        *where(words, findings),
        *share(words, findings, title),
        *how(words, findings),
        *limits(words, findings, title),
        *related_events(words, findings, title),
        *second_witnesses(words, findings),
        *people(words, findings),
        *history(words, findings),
        *method(words, findings, imprint),
        *files(words, findings, imprint),
    ]
    return Document(
        language=imprint.language,
        title=headline(words, findings, title),
        subtitle=words.gettext(
            "Report on %(platform)s in %(country)s, %(since)s to %(until)s UTC",
            platform=words.name(title, 60),
            country=words.country(wanted.country),
            since=short(words, wanted.since),
            until=short(words, wanted.until),
        ),
        blocks=tuple(blocks),
        footer=words.gettext(
            "shutwatch %(version)s · rules %(rules)s · made %(when)s UTC · key %(key)s…",
            version=imprint.version,
            rules=", ".join(findings.rules_versions) or "—",
            when=short(words, imprint.generated_at),
            key=imprint.fingerprint[:16],
        ),
        table=words.gettext("Table"),
    )
