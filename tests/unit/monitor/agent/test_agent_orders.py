"""What collectors order is followed in so far as the agent's own file allows it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from monitor.agent.ordered_catalog import Allowed
from monitor.agent.signed_answer import Signed
from monitor.agent.what_orders_may_change import Orders, follow
from monitor.config.load import load_config
from monitor.config.settings import Settings
from monitor.keys.keys import public_text
from monitor.keys.sealing import sealing_text
from monitor.wire.answers import AgentSettings
from monitor.wire.signing import sign_answer
from probes.catalog.endpoint_text import parse_endpoint
from tests.worlds.agent_collector import AGENT_KEY, KEY, SEALING

AT = datetime(2026, 3, 1, tzinfo=UTC)
TOLD = AgentSettings(
    version="1",
    issued_at=AT,
    interval=600.0,
    platforms=("x", "telegram", "ours", "nobody-knows"),
    catalog='[platform.ours]\ntitle = "Ours"\n[platform.ours.function.web]\n'
    'core = true\nendpoints = ["https://ours.example/"]\n',
    daily_bytes=100_000_000,
)
AGENT = f"""
[[vantage]]
id = "khi-ptcl"
country = "PK"
[agent]
collectors = ["https://c.example"]
collector_key = "{public_text(KEY)}"
sealing_key = "{sealing_text(SEALING)}"
"""


def own(folder: Path, top: str = "", more: str = "") -> Settings:
    """An agent's own settings."""
    file = folder / "agent.toml"
    file.write_text(f"{top}\n{AGENT}\n{more}")
    return load_config(file, {})


def names(settings: Settings) -> list[str]:
    """Of the platforms that are watched."""
    return [platform.name for platform in settings.catalog.platforms]


def signed(told: AgentSettings, *, by: object = None) -> Signed:
    """As it comes from a collector, or from somebody else."""
    body = msgspec.json.encode(told)
    key = KEY if by is None else AGENT_KEY
    return Signed(request="a", signature=sign_answer(key, "a", body), body=body)


OURS = Allowed(endpoints=frozenset({parse_endpoint("https://ours.example/")}))
"""The host accepted what TOLD adds."""


def used(mine: Settings, told: AgentSettings | None = TOLD, allowed: Allowed = OURS) -> Settings:
    """The settings that are used."""
    return follow(mine, told, allowed).settings


def test_a_file_that_says_nothing_follows_all_that_its_host_allows(tmp_path: Path) -> None:
    """Interval, platforms, what the host accepted of the collector's own catalogue, bytes."""
    found = used(own(tmp_path))
    assert names(found) == ["x", "telegram", "ours"]
    assert (found.interval, found.events.interval) == (600.0, 600.0)
    assert found.probe.daily_bytes == 100_000_000


def test_a_stricter_file_wins(tmp_path: Path) -> None:
    """Longer interval, fewer bytes, and only shipped platforms that both name. The operator's own
    wait for the host's consent alone."""
    mine = own(
        tmp_path,
        'interval = "1h"',
        '[probe]\ndaily_bytes = "50MB"\n[catalog]\nplatforms = ["telegram", "youtube"]',
    )
    found = used(mine)
    assert (found.interval, found.probe.daily_bytes) == (3600.0, 50_000_000)
    assert names(found) == ["telegram", "ours"]
    assert names(used(mine, allowed=Allowed())) == ["telegram"]


@pytest.mark.parametrize("interval", [0.0, -1.0, 1e-9, float("nan"), float("inf"), 1e300])
def test_no_order_makes_an_agent_look_more_often_or_never_again(
    tmp_path: Path, interval: float
) -> None:
    """Whatever number comes, the interval stays one that a file may have."""
    told = msgspec.structs.replace(TOLD, interval=interval, daily_bytes=-5)
    found = used(own(tmp_path), told)
    assert 300.0 <= found.interval <= 7 * 86400
    assert found.probe.daily_bytes == 1_000_000


def test_without_orders_the_file_is_all_there_is(tmp_path: Path) -> None:
    """An agent that never reached a collector works as its file says."""
    mine = own(tmp_path)
    assert used(mine, None) is mine


def test_a_catalogue_that_cannot_be_read_is_left_out_of_an_order(tmp_path: Path) -> None:
    """The rest holds: of the host's own platforms those that the order names, less often, by fewer
    bytes. The reason names the mistake."""
    told = msgspec.structs.replace(TOLD, catalog="[platform.ours]\nnonsense = 1")
    found = follow(own(tmp_path), told, OURS)
    assert names(found.settings) == ["x", "telegram"]
    assert (found.settings.interval, found.settings.probe.daily_bytes) == (600.0, 100_000_000)
    (unused,) = found.unused
    assert unused.name == "catalogue"
    assert "platform.ours.function is missing" in unused.why


def test_older_orders_are_not_taken(tmp_path: Path) -> None:
    """Whoever kept an old answer cannot bring it up again."""
    orders = Orders(tmp_path / "orders", public_text(KEY))
    assert orders.take(TOLD, AT)
    older = msgspec.structs.replace(TOLD, issued_at=AT - timedelta(seconds=1))
    assert not orders.take(older, AT)
    assert orders.take(msgspec.structs.replace(TOLD, version="2", paused=True), AT)
    assert orders.paused
    assert orders.knows("2")
    assert not orders.knows("1")


def test_attack_an_order_from_the_far_future_is_not_obeyed_for_ever(tmp_path: Path) -> None:
    """A seized collector dates its orders and its clock a century ahead; when its operator has it
    back, the agent hears the time, and then the operator."""
    orders = Orders(tmp_path / "orders", public_text(KEY))
    ahead = AT + timedelta(days=36525)
    assert orders.take(msgspec.structs.replace(TOLD, issued_at=ahead, version="seized"), ahead)
    assert orders.take(msgspec.structs.replace(TOLD, version="2", paused=True), AT)
    assert orders.paused


def test_orders_are_there_again_after_a_restart(tmp_path: Path) -> None:
    """As they were signed, in a file that only the agent reads."""
    file = tmp_path / "orders"
    Orders(file, public_text(KEY)).keep(signed(TOLD))
    again = Orders(file, public_text(KEY))
    again.restore()
    assert again.current == TOLD
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kept", ["nothing", "nonsense", "forged"])
def test_what_is_not_signed_is_not_taken_up(tmp_path: Path, kept: str) -> None:
    """Who can write the file still cannot order anything."""
    file = tmp_path / "orders"
    if kept == "nonsense":
        file.write_bytes(b"{")
    elif kept == "forged":
        Orders(file, public_text(KEY)).keep(signed(TOLD, by="somebody else"))
    orders = Orders(file, public_text(KEY))
    orders.restore()
    assert orders.current is None
