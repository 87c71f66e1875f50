"""Command groups: one that imports a command's module only when that command is called.

No group reads its help as markup: rich would take `[server]` out of it, and prints no help at all
for the lazy group without arguments.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from monitor.cli.exits import bad_usage, bounded, was_interrupted

_OURS = ("monitor", "probes", "storage")
_PLAINER = {
    "Value error, ": "",
    "Input should be a valid integer, unable to parse string as an integer": (
        "give a whole number, such as 5"
    ),
    "Input should be ": "give a number ",
    "is not one of": "is none of",
}
"""What typer's checks say → what we say."""


class PlainGroup(TyperGroup):
    """Shows the first paragraph of each command's help whole, as typer does only with rich."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 # the base's
        with formatter.section("Commands"):
            formatter.write_dl([(name, _first(one.help)) for name, one in self.commands.items()])


def _first(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())


def command_group(help: str | None = None) -> typer.Typer:  # noqa: A002 # as typer names it
    """A group of commands with plain help."""
    return typer.Typer(
        cls=PlainGroup, help=help, no_args_is_help=True, add_completion=False, rich_markup_mode=None
    )


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


def _how_to_name_a_configuration(error: TyperException) -> str:
    """What else to type where a file was named as another command has it."""
    context = getattr(error, "ctx", None)
    if context is None:
        return ""
    if getattr(error, "option_name", "") in ("--config", "-c") and context.info_name == "check":
        return ": name the file alone, as in `shutwatch check FILE`"
    kinds = {one.param_type_name for one in context.command.params}
    extra = "unexpected extra argument" in error.message and "argument" not in kinds
    if extra and context.params.get("config", "") is None:
        return ": name a configuration as in `--config FILE`"
    return ""


def lazy_group(helps: Mapping[str, str]) -> type[TyperGroup]:
    """The class for a `typer.Typer` with these commands: name → first paragraph of its help.

    The group's own help does not import the commands.
    """

    class LazyGroup(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = _Loaded(helps)  # type: ignore[assignment] # nothing adds to it

        def invoke(self, ctx: Any) -> Any:
            """A command's own parameters are read here, too."""
            try:
                return super().invoke(ctx)
            except ModuleNotFoundError as error:
                if (error.name or "").partition(".")[0] in _OURS:
                    raise
                raise bad_usage(
                    f"`shutwatch {ctx.invoked_subcommand}` needs {error.name}: this is an agent's "
                    "installation, which leaves it out; install shutwatch whole where you need "
                    "more than `shutwatch agent`"
                ) from error
            except TyperException as error:
                for said, plainer in _PLAINER.items():
                    error.message = error.message.replace(said, plainer)
                error.message = bounded(error.message) + _how_to_name_a_configuration(error)
                raise
            except typer.Abort as error:
                if was_interrupted(error):  # for the exit code of Ctrl-C anywhere else
                    raise KeyboardInterrupt from error
                raise

        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 # the base's signature
            return list(helps)

        def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 # as above
            with formatter.section("Commands"):
                formatter.write_dl(list(helps.items()))

    return LazyGroup
