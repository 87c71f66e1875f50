"""`doctor` claims no more about messages and the ping than it tried."""

from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.doctor.trial import Checked
from monitor.wording.findings import Level, What
from tests.worlds.doctor_world import World, told, world
from tests.worlds.loopback import Conversation, serving
from tests.worlds.receiver import receiving


def hook_at(made: World, port: int) -> Callable[[str], str]:
    """The one route sends to this port."""
    return lambda text: text.replace(f":{made.ports['hook']}/", f":{port}/")


def pinging(port: int) -> Callable[[str], str]:
    """The configuration with a dead man's switch at this port."""
    return lambda text: f'{text}[notify]\nping_url = "http://127.0.0.1:{port}/SECRET"\n'


def of(checked: list[Checked], check: str) -> Checked:
    """The one line about this."""
    (one,) = [one for one in checked if one.check == check]
    return one


@pytest.mark.parametrize("status", [200, 404, 500])
async def test_without_send_nothing_is_sent_and_nothing_is_called_ok(
    tmp_path: Path, status: int
) -> None:
    """A connection shows neither that the service takes messages nor that it does not."""
    with receiving() as inbox:
        inbox.status = status
        async with world(tmp_path) as made:
            checked = await made.examined(hook_at(made, inbox.port))
    finding = of(checked, "notification").finding
    assert finding is not None
    assert finding.level is Level.NOTE
    assert told(checked)[What.TARGET_REACHED] == (
        "Route newsroom: the server of address 1-json was reached, but nothing was sent.",
        "Type `shutwatch doctor --send`, which sends a test message.",
    )
    assert inbox.letters == []


@pytest.mark.parametrize(
    ("status", "what", "problem", "remedy"),
    [
        (429, What.TARGET_LATER, "the service is busy (HTTP status 429)", "Try again later."),
        (500, What.TARGET_LATER, "has a fault of its own (HTTP status 500)", "Try again later."),
        (404, What.TARGET_FAILS, "knows no such address (HTTP status 404)", "Correct the address"),
        (301, What.TARGET_FAILS, "redirects messages to another", "Correct the address"),
    ],
)
async def test_the_remedy_follows_from_what_the_service_answers(
    tmp_path: Path, status: int, what: What, problem: str, remedy: str
) -> None:
    """A busy service has the right address."""
    with receiving() as inbox:
        inbox.status = status
        async with world(tmp_path) as made:
            found = told(await made.examined(hook_at(made, inbox.port), send=True))
    assert problem in found[what][0]
    assert remedy in found[what][1]


async def test_a_message_that_is_taken_is_ok(tmp_path: Path) -> None:
    """Asked to send, doctor sends."""
    with receiving() as inbox:
        async with world(tmp_path) as made:
            checked = await made.examined(hook_at(made, inbox.port), send=True)
    assert of(checked, "notification").finding is None
    assert len(inbox.letters) == 1


@pytest.mark.parametrize(
    ("send", "status", "what", "problem"),
    [
        (False, 500, What.PING_REACHED, "was reached, but not pinged"),
        (True, 500, What.PING_FAILS, "fails: HTTP status 500."),
        (True, 302, What.PING_FAILS, "fails: HTTP status 302."),
        (True, 200, None, ""),
    ],
)
async def test_the_ping_is_tried_where_something_may_be_sent(
    tmp_path: Path, send: bool, status: int, what: What | None, problem: str
) -> None:
    """A ping says that shutwatch runs, so doctor sends none unasked."""
    asked: list[bytes] = []

    async def switch(one: Conversation) -> None:
        asked.append(await one.request())
        await one.send(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())

    with receiving() as inbox:
        async with serving(switch) as port, world(tmp_path) as made:
            hooked = hook_at(made, inbox.port)
            checked = await made.examined(lambda text: pinging(port)(hooked(text)), send=send)
    finding = of(checked, "ping").finding
    assert [len(asked), finding.what if finding else None] == [int(send), what]
    assert what is None or problem in told(checked)[what][0]
    assert "SECRET" not in str(checked) + str(told(checked))


async def test_a_name_that_dns_cannot_carry_does_not_resolve(tmp_path: Path) -> None:
    """A dot too many in the address of the ping hides nothing that was found about messages."""

    def mistyped(text: str) -> str:
        return f'{text}[notify]\nping_url = "https://ping..example.org/SECRET"\n'

    async with world(tmp_path) as made:
        checked = await made.examined(mistyped)
    assert "its name does not resolve" in told(checked)[What.PING_SILENT][0]
    assert of(checked, "notification").about == "newsroom 1-json"
    assert What.OUR_FAULT not in told(checked)
