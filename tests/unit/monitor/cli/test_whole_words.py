"""Tables of a terminal keep words whole where there is room, and one thing is not several."""

import io

import pytest
from rich.console import Console

from monitor.cli.counts import counted
from monitor.cli.output import table
from monitor.cli.whole_words import fitted


def test_words_are_whole_where_there_is_room() -> None:
    """A long sentence gives way, not the id beside it."""
    shown = table("vantage", "what it says")
    shown.add_row("control-de-hetzner", "a long sentence of many short words that has to fold")
    console = Console(width=40, file=io.StringIO())
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines == [
        "vantage             what it says",
        "control-de-hetzner  a long sentence of",
        "                    many short words",
        "                    that has to fold",
    ]


@pytest.mark.parametrize(
    ("sizes", "room", "widths"),
    [
        ([(3, 5), (4, 40)], 100, [5, 40]),
        ([(3, 5), (4, 40)], 20, [5, 15]),
        ([(10, 20), (10, 60)], 50, [20, 30]),
        ([(10, 10), (30, 30), (8, 8)], 40, [10, 22, 8]),
        ([(5, 5), (5, 5), (5, 5)], 2, [1, 1, 1]),
    ],
)
def test_only_the_longest_words_are_cut(
    sizes: list[tuple[int, int]], room: int, widths: list[int]
) -> None:
    """And what is left goes to those that need least."""
    assert fitted(sizes, room) == widths


def test_one_of_a_thing_is_not_many() -> None:
    """Exports said "1 events" and "1 stretches"."""
    told = [counted(1, "event"), counted(0, "event"), counted(1, "stretch", "stretches")]
    assert told == ["1 event", "0 events", "1 stretch"]
    assert counted(2000, "stretch", "stretches") == "2,000 stretches"
