"""Options that select by time, country and platform, as several commands have them."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

import typer

from monitor.cli.exits import bad_usage
from monitor.cli.store_options import opened
from monitor.config import filters as config_filters
from monitor.config.filters import FilterError, Filters, configured_names
from monitor.config.settings import Settings
from monitor.wording.filters import filter_problem
from monitor.wording.words import words_in
from probes.measurement import REFERENCE_PLATFORM
from storage.store import StorageError
from storage.values.names import Names
from storage.values.selection import Selection
from storage.values.steady_clock import utc_now


def _not_empty(context: typer.Context, option: typer.CallbackParam, value: str) -> str:
    """A script whose variable is unset must not get everything. Exits with 2."""
    source = context.get_parameter_source(option.name or "")
    if not value and source is not None and source.name == "COMMANDLINE":
        raise bad_usage(f"{option.opts[0]} is empty: leave it out to select everything")
    return value


def _filter(text: str) -> Any:
    return typer.Option(help=text, callback=_not_empty)


Since = Annotated[str, _filter("Earliest time, UTC: 2024-02-17 or 2024-02-17T18:00.")]
Until = Annotated[str, _filter("Time before which to stop, UTC.")]
Country = Annotated[str, _filter("ISO 3166-1 alpha-2 code, such as PK.")]
Platform = Annotated[str, _filter("Platform name, as in the catalogue.")]

REFERENCES = Names(platforms=frozenset({REFERENCE_PLATFORM}))
"""What measurements that show a vantage's own health have in place of a platform."""


def selection_of(
    settings: Settings,
    filters: Filters,
    *,
    database: str | None = None,
    also: Names | None = None,
    ahead: bool = False,
) -> Selection:
    """What the options select; exits with 2 when one is wrong, and says what is meant.

    `database` is where unknown names are looked up, by default that of the settings, empty for
    nowhere; `also` are names known besides. `ahead` allows times in the future.
    """
    url = settings.database if database is None else database

    async def stored() -> Names:
        try:
            async with opened(url) as store:
                return await store.names()
        except StorageError:
            return Names()  # then it is the name that is wrong

    known = configured_names(settings) | (also or Names())
    try:
        return asyncio.run(
            config_filters.selection_of(
                filters, known, utc_now(), stored if url else None, ahead=ahead
            )
        )
    except FilterError as error:
        wrong = error.wrong
        problem = filter_problem(words_in(), wrong, f"--{wrong.filter}")
        raise bad_usage(" ".join(problem)) from error


def moment_of(option: str, text: str) -> datetime | None:
    """The time a person wrote, in UTC; None for no text. Exits with 2 when it is not a date."""
    if not text:
        return None
    try:
        return config_filters.moment_of(text)
    except ValueError as error:
        raise bad_usage(
            f"{option} {text!r} is not a date: write 2024-02-17 or 2024-02-17T18:00"
        ) from error
