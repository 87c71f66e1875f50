"""Times in tables whose header says UTC."""

from datetime import UTC, datetime


def short(moment: datetime | None) -> str:
    """`2024-02-17 18:12:05`; empty for none."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def short_span(start: datetime | None, end: datetime | None, without: tuple[str, str]) -> str:
    """Two moments, the day once; `without` stands for one that is not known."""
    first, second = short(start), short(end)
    if first and second and first[:10] == second[:10]:
        second = second[11:]
    return f"{first or without[0]} – {second or without[1]}"
