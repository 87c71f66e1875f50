"""The demonstration on a terminal: one line for each thing that happens, and a table below."""

from collections.abc import Callable
from datetime import datetime

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from monitor.analysis.events.event import Event, EventLogEntry
from monitor.analysis.events.stretches import newest
from monitor.analysis.verdict import PlatformVerdict
from monitor.demo.chapters import Results
from monitor.demo.plan import FIELD, PLATFORMS
from monitor.wording.changes import change_in_words
from monitor.wording.grades import grade_in_words
from monitor.wording.states import STATE_STYLES, STATES
from monitor.wording.visible_text import visible
from monitor.wording.words import words_in

_MARGIN = 17
"""Columns before what is said: the time, and whose word it is."""
TITLES = {"x": "X", "whatsapp": "WhatsApp", "youtube": "YouTube"}
EVENT_STYLES = {
    "opened": "bold yellow",
    "confirmed": "bold red",
    "network_affected": "red",
    "method_added": "red",
    "network_recovering": "yellow",
    "recovering": "bold yellow",
    "network_recovered": "green",
    "ended": "bold green",
}


class Screen:
    """Use as a context manager: the table is shown inside it."""

    def __init__(self, console: Console, *, seconds: Callable[[], float]) -> None:
        """`seconds` returns the time since the story began."""
        self.console = console
        self._seconds = seconds
        self._live: Live | None = None
        self._messages = False
        """Whether one has arrived."""
        self._shown: dict[tuple[str, str], str] | None = None
        if console.is_terminal:
            self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> "Screen":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def heading(self, *lines: str) -> None:
        """Print lines without a time."""
        for line in lines:
            self.console.print(line, soft_wrap=True)

    def happens(self, what: str) -> None:
        """The story changes the world."""
        self._line(f"[bold cyan]world[/]      {escape(what)}")

    def found(self, what: str) -> None:
        """The monitor detected what was expected."""
        self._line(f"           [green]detected: {escape(what)}[/]")

    def missed(self, what: str) -> None:
        """The monitor did not detect it in time."""
        self._line(f"           [bold red]not detected: {escape(what)}[/]")

    def logged(self, entry: EventLogEntry) -> None:
        """The monitor wrote this into the log of the event."""
        name = change_in_words(words_in(), entry)
        style = EVENT_STYLES.get(entry.change, "bold")
        about = escape(about_change(entry))
        self._line(f"[bold magenta]shutwatch[/]  [{style}]{name}[/]{': ' if about else ''}{about}")

    def message(self, title: str, text: str) -> None:
        """A notification arrived; the first one is shown in full."""
        self._line(f"[bold blue]phone[/]      {escape(visible(title))}")
        shown, self._messages = not self._messages, True
        for line in text.splitlines() if shown else ():
            self._print(f"{'':{_MARGIN}}[dim]{escape(visible(line))}[/]")

    def reported(self, made: bool, text: str) -> None:
        """A report was made, or could not be made."""
        self._line(f"[bold blue]report[/]     {'' if made else 'none: '}{escape(visible(text))}")

    def show(self, results: Results) -> None:
        """Update the table, which only a terminal shows."""
        cells = {key: _cell(verdict) for key, verdict in results.verdicts.items()}
        if self._live is not None and cells != self._shown:
            self._shown = cells
            self._live.update(matrix(results), refresh=True)

    def _line(self, text: str) -> None:
        self._print(f"[dim]{clock(self._seconds())}[/]  {text}")

    def _print(self, markup: str) -> None:
        """On a terminal what is too long goes on below; a file gets one line."""
        line = Text.from_markup(markup)
        if self.console.is_terminal:
            head, body = line.divide([_MARGIN])
            room = max(_MARGIN, self.console.width - _MARGIN)
            line = head + Text(f"\n{'':{_MARGIN}}").join(body.wrap(self.console, room))
        self.console.print(line, soft_wrap=True)


def clock(seconds: float) -> str:
    """`0:07`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def about_change(entry: EventLogEntry) -> str:
    """The details of a change, without its name; may be empty."""
    event = entry.snapshot
    what = f"{TITLES.get(event.platform, event.platform)} in {words_in().country(event.country)}"
    if entry.change in ("opened", "reopened", "reblocked"):
        return f"{what}, {entry.detail}, evidence {grade_in_words(words_in(), event.evidence)}"
    if entry.change == "confirmed":
        return f"{what} is blocked, {entry.detail}"
    if entry.change == "ended":
        return f"{what}, {bounds(event)}"
    return entry.detail


def bounds(event: Event) -> str:
    """When the event began and ended, as far as that is known."""
    last = newest(event)
    began = _between(last.onset_earliest, last.onset_latest)
    return f"it began {began} and ended {_between(last.end_earliest, last.end_latest)} UTC"


def _between(earliest: datetime | None, latest: datetime | None) -> str:
    if earliest is None or latest is None:
        known = earliest or latest
        return f"about {known:%H:%M:%S}" if known is not None else "at an unknown time"
    return f"between {earliest:%H:%M:%S} and {latest:%H:%M:%S}"


def matrix(results: Results) -> Table:
    """Platforms by networks: the newest verdicts."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for network in FIELD:
        table.add_column(f"{network.title}\nAS{network.asn}")
    for platform in PLATFORMS:
        cells = []
        for network in FIELD:
            verdict = results.verdicts.get((network.id, platform))
            cells.append(_cell(verdict) if verdict is not None else "[dim]no data yet[/]")
        table.add_row(TITLES[platform], *cells)
    return table


def _cell(verdict: PlatformVerdict) -> str:
    method = ".".join(filter(None, (verdict.method, verdict.sub_method)))
    how = f" {method}" if method else ""
    return f"[{STATE_STYLES[verdict.state]}]{STATES[verdict.state]}{how}[/]"
