"""Options that select by time, country and platform, as several commands have them."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from monitor.cli.exits import bad_usage
from storage.values.selection import Selection

Since = Annotated[str, typer.Option(help="Earliest time, UTC: 2024-02-17 or 2024-02-17T18:00.")]
Until = Annotated[str, typer.Option(help="Time before which to stop, UTC.")]
Country = Annotated[str, typer.Option(help="ISO 3166-1 alpha-2 code, such as PK.")]
Platform = Annotated[str, typer.Option(help="Platform name, as in the catalogue.")]


def selection_of(since: str, until: str, country: str, platform: str) -> Selection:
    """What the options select; exits with 2 when a time is not a date."""
    return Selection(
        since=moment_of("--since", since),
        until=moment_of("--until", until),
        country=country.upper(),
        platform=platform,
    )


def moment_of(option: str, text: str) -> datetime | None:
    """The time a person wrote, in UTC; None for no text. Exits with 2 when it is not a date."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_usage(
            f"{option} {text!r} is not a date: write 2024-02-17 or 2024-02-17T18:00"
        ) from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
