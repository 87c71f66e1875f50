"""Every message exists in each language, and translation loses nothing."""

import io
import re
from datetime import UTC, datetime
from functools import cache
from inspect import getsource

import msgspec
import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from babel.support import NullTranslations, Translations

from monitor.analysis.events.event import EventKind, EventLogEntry, EventState, NetworkStatus
from monitor.analysis.verdict import Evidence, State, VantageState
from monitor.config.catalog import shipped_catalog
from monitor.wording.catalogs import Text, empty, needed, optional, updated
from monitor.wording.changes import CHANGES
from monitor.wording.durations import interval
from monitor.wording.events import what_happened
from monitor.wording.failures_and_methods import FAILURES
from monitor.wording.functions import FUNCTIONS
from monitor.wording.grades import GRADE_MEANINGS, GRADES
from monitor.wording.html import html_words
from monitor.wording.languages import BY_CODE, LANGUAGES, LOCALES, Language, language_of
from monitor.wording.observations import FOLLOW_UPS, LAYERS
from monitor.wording.reviewed import DRAFT, FIELD, IN_DOUBT, header_fields
from monitor.wording.reviews import ANNOTATION_KINDS, MARKS
from monitor.wording.states import (
    EVENT_STATE_MEANINGS,
    EVENT_STATES,
    KINDS,
    NO_DATA,
    STATE_MEANINGS,
    STATES,
)
from monitor.wording.times import between, moment
from monitor.wording.vantage_health import VANTAGE_MEANINGS, VANTAGE_STATES
from monitor.wording.words import Words, words_in
from probes.failure_strings import Failure
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Layer
from storage.values.reviews import AnnotationKind, Mark
from tests.worlds.notify_world import shutdown

OTHERS = [language.code for language in LANGUAGES[1:]]
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
NUMBERS = range(201)


@cache
def messages_needed() -> tuple[Text, ...]:
    """All that the program says. To find it takes a second, of every worker that only collects."""
    return needed()


def catalogue(code: str) -> Catalog:
    """A file of translations."""
    with (LOCALES / f"{code}.po").open("rb") as source:
        return read_po(source)


@pytest.mark.parametrize("code", OTHERS)
def test_every_message_is_translated(code: str) -> None:
    """Whatever the page says in English it says in this language, in every form it needs."""
    known = catalogue(code)
    lacking = []
    for message in messages_needed():
        found = known.get(message if isinstance(message, str) else message[0])
        said_so = found.string if found is not None and found.id == message else ""
        forms = [said_so] if isinstance(said_so, str) else list(said_so or ("",))
        unsure = found is not None and found.fuzzy
        if unsure or not all(forms) or isinstance(message, str) != isinstance(said_so, str):
            lacking.append(message)
    assert lacking == []


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda one: one.code)
def test_each_number_has_the_form_its_language_gives_it(language: Language) -> None:
    """What the CLDR counts alike has one form, and what it tells apart has several."""
    kinds = {n: Locale.parse(language.locale).plural_form(n) for n in NUMBERS}
    forms = forms_of(empty(language))
    pairs = set(zip(kinds.values(), forms, strict=True))
    assert len(pairs) == len(set(kinds.values())) == len(set(forms))


@pytest.mark.parametrize("code", OTHERS)
def test_a_catalogue_counts_as_its_language_does(code: str) -> None:
    """Its header gives the forms: as many as each message has, and for the same numbers."""
    known, expected = catalogue(code), empty(BY_CODE[code])
    assert forms_of(known) == forms_of(expected)
    for entry in known:
        if not isinstance(entry.id, str):
            assert len(entry.string or ()) == expected.num_plurals, entry.id


def forms_of(known: Catalog) -> list[int]:
    """Which of its forms a catalogue takes for each number, as gettext reads it."""
    compiled = io.BytesIO()
    write_mo(compiled, known)
    compiled.seek(0)
    plural = Translations(compiled).plural
    return [int(plural(n)) for n in NUMBERS]


@pytest.mark.parametrize("code", OTHERS)
def test_no_translation_is_left_over(code: str) -> None:
    """A translation of what is no longer said would hide that something is missing."""
    wanted = {*messages_needed(), *optional()}
    assert [entry.id for entry in catalogue(code) if entry.id and entry.id not in wanted] == []


@pytest.mark.parametrize("code", OTHERS)
def test_placeholders_survive_translation(code: str) -> None:
    """Each translation names exactly what its message names: a platform, a country, a time. A form
    for a single number may put it in words: `two networks`, as Arabic does."""
    known = catalogue(code)
    forms = forms_of(known)
    for entry in known:
        if not entry.id:
            continue
        ids = [entry.id] if isinstance(entry.id, str) else list(entry.id)
        strings = [entry.string] if isinstance(entry.string, str) else list(entry.string or ())
        for form, string in enumerate(strings):
            named, wanted = (
                sorted(PLACEHOLDER.findall(string)),
                sorted(PLACEHOLDER.findall(ids[-1])),
            )
            if len(ids) > 1 and forms.count(form) == 1 and "n" in wanted and "n" not in named:
                named = sorted([*named, "n"])
            assert named == wanted, string
            assert string.count("%") == len(PLACEHOLDER.findall(string)), string
            assert "<" not in string


def test_every_word_of_ours_has_a_message() -> None:
    """No state, failure, reason, change or kind is shown as a bare identifier."""
    changes = set(re.findall(r"[a-z]+(?:_[a-z]+)*", _documented_changes()))
    for known, members in (
        (STATES, State),
        (STATE_MEANINGS, State),
        (EVENT_STATES, EventState),
        (EVENT_STATE_MEANINGS, EventState),
        (KINDS, EventKind),
        (GRADES, Evidence),
        (GRADE_MEANINGS, Evidence),
        (VANTAGE_STATES, VantageState),
        (VANTAGE_MEANINGS, VantageState),
        (LAYERS, Layer),
        (FAILURES, Failure),
        (FOLLOW_UPS, Reason),
        (MARKS, Mark),
        (ANNOTATION_KINDS, AnnotationKind),
        (CHANGES, changes),
    ):
        assert set(map(str, known)) - {NO_DATA} == set(map(str, members))
    functions = {function.name for one in shipped_catalog().platforms for function in one.functions}
    assert functions <= set(FUNCTIONS)


def _documented_changes() -> str:
    """The list in the docstring of `EventLogEntry.change`."""
    found = re.search(r'change: str\n\s+"""(.+?)"""', getsource(EventLogEntry), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("asked", "accepted", "code"),
    [
        ("", "", "en"),
        ("ur", "pt", "ur"),
        ("xx", "pt-BR,en;q=0.5", "pt"),
        ("", "de-DE,de;q=0.9,ur-PK;q=0.8,en;q=0.7", "ur"),
        ("", "en;q=0.2, ur;q=0.1, pt;q=0.9", "pt"),
        ("", "ur;q=0", "en"),
        ("", "ur;q=nan, pt;q=x", "en"),
        ("", "*," * 10_000, "en"),
        ("../../etc", "\u202e", "en"),
    ],
)
def test_the_language_is_the_readers(asked: str, accepted: str, code: str) -> None:
    """What is asked for by name, else what the browser likes best and we have, else English."""
    assert language_of(asked, accepted).code == code


def test_numbers_dates_and_places_are_written_as_people_do() -> None:
    """Each language has its own names of countries and cities and its own forms."""
    at = datetime(2024, 2, 17, 14, 7, tzinfo=UTC)
    said_in = {code: moment(words_in(BY_CODE[code]), at, "PK") for code in ("en", "ur", "pt")}
    assert said_in == {
        "en": "14:07 UTC on 17 Feb 2024 (19:07 in Karachi)",
        "ur": "17 فروری، 2024، 14:07 UTC (کراچی میں 19:07)",
        "pt": "14:07 UTC, 17 de fev. de 2024 (19:07 em Karachi)",
    }
    assert words_in(BY_CODE["ur"]).country("XD") == "ڈیمولینڈ (فرضی)"
    written = {
        one.code: (one.number(1234.5), one.percent(0.125, 1), one.day(at), one.clock(at))
        for one in map(Unread, LANGUAGES)
    }
    assert written == {
        "en": ("1,234.5", "12.5%", "17 Feb 2024", "14:07"),
        "ar": ("1,234.5", "12.5%", "17 فبراير 2024", "14:07"),
        "es": ("1.234,5", "12,5\xa0%", "17 feb 2024", "14:07"),
        "fa": ("۱٬۲۳۴٫۵", "۱۲٫۵٪", "۱۷ فوریهٔ ۲۰۲۴ (۲۸ بهمن ۱۴۰۲)", "۱۴:۰۷"),
        "fr": ("1\u202f234,5", "12,5\xa0%", "17 févr. 2024", "14:07"),
        "pt": ("1.234,5", "12,5%", "17 de fev. de 2024", "14:07"),
        "ru": ("1\xa0234,5", "12,5\xa0%", "17 февр. 2024\u202fг.", "14:07"),
        "ur": ("1,234.5", "12.5%", "17 فروری، 2024", "14:07"),
    }
    assert [Unread(language).country("BR") for language in LANGUAGES] == [
        *("Brazil", "البرازيل", "Brasil", "برزیل", "Brésil", "Brasil", "Бразилия", "برازیل"),
    ]


class Unread(Words):
    """The forms of a language that need no translations."""

    def __init__(self, language: Language) -> None:
        super().__init__(language, NullTranslations())
        self.code = language.code


def test_lengths_of_time_have_words_in_every_language() -> None:
    """One and several of each unit, and half a second too."""
    lengths = (60, 300, 3600, 7200, 86400, 5 * 86400, 90, 2.5)
    said_in = {
        code: [interval(words_in(BY_CODE[code]), n) for n in lengths] for code in ("en", "ur", "pt")
    }
    assert said_in == {
        "en": [
            *("1 minute", "5 minutes", "1 hour", "2 hours", "1 day", "5 days"),
            *("90 seconds", "2.5 seconds"),
        ],
        "ur": ["1 منٹ", "5 منٹ", "1 گھنٹہ", "2 گھنٹے", "1 دن", "5 دن", "90 سیکنڈ", "2.5 سیکنڈ"],
        "pt": [
            *("1 minuto", "5 minutos", "1 hora", "2 horas", "1 dia", "5 dias"),
            *("90 segundos", "2,5 segundos"),
        ],
    }


@pytest.mark.parametrize(
    ("earliest", "latest", "said_so"),
    [
        (
            "2024-02-17T23:58",
            "2024-02-18T00:03",
            (
                "between 17 Feb 2024, 23:58 and 18 Feb 2024, 00:03 UTC "
                "(18 Feb 2024, 04:58–05:03 in Karachi)"
            ),
        ),
        (
            "2024-02-17T20:00",
            "2024-02-17T20:05",
            "between 20:00 and 20:05 UTC on 17 Feb 2024 (18 Feb 2024, 01:00–01:05 in Karachi)",
        ),
        (
            "2024-02-17T18:58",
            "2024-02-17T19:03",
            "between 18:58 and 19:03 UTC on 17 Feb 2024 (23:58–18 Feb 2024, 00:03 in Karachi)",
        ),
        (
            "2024-02-17T14:07:01",
            "2024-02-17T14:07:59",
            "14:07 UTC on 17 Feb 2024 (19:07 in Karachi)",
        ),
    ],
)
def test_days_are_named_where_they_differ(earliest: str, latest: str, said_so: str) -> None:
    """A night in one place is a day in another: no time is shown under the wrong date.

    Bounds within one minute are shown as that minute.
    """
    first, last = (datetime.fromisoformat(f"{one}+00:00") for one in (earliest, latest))
    assert between(words_in(), first, last, "PK") == said_so


def test_what_is_filled_in_is_text() -> None:
    """A message is ours, a value is anybody's."""
    words = html_words(BY_CODE["ur"])
    found = words.gettext("title: %(title)s", title="<b>%s %(x)s</b>")
    assert "&lt;b&gt;%s %(x)s&lt;/b&gt;" in found


@pytest.mark.parametrize("state", [EventState.SUSPECTED, EventState.CONFIRMED])
def test_a_shutdown_tells_of_a_network_that_says_otherwise(state: EventState) -> None:
    """Every network is only said to be offline when every one is."""
    lost = (
        NetworkStatus(asn=asn, network="", affected=True, blocked_now=True) for asn in (1, 2, 3)
    )
    all_of_them = shutdown(state=state, networks=tuple(lost))
    spared = NetworkStatus(
        asn=23674, network="Nayatel", affected=False, blocked_now=False, found_open=True
    )
    networks = (*all_of_them.networks, spared)
    but_one = msgspec.structs.replace(all_of_them, networks=networks)
    for language in LANGUAGES:
        words = words_in(language)
        every, some = (what_happened(words, event, {}) for event in (all_of_them, but_one))
        assert every != some
        numbers = {words.number(len(networks) - 1), words.number(len(networks))}
        assert not any(number in every for number in numbers)
        assert all(number in some for number in numbers)


def test_a_draft_says_so_until_somebody_reviewed_it() -> None:
    """In its own language; English is what is translated."""
    unreviewed = po("pt")
    assert header_fields(unreviewed.splitlines())[FIELD] == ""
    words, english = words_in(BY_CODE["pt"]), words_in(BY_CODE["en"])
    assert words.short_draft == words.gettext(DRAFT) != DRAFT
    assert words.draft == f"{words.gettext(DRAFT)} {words.gettext(IN_DOUBT)}"
    assert english.short_draft == english.draft == ""


def test_a_review_is_kept_whoever_writes_the_file() -> None:
    """Weblate wraps lines at other widths and adds fields of its own; our update keeps those, the
    translator's name and the review."""
    signature = "Asma Khan, journalist, who read it all in Lahore on 2026-12-01"
    old = catalogue("ur")
    old.last_translator = "Bilal <bilal@example.org>"
    written = io.BytesIO()
    write_po(written, old, width=50)
    more = f'"{FIELD}: {signature[:30]}"\n"{signature[30:]}\\n"\n"X-Generator: Weblate 5.8\\n"\n\n'
    theirs = written.getvalue().decode().replace("\n\n", f"\n{more}", 1)
    ours = updated(BY_CODE["ur"], theirs).decode()
    for text in (theirs, ours):
        fields = header_fields(text.splitlines())
        assert fields[FIELD] == signature
        assert fields["X-Generator"] == "Weblate 5.8"
        assert fields["Last-Translator"] == "Bilal <bilal@example.org>"
    assert messages(ours) == messages(po("ur"))
    assert updated(BY_CODE["ur"], ours).decode() == ours


@pytest.mark.parametrize("code", OTHERS)
def test_an_update_changes_no_message_that_is_up_to_date(code: str) -> None:
    """Each file has the messages in the order of the update, and says who reviewed it."""
    assert messages(updated(BY_CODE[code], po(code)).decode()) == messages(po(code))
    assert FIELD in header_fields(po(code).splitlines())


def messages(text: str) -> list[tuple[object, object, set[str]]]:
    """Of a catalogue's file, in its order."""
    return [(one.id, one.string, one.flags) for one in read_po(io.StringIO(text)) if one.id]


def test_an_update_keeps_what_is_unsure_unsure() -> None:
    """Weblate marks a translation whose message changed; it is not shown until it is settled."""
    entry = 'msgid "command line"'
    marked = po("pt").replace(entry, f"# What is it?\n#, fuzzy\n{entry}")
    assert f"# What is it?\n#, fuzzy\n{entry}" in updated(BY_CODE["pt"], marked).decode()


def test_a_message_without_translation_is_english_as_a_whole() -> None:
    """No half of a sentence stands in another language."""
    words = Unread(BY_CODE["pt"])
    assert words.gettext("%(what)s, since %(when)s", what="x", when="y") == "x, since y"
    assert words.ngettext("%(n)s cycle", "%(n)s cycles", 1234) == "1.234 cycles"


def po(code: str) -> str:
    """A catalogue's file."""
    return (LOCALES / f"{code}.po").read_text("utf-8")
