"""Hostile agents and controls against a real collector: who can make a block, and who can hide one.

Each story enrols keys, and each turn every agent signs a batch and sends it over HTTP to the
collector's own listener; its leader judges, detects and stores. Honest agents sign what is so, a
hostile one what it likes: measurements with follow-ups that make conclusive evidence.

`python -m tests.collector.poisoning` writes docs/poisoning.md, which test_poisoning.py checks.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.analysis.events.event import EventKind
from monitor.analysis.events.settings import EventSettings
from monitor.collector.leader import Leader
from monitor.config.load import default_settings
from monitor.config.settings import COLLECTED_AGREEMENT, CollectorSettings, Settings
from monitor.keys.keys import fingerprint, public_text
from monitor.wire.batch import FORMAT, Batch, CycleReport, encode_batch
from probes.catalog.catalog import Reference, ReferenceScope
from probes.measure.follow_up_reasons import Reason
from probes.measurement import (
    REFERENCE_PLATFORM,
    TRANSFER_INNOCUOUS,
    TRANSFER_TARGET,
    AnyObservation,
    Measurement,
    Purpose,
    TransferObservation,
)
from probes.vantage import VantagePoint, VantageRole
from storage.store import CollectorStore
from storage.values.fleet import Enrolment, ReceivedBatch, SeenCycle
from tests.collector.forged import FORGED
from tests.collector.world import Collector, collecting, health, new_id, request
from tests.contract.listing import EVERYTHING, flat
from tests.worlds.build import START, dns, http, look, tcp, tls
from tests.worlds.collector_world import Clock, leading
from tests.worlds.memory_store import MemoryStore

DOCUMENT = Path(__file__).parents[2] / "docs" / "poisoning.md"
INTERVAL = 300.0
KINDS = (ReferenceScope.UPLINK, ReferenceScope.INTERNATIONAL, ReferenceScope.POPULAR)
REFERENCES, BARRED_REFERENCES = 1, 3
"""Of each kind, of the shipped ones: every agent signs a measurement of each of them in every turn.
More where some of them are barred: that only a list of sites passes takes several."""
PAUSE = 0.05
"""Seconds between two questions of the leader for cycles that wait."""
QUIET_TURNS = 2
"""Before anything happens."""
SHORT, SPEED, LONG = 6, 14, 24
"""Turns in all. Where two conclusive signs confirm, they do so by the fourth; slowness on two
networks takes 11 turns after the quiet ones, a weak sign 21."""
PROBATION = 3600.0
"""In stories of sleepers."""
FIELDS = ((17557, "PTCL"), (45669, "Jazz"), (9541, "Cybernet"), (38264, "Wateen"))
CONTROLS = ((3320, "DTAG"), (1136, "KPN"), (3215, "Orange"), (2856, "BT"))
HOSTS = ("x.com", "api.x.com")
FUNCTIONS = {"x.com": "web", "api.x.com": "app"}
ADDRESSES = {"x.com": "203.0.113.1", "api.x.com": "203.0.113.2"}
NEIGHBOUR = "203.0.113.9"
NAMED = "somebody.example"
"""A host that no catalogue lists and that a key says it reached."""
OPEN, BLOCKED, DOWN = "open", "blocked", "down"
DROPPED, SHARE, SLOW, LISTED = "dropped", "cut off in part", "slow", "off the list"
"""Addresses fall silent while a neighbour answers; a share of connections is cut off; pages are
slow under the platform's name alone; only a list of sites passes."""
HINDERED = frozenset({BLOCKED, DROPPED, SHARE, SLOW, LISTED})
"""Where vantages without this fault find it open."""
MBIT = 1_000_000


class Party(NamedTuple):
    """One key, or one control of the operator's own."""

    network: int
    """Position in FIELDS or CONTROLS."""
    says: str = ""
    """What it signs of the platform, whatever is so; empty: what is so."""
    control: bool = False
    new: bool = False
    own: bool = False
    host: str = ""
    sleeps: int = 0
    """Turns in which a liar is honest."""
    fast: bool = False
    """A control that says it measured before the field vantage had ended its cycle."""


class Outcome(NamedTuple):
    """What the collector made of it."""

    block: str
    """`none`, `suspected` or `confirmed`."""
    outage: str = "none"
    differing: int = 0
    """Controls with an event of their own."""
    allowlist: str = "none"
    """That only a list of sites passes in the country."""


class Story(NamedTuple):
    """Who holds which keys, and what comes of it."""

    hostile: str
    """In a few words, for the document."""
    beside: str
    truth: str
    """Of the platform, in the country."""
    parties: tuple[Party, ...]
    outcome: Outcome
    limit: bool = False
    """It shows what an attacker can do, not what is prevented."""
    probation: float = EventSettings().probation
    turns: int = LONG
    ends: int = LONG
    """Turn from which the truth is `open` again."""


def field(network: int, says: str = "", *, new: bool = False, host: str = "") -> Party:
    """A field agent."""
    return Party(network, says, new=new, host=host)


def control(network: int, says: str = "", *, new: bool = False, host: str = "") -> Party:
    """A control that is an agent."""
    return Party(network, says, control=True, new=new, host=host)


def sleeper(network: int, turns: int) -> Party:
    """A new key that is honest for so long, and lies then."""
    return Party(network, BLOCKED, new=True, sleeps=turns)


OWN_CONTROL = Party(0, control=True, own=True)
HONEST = (field(0), field(1))
THREE = (control(0), control(1), control(2))
LIARS = (control(1, DOWN), control(2, DOWN))

STORIES: Mapping[str, Story] = {
    # -- nothing is blocked ------------------------------------------------------------------
    "one_key": Story(
        "1 key of a field vantage",
        "2 honest fields, 3 controls",
        OPEN,
        (field(2, BLOCKED), *HONEST, *THREE),
        Outcome("suspected"),
    ),
    "two_keys_one_network": Story(
        "2 keys on one network",
        "2 honest fields elsewhere, 3 controls",
        OPEN,
        (field(2, BLOCKED), field(2, BLOCKED), *HONEST, *THREE),
        Outcome("suspected"),
    ),
    "three_keys_one_network": Story(
        "3 keys on one network",
        "2 honest fields elsewhere, 3 controls",
        OPEN,
        (field(2, BLOCKED), field(2, BLOCKED), field(2, BLOCKED), *HONEST, *THREE),
        Outcome("suspected"),
    ),
    "two_keys_one_host": Story(
        "2 keys of one host, on two networks",
        "2 honest fields, 3 controls",
        OPEN,
        (field(2, BLOCKED, host="h1"), field(3, BLOCKED, host="h1"), *HONEST, *THREE),
        Outcome("suspected"),
    ),
    "two_new_keys": Story(
        "2 new keys on two networks",
        "2 honest fields, 3 controls",
        OPEN,
        (field(2, BLOCKED, new=True), field(3, BLOCKED, new=True), *HONEST, *THREE),
        Outcome("suspected"),
    ),
    "three_new_keys": Story(
        "3 new keys on three networks",
        "1 honest field, 3 controls",
        OPEN,
        (
            field(1, BLOCKED, new=True),
            field(2, BLOCKED, new=True),
            field(3, BLOCKED, new=True),
            field(0),
            *THREE,
        ),
        Outcome("suspected"),
    ),
    "known_and_new": Story(
        "1 known and 1 new key on two networks",
        "2 honest fields, 3 controls",
        OPEN,
        (field(2, BLOCKED), field(3, BLOCKED, new=True), *HONEST, *THREE),
        Outcome("suspected"),
    ),
    "one_sleeper": Story(
        "1 key that was honest for longer than probation",
        "2 honest fields, 3 controls",
        OPEN,
        (sleeper(2, 18), *HONEST, *THREE),
        Outcome("suspected"),
        probation=PROBATION,
    ),
    "early_sleepers": Story(
        "2 keys on two networks that were honest for half of probation",
        "2 honest fields, 3 controls",
        OPEN,
        (sleeper(2, 6), sleeper(3, 6), *HONEST, *THREE),
        Outcome("suspected"),
        probation=PROBATION,
    ),
    "two_sleepers": Story(
        "2 keys on two networks that were honest for longer than probation",
        "2 honest fields, 3 controls",
        OPEN,
        (sleeper(2, 18), sleeper(3, 18), *HONEST, *THREE),
        Outcome("confirmed"),
        limit=True,
        probation=PROBATION,
    ),
    "two_keys": Story(
        "2 known keys on two networks",
        "2 honest fields, 3 controls",
        OPEN,
        (field(2, BLOCKED), field(3, BLOCKED), *HONEST, *THREE),
        Outcome("confirmed"),
        limit=True,
        turns=SHORT,
    ),
    "majority": Story(
        "3 known keys on three networks",
        "1 honest field, 3 controls",
        OPEN,
        (field(1, BLOCKED), field(2, BLOCKED), field(3, BLOCKED), field(0), *THREE),
        Outcome("confirmed"),
        limit=True,
        turns=SHORT,
    ),
    **{
        f"one_key_{name}": Story(
            f"1 key that says it is {says}",
            "2 honest fields, 3 controls",
            OPEN,
            (field(2, says), *HONEST, *THREE),
            outcome,
        )
        for name, says, outcome in (
            ("drops", DROPPED, Outcome("suspected")),
            ("cuts_off_a_share", SHARE, Outcome("suspected")),
            ("is_slow", SLOW, Outcome("none")),
            ("lets_a_list_pass", LISTED, Outcome("none", allowlist="suspected")),
        )
    },
    "one_key_is_slow_beside_own": Story(
        f"1 key that says it is {SLOW}",
        "2 honest fields, a control of the operator's own",
        OPEN,
        (field(2, SLOW), *HONEST, OWN_CONTROL),
        Outcome("suspected"),
        turns=SPEED,
    ),
    # -- it is down for all -------------------------------------------------------------------
    "control_denies_outage": Story(
        "1 control that says it works",
        "2 honest fields, 2 honest controls",
        DOWN,
        (control(2, OPEN), control(0), control(1), *HONEST),
        Outcome("none", "confirmed", 1),
        turns=SHORT,
    ),
    "only_control_denies_outage": Story(
        "the only control, which says it works",
        "2 honest fields",
        DOWN,
        (control(2, OPEN), *HONEST),
        Outcome("suspected"),
    ),
    "half_of_controls_deny_outage": Story(
        "1 control of 2 that says it works",
        "2 honest fields, 1 honest control",
        DOWN,
        (control(2, OPEN), control(0), *HONEST),
        Outcome("suspected", "none", 2),
    ),
    # -- it is blocked in other ways ----------------------------------------------------------
    **{
        f"one_control_hides_{name}": Story(
            f"1 control that says it is {says}",
            "2 honest fields, 2 honest controls",
            truth,
            (control(2, says), control(0), control(1), *HONEST),
            outcome,
        )
        for name, truth, says, outcome in (
            ("drops", DROPPED, DOWN, Outcome("confirmed", "none", 1)),
            ("a_share", SHARE, DOWN, Outcome("confirmed", "none", 1)),
            ("a_list", LISTED, LISTED, Outcome("none", allowlist="confirmed")),
        )
    },
    # -- it is blocked ------------------------------------------------------------------------
    "no_liar": Story(
        "nobody",
        "2 honest fields, 3 controls",
        BLOCKED,
        (*HONEST, *THREE),
        Outcome("confirmed"),
        turns=SHORT,
    ),
    "slow": Story(
        "nobody",
        "2 honest fields, a control of the operator's own",
        SLOW,
        (*HONEST, OWN_CONTROL),
        Outcome("confirmed"),
        turns=SPEED,
    ),
    "slow_without_own_control": Story(
        "nobody",
        "2 honest fields, 3 controls",
        SLOW,
        (*HONEST, *THREE),
        Outcome("none"),
        limit=True,
        turns=SPEED,
    ),
    "one_control_of_three": Story(
        "1 control that says it is down",
        "2 honest fields, 2 honest controls",
        BLOCKED,
        (control(2, DOWN), control(0), control(1), *HONEST),
        Outcome("confirmed", "none", 1),
        turns=SHORT,
    ),
    "fast_control": Story(
        "1 control that says it is down, and answers before all others",
        "2 honest fields, 2 honest controls",
        BLOCKED,
        (Party(2, DOWN, control=True, fast=True), control(0), control(1), *HONEST),
        Outcome("confirmed", "none", 1),
        turns=SHORT,
    ),
    "one_control_of_two": Story(
        "1 control that says it is down",
        "2 honest fields, 1 honest control",
        BLOCKED,
        (control(2, DOWN), control(0), *HONEST),
        Outcome("suspected", "none", 2),
    ),
    "the_only_control": Story(
        "the only control, which says it is down",
        "2 honest fields",
        BLOCKED,
        (control(2, DOWN), *HONEST),
        Outcome("suspected"),
    ),
    "control_beside_own": Story(
        "1 control that says it is down",
        "2 honest fields, a control of the operator's own",
        BLOCKED,
        (control(2, DOWN), OWN_CONTROL, *HONEST),
        Outcome("confirmed", "none", 1),
        turns=SHORT,
    ),
    "two_controls_one_host": Story(
        "2 controls of one host that say it is down",
        "2 honest fields, 2 honest controls",
        BLOCKED,
        (
            control(2, DOWN, host="h1"),
            control(3, DOWN, host="h1"),
            control(0),
            control(1),
            *HONEST,
        ),
        Outcome("confirmed", "none", 2),
        turns=SHORT,
    ),
    "two_new_controls": Story(
        "2 new controls that say it is down",
        "2 honest fields, 2 honest controls",
        BLOCKED,
        (control(2, DOWN, new=True), control(3, DOWN, new=True), control(0), control(1), *HONEST),
        Outcome("confirmed", "none", 2),
        turns=SHORT,
    ),
    "two_controls_of_three": Story(
        "2 known controls of 3 that say it is down",
        "2 honest fields, 1 honest control",
        BLOCKED,
        (*LIARS, control(0), *HONEST),
        Outcome("none", "confirmed", 1),
        limit=True,
    ),
    "one_key_says_open": Story(
        "1 key that says it is open, on the network of an honest one",
        "2 honest fields, 3 controls",
        BLOCKED,
        (field(0, OPEN), *HONEST, *THREE),
        Outcome("confirmed"),
        turns=SHORT,
    ),
    "two_new_keys_say_open": Story(
        "2 new keys that say it is open, on the network of an honest one",
        "2 honest fields, 3 controls",
        BLOCKED,
        (field(0, OPEN, new=True), field(0, OPEN, new=True), *HONEST, *THREE),
        Outcome("confirmed"),
        turns=SHORT,
    ),
    "two_keys_say_open": Story(
        "2 known keys that say it is open, on the network of an honest one",
        "2 honest fields, 3 controls",
        BLOCKED,
        (field(0), field(0, OPEN), field(0, OPEN), field(1), *THREE),
        Outcome("suspected"),
        limit=True,
    ),
}


class Agent:
    """One party at work."""

    def __init__(self, number: int, party: Party) -> None:
        self.party = party
        self.number = number
        asn, network = (CONTROLS if party.control else FIELDS)[party.network]
        self.point = VantagePoint(
            id=f"{'own' if party.own else 'ctl' if party.control else 'fld'}-{number}",
            country="DE" if party.control else "PK",
            asn=asn,
            network=network,
            role=VantageRole.CONTROL if party.control else VantageRole.FIELD,
        )
        seed = hashlib.sha256(self.point.id.encode()).digest()
        self.key = Ed25519PrivateKey.from_private_bytes(seed)

    def enrolment(self) -> Enrolment:
        """Of its key, a month ago where it is known for long."""
        known = START - timedelta(days=30)
        return Enrolment(
            vantage=self.point.id,
            country=self.point.country,
            asn=self.point.asn,
            network=self.point.network,
            role=self.point.role.value,
            key=public_text(self.key),
            fingerprint=fingerprint(public_text(self.key)),
            enrolled_at=START if self.party.new else known,
            established_at=None if self.party.new else known,
            held_by=self.party.host,
        )

    def report(self, turn: int, truth: str, references: Sequence[Reference]) -> CycleReport:
        """Its cycle of this turn."""
        begun = START + timedelta(seconds=turn * INTERVAL + self.number)
        cycle = new_id()
        says = self.party.says
        if not says or turn < self.party.sleeps:
            # Controls are where nothing is blocked.
            says = OPEN if self.party.control and truth in HINDERED else truth
        wait = 75.0 if self.party.control and not self.party.fast else 5.0
        wait += 9.0 if self.party.fast else 0.0
        seen = [self._at(cycle, begun, wait, host, says) for host in HOSTS]
        made = [one for several in seen for one in several]
        made += [
            self._reference(cycle, begun, wait - 4.0 if says == LISTED else wait + 15.0, one, says)
            for one in references
        ]
        return CycleReport(
            cycle=cycle,
            started_at=begun,
            finished_at=begun + timedelta(seconds=wait + 25.0),
            health=health(
                **self.point.origin, at=begun + timedelta(seconds=wait + 20.0), measured_at=begun
            ),
            measurements=tuple(made),
        )

    def _at(
        self, cycle: str, begun: datetime, wait: float, host: str, says: str
    ) -> list[Measurement]:
        usual = Purpose.CONTROL if self.party.control else Purpose.SCHEDULED
        at = ADDRESSES[host]
        name = dns(name=host, addresses=(at,))
        worked = (
            name,
            tcp(address=at),
            tls(server_name=host, address=at),
            http(url=f"https://{host}/", address=at),
        )
        opened = [self._look(cycle, begun, wait, host, usual, worked, reached=True)]
        if says == LISTED:
            more = f"https://{NAMED}/{host}"
            (first,) = opened
            return [*opened, msgspec.structs.replace(first, id=new_id(), endpoint=more)]
        if says == OPEN:
            return opened
        if says == SLOW:
            return opened + self._transfers(cycle, begun, wait, host)
        if self.party.control:
            refused = (name, tcp("connection_refused", address=at))
            return [self._look(cycle, begun, wait, host, usual, refused)]
        if says == DOWN:
            seen: tuple[AnyObservation, ...] = (name, tcp("connection_refused", address=at))
        elif says == DROPPED:
            seen = (name, tcp("generic_timeout_error", address=at))
        else:
            cut = tls("connection_reset", server_name=host, address=at)
            seen = (name, tcp(address=at), cut)
        attempts = [
            self._look(cycle, begun, wait + 2.0 * n, host, kind, seen, attempt=n + 1)
            for n, kind in enumerate((Purpose.SCHEDULED, *(Purpose.RETRY,) * 3))
        ]
        if says == DOWN:
            return attempts
        ask = partial(self._follow_up, cycle, begun)
        if says == DROPPED:
            beside = (
                tcp(address=NEIGHBOUR),
                tls(server_name="beside.example", address=NEIGHBOUR),
            )
            silent = (tcp("generic_timeout_error", address=at, start=3.0),)
            asked = (*_for(Reason.NEIGHBOUR, beside), *_for(Reason.ADDRESS_AGAIN, silent))
            follow_up = self._look(cycle, begun, wait + 10.0, host, Purpose.FOLLOW_UP, asked)
            return [*attempts, follow_up]
        if says == SHARE:
            named = [
                tls("connection_reset" if n % 2 else None, server_name=host, address=at)
                for n in range(32)
            ]
            others = [tls(server_name="innocuous.example", address=at) for _ in range(32)]
            return [
                *attempts[:1],
                self._look(
                    cycle, begun, wait + 4.0, host, Purpose.RETRY, worked, attempt=2, reached=True
                ),
                ask(wait + 10.0, host, Reason.FLOW_NAME, named),
                ask(wait + 12.0, host, Reason.FLOW_INNOCUOUS, others),
            ]
        innocuous = (tcp(address=at), tls(server_name="innocuous.example", address=at))
        again = (tcp(address=at), tls("connection_reset", server_name=host, address=at))
        return [
            *attempts,
            ask(wait + 10.0, host, Reason.INNOCUOUS_SNI, innocuous),
            ask(wait + 12.0, host, Reason.NAME_AGAIN, again),
        ]

    def _transfers(self, cycle: str, begun: datetime, wait: float, host: str) -> list[Measurement]:
        """Three rounds: slow under the platform's name, fast under another at the same address."""
        if self.party.control:
            return []
        rounds = []
        for number in range(3):
            seen: list[AnyObservation] = [
                tcp(address=ADDRESSES[host]),
                _flow(host, TRANSFER_TARGET, 0.1 * MBIT),
                _flow(host, TRANSFER_INNOCUOUS, 50 * MBIT),
            ]
            at = wait + 2.0 + 5.0 * number
            rounds.append(self._look(cycle, begun, at, host, Purpose.TRANSFER, seen, reached=True))
        return rounds

    def compared(self, asked: CycleReport) -> list[Measurement]:
        """What this control gets of the objects whose speed a vantage measured in that cycle."""
        transfers = [one for one in asked.measurements if one.look is Purpose.TRANSFER]
        hosts = [host for host in HOSTS if any(host in one.endpoint for one in transfers)]
        return [
            self._look(
                *(asked.cycle, asked.started_at, 30.0, host, Purpose.TRANSFER),
                [tcp(address=ADDRESSES[host]), _flow(host, TRANSFER_TARGET, 50 * MBIT)],
                reached=True,
            )
            for host in hosts
        ]

    def _follow_up(
        self,
        cycle: str,
        begun: datetime,
        wait: float,
        host: str,
        reason: Reason,
        seen: Sequence[AnyObservation],
    ) -> Measurement:
        return self._look(cycle, begun, wait, host, Purpose.FOLLOW_UP, _for(reason, seen))

    def _look(
        self,
        cycle: str,
        begun: datetime,
        wait: float,
        host: str,
        kind: Purpose,
        seen: Sequence[AnyObservation],
        *,
        attempt: int = 1,
        reached: bool = False,
    ) -> Measurement:
        made = look(
            *seen,
            reached=reached,
            attempt=attempt,
            endpoint=f"https://{host}/",
            function=FUNCTIONS[host],
            kind=kind,
            id=new_id(),
        )
        at = begun + timedelta(seconds=wait)
        return msgspec.structs.replace(made, cycle=cycle, started_at=at, **self.point.origin)

    def _reference(
        self, cycle: str, begun: datetime, wait: float, reference: Reference, says: str
    ) -> Measurement:
        endpoint = reference.endpoint
        barred = says == LISTED and reference.scope is ReferenceScope.INTERNATIONAL
        worked = (
            dns(name=endpoint.host),
            tcp(port=endpoint.port or 443),
            tls(server_name=endpoint.host),
        )
        made = look(
            *((dns(name=endpoint.host), tcp("generic_timeout_error")) if barred else worked),
            reached=not barred,
            endpoint=endpoint.id,
            platform=REFERENCE_PLATFORM,
            function=reference.scope.value,
            kind=Purpose.REFERENCE,
            id=new_id(),
        )
        return msgspec.structs.replace(
            made, cycle=cycle, started_at=begun + timedelta(seconds=wait), **self.point.origin
        )


def _for(reason: Reason, seen: Sequence[AnyObservation]) -> list[AnyObservation]:
    return [msgspec.structs.replace(one, reason=reason.value) for one in seen]


def _flow(host: str, reason: str, rate: float) -> TransferObservation:
    """128 KiB, or what of it comes within ten seconds, at so many bit/s."""
    marks = [(0.1 + n * 4096 * 8 / rate, n * 4096) for n in range(1, 33)]
    marks = [mark for mark in marks if mark[0] < 10.0]
    return TransferObservation(
        start=0.5,
        duration=marks[-1][0],
        reason=reason,
        url=f"https://{host}/",
        address=ADDRESSES[host],
        server_name=host if reason == TRANSFER_TARGET else "innocuous.example",
        verified=reason == TRANSFER_TARGET,
        bytes_wanted=32 * 4096,
        bytes_read=marks[-1][1],
        marks=tuple(marks),
    )


def settings(story: Story) -> Settings:
    """Of a collector with the defaults of one, that watches one platform."""
    usual = default_settings()
    platforms = tuple(one for one in usual.catalog.platforms if one.name == "x")
    kinds: dict[ReferenceScope, list[Reference]] = {}
    for one in usual.catalog.references:
        kinds.setdefault(one.scope, []).append(one)
    says = {story.truth, *(one.says for one in story.parties)}
    number = BARRED_REFERENCES if LISTED in says else REFERENCES
    references = tuple(one for kind in KINDS for one in kinds[kind][:number])
    events = EventSettings(
        agreement=COLLECTED_AGREEMENT, interval=INTERVAL, probation=story.probation
    )
    own = tuple(Agent(n, one).point for n, one in enumerate(story.parties) if one.own)
    return msgspec.structs.replace(
        usual,
        interval=INTERVAL,
        events=events,
        collector=CollectorSettings(listen=("127.0.0.1", 0)),
        vantages=own,
        catalog=msgspec.structs.replace(usual.catalog, platforms=platforms, references=references),
    )


async def play(story: Story) -> tuple[Outcome, CollectorStore]:
    """What comes of it, and the store with all of it."""
    used, store, clock = settings(story), MemoryStore(), Clock()
    agents = [Agent(number, party) for number, party in enumerate(story.parties)]
    references = tuple(used.catalog.references_for("PK"))
    async with collecting(store=store, used=used, now=clock) as collector:
        for agent in agents:
            if not agent.party.own:
                await store.enrol(agent.enrolment())
        # Nobody enrols after the start, and nobody else asks for the lead.
        async with leading(used, store, clock, ask_every=1.0, pause=PAUSE) as leader:
            for turn in range(story.turns):
                truth = story.truth if QUIET_TURNS <= turn < story.ends else OPEN
                clock.at = START + timedelta(seconds=turn * INTERVAL + 130.0)
                own = tuple(one for one in agents if one.party.own)
                bring = partial(_bring, collector, turn, truth, references, clock, own)
                # What is seen in the field comes first, and waits for a control.
                for controls in (False, True):
                    side = [one for one in agents if one.party.control is controls]
                    await asyncio.gather(*map(bring, side))
                await _judged(store)
                await _compare(leader)
        outcome = await _outcome(store)
    return outcome, store


async def _bring(
    collector: Collector,
    turn: int,
    truth: str,
    references: Sequence[Reference],
    clock: Clock,
    own: Sequence[Agent],
    agent: Agent,
) -> None:
    report = agent.report(turn, truth, references)
    if agent.party.own:
        await _hand_over(collector.store, agent, report, clock)
    else:
        for one in own:
            await collector.store.add_control_measurements(one.compared(report))
        await _send(collector, agent, report, clock)


async def _send(collector: Collector, agent: Agent, report: CycleReport, clock: Clock) -> None:
    batch = Batch(format=FORMAT, vantage=agent.point.id, version="0.1.0", reports=(report,))
    signed = request(encode_batch(batch), key=agent.key, vantage=agent.point.id, sent_at=clock.at)
    answer = await collector.send(*signed)
    assert answer.status_code == 200, answer.text


async def _hand_over(
    store: CollectorStore, agent: Agent, report: CycleReport, clock: Clock
) -> None:
    """As a collector hands over what its own control measured on schedule."""
    seen = SeenCycle(
        country=agent.point.country,
        id=report.cycle,
        vantage=agent.point.id,
        started_at=report.started_at,
        finished_at=report.finished_at,
        health=report.health,
        measurements=report.measurements,
    )
    batch = ReceivedBatch(
        country=agent.point.country,
        vantage=agent.point.id,
        id=report.cycle,
        fingerprint="",
        sent_at="",
        encoding="identity",
        signature="",
        body_sha256=hashlib.sha256(b"").hexdigest(),
        body=b"",
        received_at=clock.at,
    )
    await store.receive(batch, (seen,))


async def _judged(store: CollectorStore) -> None:
    async with asyncio.timeout(60.0):
        while await store.waiting(1):  # noqa: ASYNC110 # what is waited for knows of no events
            await asyncio.sleep(0.02)


async def _compare(leader: Leader) -> None:
    assert leader.agreement is not None
    await leader.agreement.compare()


async def _outcome(store: CollectorStore) -> Outcome:
    events = await flat(store.events(EVERYTHING))

    def furthest(kind: EventKind) -> str:
        found = [event for event in events if event.kind is kind]
        if any(event.confirmed_at is not None for event in found):
            return "confirmed"
        return "suspected" if found else "none"

    differing = {one.vantage for one in events if one.kind is EventKind.CONTROL_DIFFERS}
    return Outcome(
        furthest(EventKind.BLOCK),
        furthest(EventKind.OUTAGE),
        len(differing),
        furthest(EventKind.ALLOWLIST),
    )


# -- the document ------------------------------------------------------------------------------

_TOP = """# What hostile keys can do

Whoever holds an agent's key can sign what nobody measured. This page shows what follows, with a
collector's default settings. Each row is a test: forged batches go over HTTP to a real collector
(`tests/collector/test_poisoning.py` generates this page). `shutwatch run` trusts its own lines;
this does not apply there.

## The rules

- **Weight.** Those who find a platform blocked confirm an event when they weigh [`[events]
  agreement`](config.md#events), 2 at a collector. A known agent weighs 1, as does a vantage of the
  collector's own. *Conclusive* evidence needs that weight too; a verdict keeps its own grade.
- **One host, one network: one vote.** Agents of one network, or of one host by your label
  (`vantage invite --host`), weigh as one. Two labels on one network weigh as two.
- **Keys of new vantages weigh a quarter** until their results agreed with unrelated vantages for
  [`[events] probation`](config.md#events), a week.
- **A shutdown** needs that weight of silent agents. A confirmed block that comes back is suspected
  until those who say so weigh enough.
- **Controls vote.** The heavier side counts, if it weighs `agreement`. A control of the collector's
  own outweighs one agent, suffices alone, and is never outvoted. If neither side counts
  (`control.unsettled`), a block is suspected and never confirmed.
- **Speed** is compared by the collector's own controls alone; without one, slowness makes no event.
- **Controls are enrolled as such** (`--role control`); no batch makes one.
- **A control that disagrees** with most others has its own event, `control_differs`, on the page,
  in `shutwatch_circumstance_state` and in messages of routes that ask for it. With two controls,
  both have one.

Page, API, CSV files, reports and messages show the weight, how much is needed, and why it is not
more.

"""
_SEEN = "| who is hostile | who else measures | the platform is | events | controls noted |"
_RULE = "|---|---|---|---|---|"


def document() -> str:
    """docs/poisoning.md."""
    prevented = [story for story in STORIES.values() if not story.limit]
    limits = [story for story in STORIES.values() if story.limit]
    return (
        f"{_TOP}## What is prevented\n\n"
        "No single key makes a confirmed block, and no single control hides one.\n\n"
        f"{_table(prevented)}\n\n## What an attacker can still do\n\n"
        "Two unrelated, patient people are believed, as two honest ones are. Slowness stays unseen"
        " where\nthe collector has no control of its own.\n\n"
        f"{_table(limits)}\n\n## Batches that are refused\n\n"
        "Tests send each of these to a real collector. It is refused, and nothing is stored.\n"
        "[The reasons](agents-api.md#why-a-request-is-refused) are those that an agent gets.\n\n"
        f"{_refused()}\n"
    )


def _refused() -> str:
    """What is forged or broken, by the reason for which it is refused."""
    by_reason: dict[str, list[str]] = {}
    for one in FORGED.values():
        by_reason.setdefault(str(one.reason), []).append(one.words)
    rows = [f"| `{reason}` | {'; '.join(words)} |" for reason, words in by_reason.items()]
    return "\n".join(("| refused as | a batch with |", "|---|---|", *rows))


def _table(stories: Sequence[Story]) -> str:
    return "\n".join((_SEEN, _RULE, *map(_row, stories)))


def _row(story: Story) -> str:
    made = story.outcome
    kinds = {"block": made.block, "outage": made.outage, "list of sites": made.allowlist}
    events = ", ".join(f"{kind} {state}" for kind, state in kinds.items() if state != "none")
    cells = (story.hostile, story.beside, story.truth, events or "none")
    return f"| {' | '.join(cells)} | {made.differing} |"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), "utf-8")
