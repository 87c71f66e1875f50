"""Progress of what takes longer than a moment: bars on standard error, gone when all is done.

Nothing is shown where standard error is no terminal, nor in the first second.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

AFTER = 1.0
"""Seconds after which bars appear."""


class Bar:
    """One task. Nobody sees it where `shown` is None."""

    def __init__(self, shown: "Progress | None", what: str, total: float | None) -> None:
        self._shown = shown
        self._done: float = 0
        self._total = total
        self._task: Any = shown.add_task(what, total=total, count="") if shown else None

    def advance(self) -> None:
        """One more is done."""
        self.update(self._done + 1)

    def update(
        self, done: float | None = None, total: float | None = None, what: str | None = None
    ) -> None:
        """How many are done, of how many, and of what; None where that is as before."""
        self._done = self._done if done is None else done
        self._total = total or self._total
        count = f"{self._done:,.0f} of {self._total:,.0f}" if self._total else f"{self._done:,.0f}"
        if self._shown:
            self._shown.update(
                self._task,
                completed=self._done,
                total=self._total,
                description=what,
                count=count,
            )


class Bars:
    """The tasks of a command."""

    open = False
    """Bars are shown: those of what is called meanwhile are left out."""

    def __init__(self, shown: "Progress | None") -> None:
        self._shown = shown

    def bar(self, what: str, total: float | None = None) -> Bar:
        """Another task. `total` is None where nobody knows how much there is to do."""
        return Bar(self._shown, what, total)


@contextmanager
def progress_bars(results: IO[Any] | None = None) -> Iterator[Bars]:
    """Bars while the context is open. `results` is what is written to meanwhile: on a terminal its
    lines show progress, and bars would part them."""
    if Bars.open or not sys.stderr.isatty() or (results is not None and results.isatty()):
        yield Bars(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    shown = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]}", markup=False),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # it would send results to standard error
    )
    begins = Timer(AFTER, shown.start)
    begins.daemon = True
    Bars.open = True
    begins.start()
    try:
        yield Bars(shown)
    finally:
        Bars.open = False
        begins.cancel()
        begins.join()
        if shown.live.is_started:
            shown.stop()


@contextmanager
def progress(
    what: str, total: float | None = None, *, results: IO[Any] | None = None
) -> Iterator[Bar]:
    """The bar of a command with one task. For `results` see `progress_bars`."""
    with progress_bars(results) as bars:
        yield bars.bar(what, total)
