"""One monitor that watches X from two networks of Pakistan and one each of Brazil and Kenya."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from monitor.analysis.events.event import Stretch
from tests.e2e.running import PROMPT, Monitor, exported, running, stored_log, wait_for
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import write_config

HASTY = "[events]\nfalse_suspected = 10\nfalse_confirmed = 1\nfalse_ends = 1000"
"""A budget of errors that lets strong evidence be believed within a few cycles."""
BRISK = {"retry_pause": "0.1s", "rate": 400}
"""With it the longest cycle, of which every look is repeated, ends before the next is due."""
X_NAMES = ["x.com", ".x.com", "twitter.com", ".twitter.com"]
X_HOSTS = [
    *("x.com", "twitter.com", "api.x.com", "api.twitter.com"),
    *("abs.twimg.com", "pbs.twimg.com", "video.twimg.com", "t.co"),
]
NETWORKS = {"ptcl": "PK", "jazz": "PK", "vivo": "BR", "safaricom": "KE"}
ASNS = (17557, 45669, 27699, 33771)
Row = dict[str, str]


class Watched(msgspec.Struct):
    """The monitor and the world it looks at."""

    lab: Lab
    config: Path
    monitor: Monitor

    def block(self, country: str) -> str:
        """The state of the block of X in a country; empty while there is none."""
        samples = self.monitor.samples("shutwatch_blocking_event_state", country=country)
        return next((dict(labels)["state"] for labels in samples), "")

    def circumstances(self) -> dict[str, Row]:
        """Active events that are no blocks: kind → labels."""
        samples = self.monitor.samples("shutwatch_circumstance_state")
        return {dict(labels)["kind"]: dict(labels) for labels in samples}

    def calm(self) -> bool:
        """Nothing is wrong, and nothing is thought so."""
        now = self.monitor.scrape()
        return (
            all(now.platform_states(one.name) == {"x": "ok"} for one in self.lab.networks)
            and not now.samples("shutwatch_blocking_event_state")
            and not now.samples("shutwatch_circumstance_state")
        )

    def await_calm(self) -> None:
        """Wait for it."""
        wait_for(self.calm, "calm", 90)

    def mark(self) -> int:
        """How much was logged of events so far."""
        return len(self.monitor.said("event"))

    def lines(self, begun: int) -> list[Row]:
        """What was logged of events since that mark."""
        return self.monitor.said("event")[begun:]

    def changes(self, begun: int, country: str) -> list[str]:
        """What was logged of one country's, change by change."""
        return [line["change"] for line in self.lines(begun) if line["country"] == country]

    def await_confirmed(self, kind: str, **labels: str) -> None:
        """Wait until an event that is no block is confirmed; it must be the only one there is."""
        wait_for(
            lambda: self.circumstances().get(kind, {}).get("state") == "confirmed",
            f"{kind} to be confirmed",
        )
        shown = self.circumstances()
        assert list(shown) == [kind]
        assert labels.items() <= shown[kind].items()

    def end(self, begun: int, kind: str) -> None:
        """Let all be well again: nothing but this event was ever thought of, and it ends.

        Cycles of several vantages that end within milliseconds are recorded in either order. If
        the earlier one is recorded second, it is put in its place: the event is revised, which
        may already confirm or end it.
        """
        self.lab.reset()
        self.await_calm()
        lines = self.lines(begun)
        assert {line["kind"] for line in lines} == {kind}
        changes = [line["change"] for line in lines]
        steps = [change for change in ("opened", "confirmed", "ended") if change in changes]
        assert [change for change in changes if change != "revised"] == steps
        assert changes[0] == "opened"
        assert len(steps) == 3 or "revised" in changes

    def newest(self, kind: str) -> Row:
        """The last event of a kind as exported, which has ended within bounds."""
        row = self.export("events", kind=kind)[-1]
        assert row["state"] == "ended"
        assert row["onset_earliest"] < row["onset_latest"] <= row["end_earliest"]
        assert row["end_earliest"] < row["end_latest"]
        return row

    def export(self, what: str, **fields: str) -> list[Row]:
        """Rows of the CSV file, as a person would get it."""
        return [row for row in exported(self.config, what) if fields.items() <= row.items()]

    def judged(self, vantage: str, state: str) -> set[tuple[str, str]]:
        """Rules by which, and evidence with which, endpoints were judged so from there."""
        rows = self.export("verdicts", vantage=vantage, state=state)
        return {(row["rule_id"], row["evidence"]) for row in rows}

    def await_conclusive(self, vantage: str, rule: str) -> None:
        """Wait until that rule has judged an endpoint so for sure."""
        wait_for(
            lambda: (rule, "conclusive") in self.judged(vantage, "blocked"), f"{rule}, conclusive"
        )

    def stretches(self, event: str) -> tuple[Stretch, ...]:
        """Of the one network that a stored event is about."""
        networks = stored_log(self.lab, event)[-1].snapshot.networks
        (affected,) = [network for network in networks if network.affected]
        return affected.stretches


@contextmanager
def watching(*more: LabNetwork, controls: int = 2) -> Iterator[Watched]:
    """The monitor, looking every few seconds from every network and from `more`."""
    networks = [
        LabNetwork(name, asn, country)
        for (name, country), asn in zip(NETWORKS.items(), ASNS, strict=True)
    ]
    with Lab([*networks, *more], controls=controls) as lab:
        config = write_config(lab, interval="4s", platforms=["x"], extra=HASTY, probe=BRISK)
        with running(lab, config) as monitor:
            yield Watched(lab=lab, config=config, monitor=monitor)
            assert monitor.stop() < PROMPT
            assert not monitor.said("cycle failed")
