"""`shutwatch ooni`: work with OONI's volunteers."""

import re
from typing import Annotated

import typer

from monitor.cli.exits import bad_usage
from monitor.cli.lazy_group import command_group
from monitor.cli.options import ConfigOption, JsonOption, load_settings
from monitor.cli.output import print_json
from monitor.sources.ooni_run import NAME_LENGTH, RUN, SHORT_LENGTH, descriptor, invitation
from monitor.wording.invitation import for_volunteers, short_description
from monitor.wording.languages import BY_CODE
from monitor.wording.words import words_in

_ADDRESS = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")

app = command_group("Work with OONI's volunteers.")


@app.callback()
def group() -> None:
    """Work with OONI's volunteers."""


@app.command()
def invite(
    author: Annotated[
        str,
        typer.Option(help="E-mail address that OONI publishes with the link: an organisation's."),
    ] = "",
    name: Annotated[str, typer.Option(help="Name of the link.")] = "Are these platforms reachable?",
    platform: Annotated[
        list[str] | None,
        typer.Option(help="A platform to test; may be given again. All watched ones by default."),
    ] = None,
    background: Annotated[
        bool, typer.Option(help="Let phones that accept it run the tests by themselves, too.")
    ] = False,
    lang: Annotated[
        str, typer.Option(help=f"Language of the invitation: {', '.join(BY_CODE)}.")
    ] = "en",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Write what an OONI Run link asks volunteers' phones to test, and the text that invites them.
    Sends nothing."""
    settings = load_settings(config)
    known = {one.name: one for one in settings.catalog.platforms}
    for one in platform or ():
        if one not in known:
            raise bad_usage(f"--platform {one!r} is none of {', '.join(sorted(known))}")
    if lang not in BY_CODE:
        raise bad_usage(f"--lang {lang!r} is none of {', '.join(BY_CODE)}")
    if not NAME_LENGTH[0] <= len(name) <= NAME_LENGTH[1]:
        raise bad_usage(f"--name must have {NAME_LENGTH[0]} to {NAME_LENGTH[1]} characters")
    if author and not _ADDRESS.fullmatch(author):
        raise bad_usage(f"--author {author!r}: an e-mail address, as in desk@example.org")
    chosen = [known[one] for one in platform] if platform else list(known.values())
    invited = invitation(chosen)
    if not invited.urls and not invited.tests:
        raise bad_usage("OONI has no test of these platforms")
    words = words_in(BY_CODE[lang])
    titles = [one.title for one in chosen]
    text = for_volunteers(words, titles, background=background)
    if json:
        short = short_description(words, titles)[: SHORT_LENGTH[1]]
        print_json(
            [
                descriptor(
                    invited,
                    name=name,
                    short=short,
                    text="\n\n".join(text),
                    author=author,
                    background=background,
                )
            ]
        )
        return
    typer.echo(f"1. Sign in at {RUN}, create a link, and paste these addresses:\n")
    for url in invited.urls:
        typer.echo(f"   {url}")
    if invited.tests:
        typer.echo(f"\n2. Add these tests: {', '.join(invited.tests)}")
    typer.echo("\n3. Send volunteers the link with this text:\n")
    for line in text:
        typer.echo(f"   {line}")
    typer.echo(
        '\n4. To follow their measurements alone, set run_link = "NUMBER" in [[source]]: the digits'
        " at the end of the link."
    )
