"""The last part: how the report was made, what is enclosed, and how to check it."""

from collections.abc import Iterator, Mapping

from monitor.analysis.events.stretches import stretches
from monitor.keys.keys import grouped
from monitor.report.batches import BATCHES, KEYS
from monitor.report.document import Block, Heading, Para, Table
from monitor.report.findings import Findings, Imprint
from monitor.report.signatures_text import how_much_is_signed
from monitor.report.tables import MOST_STRETCHES
from monitor.wording.languages import N_
from monitor.wording.no_rows import NoRows, no_rows_text
from monitor.wording.words import Words


def method(words: Words, findings: Findings, imprint: Imprint) -> Iterator[Block]:
    """How the report was made, and how to cite it."""
    yield Heading(words.gettext("Method and version"))
    yield Para(
        words.gettext(
            "Made by shutwatch %(version)s, free software that anybody can run. Verdicts by rules "
            "version %(rules)s. Failures are named by OONI's strings. An event is opened when a "
            "sequential test over the verdicts finds a block likelier than chance within a fixed "
            "budget of false alarms, and confirmed at a stricter limit.",
            version=imprint.version,
            rules=", ".join(findings.rules_versions) or "—",
        )
    )
    story = findings.main_story
    cited = words.gettext(
        "shutwatch %(version)s, report on %(platform)s in %(country)s, %(day)s",
        version=imprint.version,
        platform=words.name(imprint.title, 60),
        country=words.country(findings.wanted.country),
        day=words.day(imprint.generated_at),
    )
    if story is not None:
        event = words.gettext("event %(id)s", id=words.ltr(story.event.id))
        cited = words.listed([cited, event])
    yield Para(words.gettext("To cite: %(citation)s.", citation=cited))


_FILES: Mapping[str, str] = {
    "data/events.csv": N_("All events of this time, one in each row"),
    "data/stretches.csv": N_("Each blocked stretch, by country and network"),
    "data/verdicts.csv": N_("The verdict on each address, network and cycle, with its rule"),
    "data/timeline.csv": N_("The numbers of the charts"),
    "data/availability.csv": N_("Availability by hour, with its definition in every row"),
    "data/measurements.csv": N_("Each test around the start and the end, with its control tests"),
    "data/measurements.jsonl": N_("The same with every observation, one JSON object in each line"),
    "data/ooni.jsonl": N_("The same in OONI's data format"),
    "data/dictionary.csv": N_("What every column means"),
    "data/datapackage.json": N_("The same for programs: a Frictionless Data Package"),
}
_SIGNED: Mapping[str, str] = {
    BATCHES: N_("What agents sent, as it was signed, one batch in each line"),
    KEYS: N_("The public keys that signed it"),
}


def files(words: Words, findings: Findings, imprint: Imprint) -> Iterator[Block]:
    """What is enclosed, and how to check it."""
    there = {**_FILES, **_SIGNED} if findings.signed.enclosed else _FILES
    yield Heading(words.gettext("What is enclosed, and how to check it"))
    yield Table(
        words.gettext("Data files next to this document."),
        (words.gettext("File"), words.gettext("Contents"), words.gettext("Rows")),
        tuple(
            (
                words.ltr(file),
                _contents(words, what, findings.no_rows.get(file)),
                words.number(findings.rows.get(file, 0)),
            )
            for file, what in there.items()
        ),
        (32, 54, 14),
    )
    yield Para(" ".join(_measurements(words, findings)))
    if signed := how_much_is_signed(words, findings.signed):
        yield Para(signed)
    yield Para(_log(words, findings))
    yield Para(
        words.gettext(
            "MANIFEST.json lists every file with its SHA-256 and is signed. The command "
            "“%(command)s” finds any changed byte, offline. The fingerprint of the key that "
            "signed it:",
            command=words.ltr("shutwatch verify FILE --key FINGERPRINT"),
        )
    )
    yield Para(words.ltr(grouped(imprint.fingerprint)), lead=True)
    yield Para(
        words.gettext(
            "A signature shows that the report is as this installation made it. Whose installation "
            "it is, only somebody who knows the fingerprint from elsewhere can say."
        )
    )


def _log(words: Words, findings: Findings) -> str:
    """The head of the append-only log, in print, where nobody can exchange it."""
    entries = words.ngettext("%(n)s entry", "%(n)s entries", findings.log.size)
    return words.gettext(
        "This installation keeps an append-only log of what agents sign and of their keys. When "
        "this report was made it had %(entries)s and this head: %(head)s. Later reports must "
        "continue it.",
        entries=entries,
        head=words.ltr(findings.log.root),
    )


def _contents(words: Words, what: str, why: NoRows | None) -> str:
    text = words.gettext(what)
    return text if why is None else f"{text}. {no_rows_text(words, why)}"


def _measurements(words: Words, findings: Findings) -> Iterator[str]:
    if findings.wanted.all_measurements:
        yield words.gettext("Raw measurements are enclosed for the whole time of the report.")
    elif findings.stories:
        yield words.gettext(
            "Raw measurements are enclosed for the hour before and after each start and each end."
        )
        if any(len(stretches(story.event)) > MOST_STRETCHES for story in findings.stories):
            yield words.gettext(
                "Of an event with many stretches, only those around the first and the last ones "
                "are enclosed."
            )
        if findings.stories_omitted:
            yield words.gettext("Of events that are not listed above, none are enclosed.")
    else:
        yield words.gettext("Raw measurements are enclosed for the last hour.")
    if not findings.rows.get("data/measurements.csv"):
        yield words.gettext(
            "None is stored for those times: measurements are kept for a limited time only."
        )
    if findings.wanted.with_vantages:
        yield words.gettext("Vantages are named.")
    else:
        yield words.gettext(
            "No vantage is named more closely than by its network, and no file holds its address."
        )
