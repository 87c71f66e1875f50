"""What messages say."""

import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.analysis.events.event import EventKind, EventState, Scope
from monitor.analysis.judge.grade_by_sign import WEIGHTS
from monitor.analysis.second_witness import OnNetwork, OutsideWitness, Witness
from monitor.analysis.verdict import Evidence
from monitor.notify.body import NoticeContent
from monitor.notify.message import batches, message, section, trial_message
from monitor.notify.message_value import LONGEST_BODY, LONGEST_TITLE, Message, Urgency
from monitor.notify.names_without_markup import LONGEST_NAME, message_words, plain_name
from monitor.notify.notice_kinds import OPENING, NoticeKind
from monitor.sources.terms import TERMS
from monitor.wording.failures_and_methods import method_and_name
from monitor.wording.languages import LANGUAGES
from monitor.wording.reviewed import DRAFT
from tests.worlds.notify_world import (
    CYBER,
    JAZZ,
    ONSET,
    PTCL,
    TITLES,
    block,
    came_back,
    entry,
    found_open,
    shutdown,
    told,
)

ENGLISH = message_words("en")
HOSTILE = (
    "\u202eLTCP\u2066 *free* _[click](https://evil.example)_ <!channel> @everyone\r\n\n"
    "Subject: `x`\x00\x1b[31m <b>&lt;</b> \ud800 ```\u2028{{template}} $(id)"
)

NO_TEST_TELLS = "no recent test tells how it is where it was last blocked"


def say(*several: NoticeContent, public_url: str = "") -> Message:
    """The message of what is to be told."""
    return message(ENGLISH, [section(ENGLISH, one, TITLES, public_url) for one in several])


def test_a_confirmed_block_says_all_there_is_to_know() -> None:
    """Country, platform, networks, method in words, since when twice, how sure, and what not."""
    told_ = told(NoticeKind.CONFIRMED, block())
    assert say(told_, public_url="https://watch.example.org") == Message(
        title="Confirmed: X is blocked in Pakistan",
        body=(
            "Since: between 18:07 and 18:12 UTC on 17 Feb 2024 (23:07–23:12 in Karachi)\n"
            "Networks: 2 of 3 tested: PTCL (AS17557) and Jazz (AS45669)\n"
            "Not on: Cyber Internet (AS9541)\n"
            "Functions: what its apps connect to, website\n"
            "How: connections are reset when the platform's name appears (tls.reset)\n"
            "Evidence: conclusive: Strong, and follow-up tests ruled out the innocent "
            "explanations.\n"
            "What it is not: an outage: a failure counts only when a test from outside the country "
            "worked, when another name was treated better, or when something else answered in the "
            "platform's place. It says nothing about networks that were not tested, nor about who "
            "ordered it.\n"
            "A program found this: check the evidence before you publish it.\n"
            "Evidence and data: https://watch.example.org/events/0123456789abcdef0123\n"
            "Event: 0123456789abcdef0123"
        ),
        urgency=Urgency.FAILURE,
    )


@pytest.mark.parametrize(
    ("occasion", "event", "title"),
    [
        (
            NoticeKind.SUSPECTED,
            block(EventState.SUSPECTED),
            "Suspected: X may be blocked in Pakistan",
        ),
        (
            NoticeKind.CONFIRMED,
            block(scope=Scope.PARTIAL),
            "Confirmed: Parts of X are blocked in Pakistan",
        ),
        (
            NoticeKind.CONFIRMED,
            block(methods=("throttling.rate",)),
            "Confirmed: X is slowed down in Pakistan",
        ),
        (NoticeKind.CONFIRMED, came_back(), "Confirmed: X is blocked in Pakistan again"),
        (NoticeKind.CONFIRMED, block(platform="new-thing"), "Confirmed: new-thing is blocked in"),
        (NoticeKind.CONFIRMED, block(country="QZ"), "Confirmed: X is blocked in QZ"),
        (
            NoticeKind.CONFIRMED,
            block(EventState.RECOVERING),
            "Confirmed: X was blocked in Pakistan and seems to work again",
        ),
        (
            NoticeKind.CONFIRMED,
            found_open(),
            f"Confirmed: X was blocked in Pakistan; {NO_TEST_TELLS}",
        ),
        (NoticeKind.SPREAD, block(), "More networks: X is blocked in Pakistan"),
        (
            NoticeKind.SPREAD,
            block(EventState.SUSPECTED),
            "More networks: X may be blocked in Pakistan",
        ),
        (
            NoticeKind.ENDED,
            block(EventState.ENDED, end_latest=ONSET + timedelta(days=2)),
            "Over: X is no longer blocked in Pakistan",
        ),
        (
            NoticeKind.ENDED,
            block(EventState.ENDED, end_latest=None),
            "Closed: X was blocked in Pakistan when last tested; nobody saw it end",
        ),
        (
            NoticeKind.ENDED,
            found_open(EventState.ENDED),
            f"Over: X was blocked in Pakistan; {NO_TEST_TELLS}",
        ),
        (
            NoticeKind.DISMISSED,
            block(EventState.DISMISSED),
            (
                "Not confirmed, the signs went away: X may have been blocked or slowed down in "
                "Pakistan"
            ),
        ),
        (
            NoticeKind.WITHDRAWN,
            block(EventState.WITHDRAWN),
            "WITHDRAWN: X is blocked in Pakistan",
        ),
        (
            NoticeKind.DOUBTED,
            block(EventState.SUSPECTED),
            "CORRECTION, only suspected: X may be blocked in Pakistan",
        ),
        (NoticeKind.CONFIRMED, shutdown(), "Confirmed: Pakistan is cut off from the internet"),
        (NoticeKind.SUSPECTED, shutdown(), "Suspected: Pakistan may be cut off from the internet"),
        (
            NoticeKind.CONFIRMED,
            shutdown(EventKind.INTERNATIONAL_CUT),
            "Confirmed: Pakistan is cut off from abroad",
        ),
        (
            NoticeKind.CONFIRMED,
            shutdown(methods=("shutdown.no_names",)),
            "Confirmed: In Pakistan no name resolves on 2 of 3 tested networks",
        ),
        (
            NoticeKind.ENDED,
            shutdown(EventKind.ALLOWLIST, end_latest=ONSET),
            "Over: More than a list of sites answers in Pakistan again",
        ),
        (
            NoticeKind.ENDED,
            shutdown(EventKind.INTERNATIONAL_CUT, end_latest=ONSET),
            "Over: Pakistan is no longer cut off from abroad",
        ),
        (
            NoticeKind.ENDED,
            shutdown(EventKind.INTERNATIONAL_CUT),
            (
                "Closed: Pakistan was cut off from abroad on 2 of 3 networks when last tested; "
                "nobody saw it end"
            ),
        ),
        (
            NoticeKind.ENDED,
            shutdown(networks=(PTCL, JAZZ)),
            "Closed: Pakistan was cut off from the internet when last tested; nobody saw it end",
        ),
        (
            NoticeKind.ENDED,
            shutdown(EventKind.VANTAGE_SILENT, vantage="khi-ptcl"),
            "Closed: Vantage khi-ptcl was offline when last tested; nobody saw it end",
        ),
        (
            NoticeKind.CONFIRMED,
            block(kind=EventKind.OUTAGE, country=""),
            "Confirmed: X fails everywhere, at the controls too: an outage",
        ),
        (
            NoticeKind.CONFIRMED,
            shutdown(EventKind.VANTAGE_SILENT, vantage="khi-ptcl"),
            "Confirmed: Vantage khi-ptcl is offline",
        ),
        (
            NoticeKind.CONFIRMED,
            shutdown(EventKind.INSTRUMENT, country=""),
            "Confirmed: All vantages are offline: check this monitor first",
        ),
    ],
)
def test_the_title_tells_what_is_the_matter(
    occasion: NoticeKind, event: object, title: str
) -> None:
    """What a telephone shows is enough to know what happened, and how sure it is."""
    assert say(told(occasion, event)).title.startswith(title)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", EventKind)
@pytest.mark.parametrize("occasion", NoticeKind)
def test_every_kind_of_event_can_be_told_on_every_occasion(
    kind: EventKind, occasion: NoticeKind
) -> None:
    """No message is empty, and every accusation says what it is not."""
    said = say(told(occasion, block(kind=kind)))
    assert said.title
    assert ("What it is not: " in said.body) == (occasion in OPENING)


def test_a_list_of_sites_is_told_with_what_is_on_it() -> None:
    """The first hosts by name and the rest by number, and that cut lines may look the same."""
    hosts = tuple(f"site{number}.example" for number in range(15))
    text = say(told(NoticeKind.CONFIRMED, shutdown(EventKind.ALLOWLIST, passing=hosts))).body
    assert "Still answered: site0.example, site1.example" in text
    assert "site11.example and 3 more" in text
    assert "site12.example" not in text
    assert "cut lines look the same" in text
    assert "Still answered" not in say(told(NoticeKind.CONFIRMED, shutdown())).body


def test_a_second_witness_stands_beside_the_evidence() -> None:
    """As on the page, with the credit that each source asks for; a silent one shows no data, and
    needs none."""
    volunteers = Witness(
        source="ooni",
        title="OONI",
        credit="Data: OONI (ooni.org), CC BY-NC-SA 4.0",
        home="https://explorer.ooni.org/",
        networks=(OnNetwork(asn=17557, total=3, failed=2),),
    )
    silent = replace(volunteers, title="Globalping", networks=())
    outside = OutsideWitness(
        source="ioda",
        title="IODA",
        credit="IODA, Georgia Tech",
        home="https://ioda.example/",
        read=True,
        drops=(("bgp", 0.6),),
        of_platform=True,
    )
    several = (volunteers, silent, outside)
    body = say(replace(told(NoticeKind.CONFIRMED, block()), witnesses=several)).body
    first = body.index("Second witness: OONI agrees: 2 of 3 tests failed, 1 network (Data: OONI")
    assert body.index("Evidence: conclusive") < first < body.index("What it is not")
    assert "Second witness: Globalping is silent: not seen\n" in body
    assert (
        "outage of the whole country in that time: routes (BGP) -60% (IODA, Georgia Tech)" in body
    )


def test_what_is_suspected_asks_for_patience() -> None:
    """Nobody can take a suspicion for a finding."""
    said = say(told(NoticeKind.SUSPECTED, block(EventState.SUSPECTED)))
    assert "It is not confirmed: please wait before you publish it." in said.body
    assert said.urgency is Urgency.WARNING


@pytest.mark.parametrize(
    "occasion", [NoticeKind.WITHDRAWN, NoticeKind.DOUBTED, NoticeKind.DISMISSED]
)
def test_what_is_taken_back_says_so_and_what_it_takes_back(occasion: NoticeKind) -> None:
    """The message names the one it corrects, and asks to pass the correction on."""
    at = ONSET + timedelta(minutes=3)
    said = say(told(occasion, block(), first_notified=at))
    assert said.body.startswith(
        "This is about the message sent here at 18:15 UTC on 17 Feb 2024.\n"
    )
    assert "correct what you passed on" in said.body


def test_the_end_refers_to_the_beginning_and_has_both_times() -> None:
    """When it was told, since when and until when."""
    over = ONSET + timedelta(days=2)
    event = block(EventState.ENDED, end_earliest=over - timedelta(minutes=5), end_latest=over)
    said = say(told(NoticeKind.ENDED, event, first_notified=ONSET + timedelta(minutes=3)))
    assert "This is about the message sent here at 18:15 UTC on 17 Feb 2024." in said.body
    assert "Since: between 18:07 and 18:12 UTC on 17 Feb 2024" in said.body
    assert "Until: between 18:07 and 18:12 UTC on 19 Feb 2024 (23:07–23:12 in Karachi)" in said.body
    assert said.urgency is Urgency.SUCCESS


def test_an_end_that_nobody_saw_is_no_success() -> None:
    """A service shows it as a warning, not in green."""
    said = say(told(NoticeKind.ENDED, block(EventState.ENDED, end_latest=None)))
    assert said.urgency is Urgency.WARNING


def test_the_end_of_a_shutdown_names_who_is_not_back() -> None:
    """It ends with the first network that is back, and the others may still be offline."""
    over = shutdown(state=EventState.ENDED, end_earliest=ONSET, end_latest=ONSET)
    ended = entry("ended", over, detail="AS17557 PTCL, AS45669 Jazz")
    body = say(NoticeContent(occasion=NoticeKind.ENDED, entry=ended)).body
    assert "\nNot known to be back: AS17557 PTCL, AS45669 Jazz\n" in body
    assert "Not known to be back" not in say(told(NoticeKind.ENDED, over)).body


def test_a_withdrawal_blames_no_data() -> None:
    """Nothing may have been measured wrongly: a person may have left out a vantage."""
    said = say(told(NoticeKind.WITHDRAWN, block(EventState.WITHDRAWN)))
    assert "It no longer stands: the results that count now do not support it." in said.body


def test_what_was_there_before_monitoring_says_so() -> None:
    """No onset is made up."""
    said = say(told(NoticeKind.CONFIRMED, block(onset_earliest=None)))
    assert said.body.startswith("Since: before 18:12 UTC on 17 Feb 2024")


def test_a_country_of_several_zones_names_the_one_that_is_meant() -> None:
    """Brazil's capital has its own time, not that of Manaus."""
    said = say(told(NoticeKind.CONFIRMED, block(country="BR")))
    assert "(15:07–15:12 in Sao Paulo)" in said.body


def test_a_late_message_says_when_it_was_due() -> None:
    """Whoever reads it knows that it is no news."""
    said = say(told(NoticeKind.CONFIRMED, block(), late_since=ONSET))
    assert said.body.startswith("This message is late: it was due at 18:12 UTC on 17 Feb 2024.")


def test_a_further_network_is_named_first() -> None:
    """What is new stands before what was known."""
    said = say(told(NoticeKind.SPREAD, block(), detail="AS45669 Jazz"))
    assert said.body.startswith("New: AS45669 Jazz\n")


def test_long_lists_are_counted() -> None:
    """Of forty networks ten are named, and of twenty methods six."""
    networks = tuple(replace(PTCL, asn=64500 + n, network=f"Net {n}") for n in range(40))
    methods = tuple(f"tls.new{n}" for n in range(20))
    said = say(told(NoticeKind.CONFIRMED, block(networks=networks, methods=methods)))
    assert "40 of 40 tested: Net 0 (AS64500), " in said.body
    assert "Net 9 (AS64509) and 30 more\n" in said.body
    assert said.body.count("Also: ") == 5


@pytest.mark.parametrize("evidence", Evidence)
def test_every_grade_of_evidence_is_explained(evidence: Evidence) -> None:
    """The grade is followed by what it means."""
    said = say(told(NoticeKind.CONFIRMED, block(evidence=evidence.value)))
    line = next(one for one in said.body.splitlines() if one.startswith("Evidence: "))
    assert line.startswith(f"Evidence: {evidence}")
    assert len(line) > 30


def test_every_method_there_is_is_told_in_words() -> None:
    """A sentence for each way of blocking that can be found, and its name in brackets."""
    methods = {f"{layer}.{sub}" for layer, sub in WEIGHTS if layer.value != "app"}
    methods |= {"tcp.middlebox", "udp.stun", "throttling.rate", "throttling.stall", "quic."}
    for method in methods:
        words = method_and_name(ENGLISH, method)
        assert words.endswith(f" ({method})")
        assert len(words) > len(method) + 15
    assert method_and_name(ENGLISH, "tls.reset") == (
        "connections are reset when the platform's name appears (tls.reset)"
    )
    assert method_and_name(ENGLISH, "carrier pigeon") == "carrier pigeon"


def test_several_at_once_are_one_message_the_most_urgent_named_first() -> None:
    """Each in full under its own title."""
    end = told(NoticeKind.ENDED, block(EventState.ENDED, end_latest=ONSET, platform="whatsapp"))
    said = say(end, told(NoticeKind.CONFIRMED, block()))
    assert said.title == (
        "2 at once: Confirmed: X is blocked in Pakistan; "
        "Over: WhatsApp is no longer blocked in Pakistan"
    )
    assert said.urgency is Urgency.FAILURE
    first, second = said.body.split("\n\n")
    assert first.startswith("Over: WhatsApp is no longer blocked in Pakistan\nSince: ")
    assert second.startswith("Confirmed: X is blocked in Pakistan\nSince: ")


def test_a_network_of_which_nothing_is_known_is_not_said_to_be_spared() -> None:
    """It was tested and not decided: neither blocked nor found open."""
    unknown = replace(CYBER, asn=64500, network="Unknown", found_open=False)
    said = say(told(NoticeKind.CONFIRMED, block(networks=(CYBER, PTCL, unknown))))
    assert "Networks: 1 of 3 tested: PTCL (AS17557)" in said.body
    assert "Not on: Cyber Internet (AS9541)\n" in said.body
    assert "Unknown" not in said.body


@pytest.mark.parametrize("state", [EventState.RECOVERING, EventState.UNOBSERVED, EventState.ENDED])
def test_how_it_blocked_is_told_in_the_past_once_it_seems_over(state: EventState) -> None:
    """Nobody sees it block now."""
    kind = NoticeKind.ENDED if state is EventState.ENDED else NoticeKind.CONFIRMED
    said = say(told(kind, block(state, end_latest=ONSET)))
    assert "How: connections were reset when the platform's name appeared" in said.body


@given(st.lists(st.integers(1, 5000), max_size=40))
def test_no_message_of_several_is_too_long(sizes: list[int]) -> None:
    """All are told, in order, and only one that is too long by itself exceeds the bound."""
    counts = list(batches(sizes, LONGEST_BODY))
    assert sum(counts) == len(sizes)
    begun = 0
    for count in counts:
        assert count
        assert count == 1 or sum(sizes[begun : begun + count]) <= LONGEST_BODY
        begun += count


def test_the_largest_single_message_fits_a_telegram() -> None:
    """Everything long at once: names, methods, functions."""
    networks = tuple(replace(PTCL, asn=4294967295 - n, network="N" * 500) for n in range(50))
    event = block(
        networks=(*networks, *(replace(one, affected=False, found_open=True) for one in networks)),
        methods=("http.blockpage", *(f"app.{'m' * 40}{n}" for n in range(20))),
        pattern="Mon-Fri " + "04:00-08:00, " * 40,
        share_affected=0.5,
    )
    networks_asked = tuple(OnNetwork(asn=n, total=10**6, failed=10**6) for n in range(50))
    witnesses = tuple(
        Witness(
            source=str(kind),
            title=terms.title,
            credit=terms.credit,
            home=terms.home,
            networks=networks_asked,
            grade=Evidence.STRONG,
        )
        for kind, terms in TERMS.items()
    )
    notice = replace(told(NoticeKind.CONFIRMED, event, late_since=ONSET), witnesses=witnesses)
    said = say(notice, public_url="https://w" * 10)
    assert len(said.title) + len(said.body) < 4000


@pytest.mark.parametrize("code", [one.code for one in LANGUAGES])
def test_a_message_in_a_draft_says_so_once(code: str) -> None:
    """Its last line does, of one notice, of several and of a test; an English one does not."""
    words = message_words(code)
    one = section(words, told(NoticeKind.CONFIRMED, block()), TITLES)
    for made in (
        message(words, [one]),
        message(words, [one, one]),
        trial_message(words, "ops", ONSET),
    ):
        draft = words.gettext(DRAFT)
        assert made.body.count(draft) == (code != "en")
        assert made.body.endswith(draft) == (code != "en")


@pytest.mark.parametrize("code", [one.code for one in LANGUAGES[1:]])
def test_a_message_is_in_the_language_of_its_route(code: str) -> None:
    """Every line is translated; names, numbers and the event's id stay, kept to their own
    direction in a text from right to left."""
    words = message_words(code)
    content = told(NoticeKind.CONFIRMED, block())
    made = message(words, [section(words, content, TITLES, "https://watch.example.org")])
    english = say(content, public_url="https://watch.example.org")
    *lines, last = made.body.splitlines()
    assert last == words.short_draft
    for ours, other in zip(
        (english.title, *english.body.splitlines()),
        (made.title, *lines),
        strict=True,
    ):
        assert ours.partition(":")[0] != other.partition(":")[0]
    whole = f"{made.title}\n{made.body}"
    bound = words.clock(ONSET - timedelta(minutes=5))
    for kept in ("PTCL", "AS17557", "tls.reset", bound, block().id):
        assert kept in whole
    assert method_and_name(words, "tls.reset") in whole
    assert whole.count("\u2069") == whole.count("\u2066") + whole.count("\u2068")
    assert ("\u2069" in whole) == (words.language.direction == "rtl")


def test_a_test_is_a_test() -> None:
    """Nobody can take it for an alarm."""
    said = trial_message(ENGLISH, "ops\n*x*", ONSET)
    assert said.title.startswith("TEST: ")
    assert "Nothing is blocked." in said.body
    assert "route ops x," in said.body
    assert said.urgency is Urgency.INFO


# -- names that others chose -----------------------------------------------------------------------


def test_a_hostile_name_is_nothing_but_a_name() -> None:
    """Wherever a name stands it ends no line, turns nothing around, and marks nothing up."""
    network = replace(PTCL, asn=0, network=HOSTILE)
    event = block(
        networks=(network,), methods=("tls.reset", f"tls.{HOSTILE}", HOSTILE), evidence=HOSTILE,
        platform=HOSTILE, country=f"P{HOSTILE}", functions=(HOSTILE,),
        scope=Scope.PARTIAL, pattern=HOSTILE, vantage=HOSTILE,
    )  # fmt: skip
    plain = say(told(NoticeKind.SPREAD, block(), detail="AS1 A"))
    said = say(told(NoticeKind.SPREAD, event, detail=HOSTILE))
    whole = f"{said.title}\n{said.body}"
    assert len(said.body.splitlines()) <= len(plain.body.splitlines()) + 3
    for sign in "*_[]<>@`{}$\\\x00\x1b\u202e\u2066\u2028\ud800":
        assert sign not in whole.replace("(tls.reset)", ""), repr(sign)
    assert "://" not in whole
    assert "free" in whole


@given(st.text(), st.integers(1, 80))
def test_any_name_becomes_one_short_line_of_plain_text(text: str, longest: int) -> None:
    """Whatever it is: printable, unmarked, bounded; and doing it twice changes nothing more."""
    name = plain_name(text, longest)
    assert len(name) <= longest
    assert not any(
        (unicodedata.category(c)[0] == "C" and c not in "\u200c\u200d") or c in "*_`[]<>@|~\\{}"
        for c in name
    )
    assert len(name.splitlines()) <= 1
    assert plain_name(name, longest) == name


@pytest.mark.parametrize(
    "name",
    [
        "PTCL",
        "Telefônica Brasil S.A.",
        "AT&T (Mobility)",
        "پی ٹی سی ایل",
        "می‌خواهم",
        "中国电信",
        "O'Net-1/2",
    ],
)
def test_names_of_real_networks_stay_as_they_are(name: str) -> None:
    """Accents, scripts, joiners, brackets, dots."""
    assert plain_name(name) == name
    assert len(plain_name(name * 40)) <= LONGEST_NAME
    assert LONGEST_TITLE > LONGEST_NAME
