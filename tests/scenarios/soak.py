"""Many seeded runs of one story, side by side: each worker keeps a lab, takes seed after seed."""

import os
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tests.lab.lab import Lab
from tests.scenarios.story import Line, Seen, seen, write_config

T = TypeVar("T")

LABS = int(os.environ.get("SHUTWATCH_SOAK_LABS", "4"))
"""Labs that run side by side. They mostly wait; a machine that is too busy shows as silence."""
SHARE = float(os.environ.get("SHUTWATCH_SOAK_SHARE", "1"))
"""Share of the full set to run, for a first look."""

PATIENT = {
    "dns_timeout": "4s",
    "tcp_timeout": "10s",
    "tls_timeout": "10s",
    "http_timeout": "10s",
    "dns_window": "1s",
    "retry_pause": "2s",
    "rate": 400,
    "concurrency": 1000,
}
"""The settings as shipped, but for the rate, which would make thirty vantages wait for each other:
each would be a machine of its own."""
HURRIED = {
    **PATIENT,
    "dns_timeout": "3s",
    "tcp_timeout": "4s",
    "tls_timeout": "4s",
    "http_timeout": "4s",
    "retry_pause": "0.5s",
}
"""For samples: less patience means more silence, which is no easier to judge."""
LONGEST = 900.0
"""Seconds that one cycle may take."""


def side_by_side(
    make: Callable[[], Lab], seeds: Sequence[int], run: Callable[[Lab, int], T], labs: int = LABS
) -> dict[int, T]:
    """`run` for every seed, each time on a lab as new; seed → what came out."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for seed in seeds:
        waiting.put(seed)
    found: dict[int, T] = {}
    starting = threading.Lock()

    def work() -> None:
        with ExitStack() as stack:
            # One after the other: the first makes the authority that all of them trust.
            with starting:
                lab = stack.enter_context(make())
            while True:
                try:
                    seed = waiting.get_nowait()
                except queue.Empty:
                    return
                lab.reset()
                found[seed] = run(lab, seed)

    with ThreadPoolExecutor(labs) as pool:
        for job in [pool.submit(work) for _ in range(min(labs, len(seeds)))]:
            job.result()
    return dict(sorted(found.items()))


def look(
    lab: Lab, probe: Mapping[str, Any] = PATIENT, *, transfers: bool = False, **options: Any
) -> Seen:
    """One cycle of every vantage."""
    path = write_config(lab, egress="interface", probe=probe, **options)
    more = ["--transfers"] if transfers else []
    argv = ["shutwatch", "once", "--config", str(path), "--json", *more]
    return seen(lab.run(argv, timeout=LONGEST))


class Said(msgspec.Struct, frozen=True):
    """What one line of the answer comes to."""

    state: str
    method: str
    rule_id: str
    evidence: str

    def __str__(self) -> str:
        if self.evidence == "none":
            return f"{self.state} ({self.rule_id})"
        return f"{self.state} ({self.rule_id}, {self.evidence})"


def said(line: Line) -> Said:
    """The verdict of an endpoint's or a platform's line."""
    return Said(*(line[key] for key in ("state", "method", "rule_id", "evidence")))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in row)} |\n" for row in lines)


def write_rows(
    document: Path, introduction: str, head: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Write a document with one table, whose rows begin with a number. Rows that it has of other
    numbers stay."""
    known = document.read_text(encoding="utf-8").splitlines() if document.exists() else []
    before = [line.strip("| ").split(" | ") for line in known if line.startswith("|")][2:]
    new = [[str(cell) for cell in row] for row in rows]
    kept = [row for row in before if row[0] not in {one[0] for one in new}]
    body = table(head, sorted([*kept, *new], key=lambda row: int(str(row[0]))))
    document.write_text(introduction + body, encoding="utf-8")


def counted(words: Mapping[str, Sequence[int]], most: int = 6) -> str:
    """Each thing said, how often, and the seeds it was said for."""
    parts = []
    for word, seeds in sorted(words.items(), key=lambda item: -len(item[1])):
        shown = ", ".join(map(str, seeds[:most])) + (", …" if len(seeds) > most else "")
        parts.append(f"{len(seeds)} × {word}: seed {shown}")
    return "; ".join(parts) or "–"
