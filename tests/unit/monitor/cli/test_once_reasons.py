"""What `shutwatch once` gives as the reason of a verdict, beside the functions it is about."""

import io

import msgspec
from rich.console import Console

from monitor.analysis.verdict import Evidence, FunctionVerdict, State
from monitor.cli.once import print_cycles
from monitor.config.settings import Settings
from monitor.wording.rules import RULE_MEANINGS
from storage.values.cycle import Cycle
from tests.prometheus import world

WITHHELD = "http.withheld_here"


def reason(made: Cycle, rule: str) -> str:
    """The line of X, decided by this rule."""
    x = msgspec.structs.replace(made.platforms[0], rule_id=rule)
    page = io.StringIO()
    shown = Console(file=page, width=500, color_system=None)
    settings = Settings(vantages=(), catalog=world.catalog())
    print_cycles(settings, [msgspec.structs.replace(made, platforms=(x,))], shown)
    (line,) = (line for line in page.getvalue().splitlines() if line.startswith("X "))
    return " ".join(line.split())


def test_what_a_rule_means_is_said_of_what_it_decided() -> None:
    """The site answers with an error, which accuses no network; pictures are cut off by name."""
    line = reason(world.pictures_blocked(world.FIELD[0], State.INSUFFICIENT), WITHHELD)
    assert f"web: {RULE_MEANINGS[WITHHELD]}" in line
    assert "media: blocked, connections are reset when the platform's name appears" in line
    down = reason(world.pictures_blocked(world.FIELD[0], State.DOWN), "control.also_fails")
    assert "media: blocked" in down
    weak = world.pictures_blocked(world.FIELD[0], State.DOWN, Evidence.STRONG)
    assert "media" not in reason(weak, "control.also_fails"), "it may be the same outage"


def test_blocked_data_centres_are_not_told_by_what_hides_the_others() -> None:
    """Two of five are cut off, and no control tested the others."""
    made = world.cycle(world.FIELD[0], accusations={"x": (State.INSUFFICIENT, "", "")})
    chat = FunctionVerdict(
        function="chat",
        core=True,
        state=State.DEGRADED,
        method="tcp",
        sub_method="refused",
        evidence=Evidence.STRONG,
        groups=("dc2", "dc4"),
        measurement="m",
    )
    x = msgspec.structs.replace(made.platforms[0], functions=(chat,))
    line = reason(msgspec.structs.replace(made, platforms=(x,)), "control.missing")
    assert f"chat: {RULE_MEANINGS['control.missing']}" in line
    assert "chat:dc2, chat:dc4: degraded, connections are refused" in line


def test_an_undecided_function_is_not_said_to_be_blocked() -> None:
    """Beside one that is blocked nobody knows of it."""
    made = world.cycle(world.FIELD[0], accusations={"x": (State.BLOCKED, "tls", "reset")})
    web, api, media = made.platforms[0].functions
    api = msgspec.structs.replace(api, state=State.INSUFFICIENT)
    x = msgspec.structs.replace(made.platforms[0], functions=(web, api, media))
    line = reason(msgspec.structs.replace(made, platforms=(x,)), "tls.reset")
    assert f"web: {RULE_MEANINGS['tls.reset']}" in line
