"""The end: with what it was made, what is enclosed, and how to check it."""

from collections.abc import Iterator

from monitor.keys.keys import grouped
from monitor.report import words
from monitor.report.batches import BATCHES, KEYS
from monitor.report.document import Block, Heading, Para, Table
from monitor.report.findings import Findings, Imprint
from monitor.report.foreign_text import name
from monitor.report.signed_words import enclosed_words


def method(findings: Findings, imprint: Imprint) -> Iterator[Block]:
    """With what it was made, and how to cite it."""
    yield Heading("Method and version")
    yield Para(
        f"Made by shutwatch {imprint.version}, free software that anybody can run. Verdicts by "
        f"rules version {', '.join(findings.rules_versions) or '—'}. Failures are named in words "
        "of OONI. An event is opened when a sequential test over the verdicts finds a block "
        "likelier than chance within a fixed budget of false alarms, and confirmed at a stricter "
        "one."
    )
    yield Para(
        f"To cite: shutwatch {imprint.version}, report on {name(imprint.title)} in "
        f"{findings.wanted.country}, {words.day(imprint.generated_at)}"
        + (f", event {story.event.id}" if (story := findings.main_story) else "")
        + "."
    )


_FILES = {
    "data/events.csv": "The events above, one a row",
    "data/verdicts.csv": "What was concluded of each address, network and pass, and by which rule",
    "data/timeline.csv": "What the charts are drawn from",
    "data/availability.csv": "Availability by hour, with its definition in every row",
    "data/measurements.csv": "Each look around the onset and the end, with its control looks",
    "data/measurements.jsonl": "The same with everything that was seen, one JSON object a line",
    "data/ooni.jsonl": "The same in OONI's data format",
    "data/dictionary.csv": "What every column means",
}
_SIGNED = {
    BATCHES: "What agents handed in, as it was sent and signed, one batch a line",
    KEYS: "The public keys that signed it",
}


def files(findings: Findings, imprint: Imprint) -> Iterator[Block]:
    """What is enclosed, and how to check it."""
    there = {**_FILES, **_SIGNED} if findings.signed.enclosed else _FILES
    yield Heading("What is enclosed, and how to check it")
    yield Table(
        "Files of data beside this document.",
        ("File", "What it holds", "Rows"),
        tuple((file, what, f"{findings.rows.get(file, 0):,}") for file, what in there.items()),
        (32, 54, 14),
    )
    around = (
        "for the whole time of the report"
        if findings.wanted.all_measurements
        else "for the hour before and after each onset and each end"
        if findings.stories
        else "for the last hour"
    )
    named = (
        "Vantages are named."
        if findings.wanted.with_vantages
        else "No vantage is named more closely than by its network, and no file holds its address."
    )
    gone = (
        ""
        if findings.rows.get("data/measurements.csv")
        else " None is stored for those times: they are kept for a limited time only."
    )
    yield Para(f"Raw measurements are enclosed {around}.{gone} {named}")
    if signed := enclosed_words(findings.signed):
        yield Para(signed)
    yield Para(
        "MANIFEST.json lists every file with its SHA-256 and is signed. The command “shutwatch "
        "verify FILE --key FINGERPRINT” finds any changed byte, offline. The fingerprint of the "
        "key that signed it:"
    )
    yield Para(grouped(imprint.fingerprint), lead=True)
    yield Para(
        "A signature shows that the report is as this installation made it. Whose installation it "
        "is, only somebody who knows the fingerprint from elsewhere can tell."
    )
