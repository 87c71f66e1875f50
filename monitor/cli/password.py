"""`shutwatch password`: a line for the file of users."""

import sys
from typing import Annotated

import typer

from monitor.cli.options import BAD_USAGE, fail
from monitor.keys.passwords import new_user


def password(name: Annotated[str, typer.Argument(help="User name to sign in with.")]) -> None:
    """Ask for a password and print the line for the file that `[server] users` names."""
    if sys.stdin.isatty():
        given = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    try:
        user = new_user(name, given)
    except ValueError as error:
        raise fail(f"give {error}", BAD_USAGE) from error
    typer.echo(user.line)
