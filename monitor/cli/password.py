"""`shutwatch password`: a line for the file of users."""

import sys
from typing import Annotated

import typer

from monitor.cli.exits import BAD_USAGE, exit_on, from_standard_input
from monitor.keys.passwords import new_user


def password(name: Annotated[str, typer.Argument(help="User name to sign in with.")]) -> None:
    """Ask for a password and print the line for the file that `[server] users` names."""
    if sys.stdin.isatty():
        given = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        given = from_standard_input(sys.stdin.readline).rstrip("\r\n")
    with exit_on(ValueError, code=BAD_USAGE, prefix="give "):
        user = new_user(name, given)
    typer.echo(user.line)
