"""Command groups: one that imports a command's module only when that command is called."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


def command_group(help: str | None = None) -> typer.Typer:  # noqa: A002 # as typer names it
    """A group of commands with plain help: rich would read `[server]` as markup."""
    return typer.Typer(help=help, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


class _Loaded(Mapping[str, Any]):
    """Command name → typer's command; `[]` imports `monitor.cli.NAME`.

    That module has an `app`, which is a group, or a function of the command's name.
    """

    def __init__(self, helps: Mapping[str, str]) -> None:
        self._helps = helps

    def __iter__(self) -> Iterator[str]:
        return iter(self._helps)

    def __len__(self) -> int:
        return len(self._helps)

    def __getitem__(self, name: str) -> Any:
        if name not in self._helps:
            raise KeyError(name)
        module = import_module(f"monitor.cli.{name}")
        app = getattr(module, "app", None)
        if app is None:
            app = command_group()
            app.command(name)(getattr(module, name))
        return typer.main.get_command(app)


def lazy_group(helps: Mapping[str, str]) -> type[TyperGroup]:
    """The class for a `typer.Typer` with these commands: name → first paragraph of its help.

    The group's own help imports neither the commands nor rich, which alone takes 0.1 s.
    """

    class LazyGroup(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = _Loaded(helps)  # type: ignore[assignment] # nothing adds to it

        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 # the base's signature
            return list(helps)

        def format_help(self, ctx: Any, formatter: Any) -> None:
            super(TyperGroup, self).format_help(ctx, formatter)

        def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 # as above
            with formatter.section("Commands"):
                formatter.write_dl(list(helps.items()))

    return LazyGroup
