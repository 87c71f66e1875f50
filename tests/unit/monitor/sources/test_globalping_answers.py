"""Answers that Globalping's service would not give are malformed, and no surprise."""

import pytest

from monitor.sources.fault import SourceFault
from monitor.sources.globalping_client import GlobalpingClient, Question
from probes.sockets.http_client import httpx

QUESTION = Question(type="http", target="x.com", locations=())


async def _asked(body: str, headers: dict[str, str] | None = None) -> str:
    reply = httpx.Response(202, content=body.encode(), headers=headers)
    client = GlobalpingClient("https://globalping.test", httpx.MockTransport(lambda _: reply))
    try:
        return await client.ask(QUESTION)
    finally:
        await client.close()


@pytest.mark.parametrize("id_", ["a\\nb", "", "../limits", "a b", "a" * 500, "a\\n"])
async def test_an_id_that_leads_elsewhere_is_malformed(id_: str) -> None:
    """It becomes part of an address that is asked next."""
    with pytest.raises(SourceFault, match="malformed"):
        await _asked(f'{{"id": "{id_}", "probesCount": 1}}')


@pytest.mark.parametrize("header", ["X-RateLimit-Remaining", "X-Request-Cost"])
async def test_a_number_of_thousands_of_digits_is_malformed(header: str) -> None:
    """Python refuses to read it, and no database would keep it."""
    with pytest.raises(SourceFault, match="malformed"):
        await _asked('{"id": "abc", "probesCount": 1}', {header: "9" * 5000})


async def test_a_count_beyond_all_bounds_is_malformed() -> None:
    """It would be added to the quota that was used, which is stored."""
    with pytest.raises(SourceFault, match="malformed"):
        await _asked('{"id": "abc", "probesCount": 99999999999999999999999}')


async def test_a_question_as_the_service_accepts_it() -> None:
    """Its id, as documented."""
    assert await _asked('{"id": "nzGzfAGL7sZfUs3c", "probesCount": 1}') == "nzGzfAGL7sZfUs3c"
