"""Who gets in, who does not, and what it costs to try."""

import asyncio
import base64
import gc
import tracemalloc
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from typer.testing import CliRunner

from monitor.cli.main import app as cli
from monitor.config.load import load_config
from monitor.config.settings import ServerSettings
from monitor.config.toml_problem import ConfigError
from monitor.keys.passwords import User, digest, new_user, read_tokens, read_users
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.server.access import Access
from tests.prometheus import world
from tests.worlds.http_client import httpx

TOKEN = "t0ken-" + "0123456789abcdef" * 4
PASSWORD = "correct horse ünïcode: battery"  # noqa: S105 - made up
OTHERS = 'listen = "0.0.0.0:10100"\n[[vantage]]\nid = "here"\ncountry = "PK"\n'


@pytest.fixture(scope="module")
def asma() -> User:
    """Somebody who may look, whose password costs little to look at."""
    return new_user("asma", PASSWORD, log2_n=10)


def settings(asma: User | None = None, *, public: bool = False) -> ServerSettings:
    """Somebody with a password, and one token."""
    return ServerSettings(
        users=(asma,) if asma else (), tokens=(digest(TOKEN),) if asma else (), public=public
    )


def basic(name: str, password: str) -> dict[str, str]:
    """The header a browser sends."""
    return {"authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


def client(access: Access, base: str = "http://monitor") -> httpx.AsyncClient:
    """A client of a server behind this gate."""
    publisher = world.x_blocked_on_two_of_three()
    app = create_app(publisher, create_registry(publisher), access=access)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=base)


async def test_nobody_gets_in_without_showing_something(asma: User) -> None:
    """Page and metrics are refused with a challenge; whether the process runs is told to all."""
    async with client(Access(settings(asma))) as asking:
        for path in ("/", "/metrics", "/nowhere", "/api/v1/events", "/-/reload"):
            refused = await asking.get(path)
            assert refused.status_code == 401, path
            assert refused.headers["www-authenticate"].startswith("Basic realm=")
            assert refused.headers["cache-control"] == "no-store"
            assert "blocked" not in refused.text
        assert (await asking.get("/-/healthy")).status_code == 200
        assert (await asking.get("/-/ready")).status_code == 200


async def test_a_folder_before_all_paths_opens_and_closes_nothing(asma: User) -> None:
    """Mounted below another application, or behind a proxy with `root_path`, the same paths are
    for operators, and the same for everybody."""
    publisher = world.x_blocked_on_two_of_three()
    access = Access(settings(asma, public=True))
    app = create_app(publisher, create_registry(publisher), access=access)
    mounted = Starlette(routes=[Mount("/watch", app)])
    transport = httpx.ASGITransport(app=mounted)
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor/watch/") as asking:
        for path in ("metrics", "%6detrics", "vantages", "-/reload", "api/v1/vantages"):
            assert (await asking.get(path)).status_code == 401, path
        assert (await asking.get("")).status_code == 200
    private = create_app(publisher, create_registry(publisher), access=Access(settings(asma)))
    transport = httpx.ASGITransport(app=Starlette(routes=[Mount("/watch", private)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor/watch/") as asking:
        assert (await asking.get("-/healthy")).status_code == 200
        assert (await asking.get("")).status_code == 401


@pytest.mark.parametrize("path", ["/", "/metrics"])
async def test_a_password_and_a_token_get_in(path: str, asma: User) -> None:
    """Whoever shows what is listed sees everything, again and again."""
    async with client(Access(settings(asma))) as asking:
        for headers in (basic("asma", PASSWORD), {"authorization": f"Bearer {TOKEN}"}):
            for _ in range(2):
                assert (await asking.get(path, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Bearer wrong",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}0",
        f"Bearer {digest(TOKEN)}",
        f"Basic {TOKEN}",
        "Basic ",
        "Basic !!!",
        "Basic " + base64.b64encode(b"asma").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + base64.b64encode(b":").decode(),
        "Basic " + "A" * 100_000,
        "Bearer " + "A" * 100_000,
        "Digest username=asma",
        "nonsense",
    ],
)
async def test_anything_else_does_not(header: str, asma: User) -> None:
    """Wrong, cut off, too long or garbled credentials are refused, and break nothing."""
    async with client(Access(settings(asma))) as asking:
        refused = await asking.get("/", headers={"authorization": header})
        assert refused.status_code == 401
        right = await asking.get("/", headers=basic("asma", PASSWORD))
        assert right.status_code == 200


async def test_hundreds_of_wrong_passwords(asma: User) -> None:
    """Ten are looked at, the rest refused at once and forgotten; who knows a token or was let in
    before is not held up, and a moment later the right password works again."""
    seconds = 0.0
    access = Access(settings(asma), clock=lambda: seconds)
    async with client(access) as asking:
        assert (await asking.get("/", headers=basic("asma", PASSWORD))).status_code == 200
        gc.collect()  # what waits to be collected is not kept, and how much waits varies
        # Other tests leave threads that use memory, too: what counts is made under our own code.
        ours = (tracemalloc.Filter(True, "*/monitor/server/*", all_frames=True),)
        tracemalloc.start(8)
        before = tracemalloc.take_snapshot().filter_traces(ours)
        codes = [
            (await asking.get("/-/x", headers=basic("asma", f"guess {number}"))).status_code
            for number in range(300)
        ]
        gc.collect()
        after = tracemalloc.take_snapshot().filter_traces(ours)
        growth = sum(one.size_diff for one in after.compare_to(before, "filename"))
        tracemalloc.stop()
        assert codes == [401] * 10 + [429] * 290
        assert growth < 600_000
        assert len(access._known) == 1
        slowed = await asking.get("/", headers=basic("asma", f"{PASSWORD}!"))
        assert (slowed.status_code, slowed.headers["retry-after"]) == (429, "2")
        for headers in (basic("asma", PASSWORD), {"authorization": f"Bearer {TOKEN}"}):
            assert (await asking.get("/", headers=headers)).status_code == 200
        access.use(settings(asma))
        assert (await asking.get("/", headers=basic("asma", PASSWORD))).status_code == 429
        seconds += 2.0
        assert (await asking.get("/", headers=basic("asma", PASSWORD))).status_code == 200


async def test_many_at_once_do_not_exhaust_memory(asma: User) -> None:
    """Of a hundred passwords sent together a few are looked at, one after the other."""
    async with client(Access(settings(asma))) as asking:
        answers = await asyncio.gather(
            *(asking.get("/", headers=basic("asma", f"guess {number}")) for number in range(100))
        )
    codes = [answer.status_code for answer in answers]
    assert codes.count(401) <= 4
    assert codes.count(401) + codes.count(429) == 100


async def test_the_public_sees_the_page_and_no_metrics(asma: User) -> None:
    """With `public` anybody reads what names no vantage, and an operator reads the rest."""
    async with client(Access(settings(asma, public=True))) as asking:
        assert (await asking.get("/")).status_code == 200
        for path in ("/metrics", "/vantages", "/vantages/x", "/api/v1/vantages", "/-/reload"):
            assert (await asking.get(path)).status_code == 401, path
        token = {"authorization": f"Bearer {TOKEN}"}
        assert (await asking.get("/metrics", headers=token)).status_code == 200
        assert (await asking.get("/", headers=basic("asma", "wrong"))).status_code == 401


async def test_public_alone_has_no_operators() -> None:
    """Without users or tokens there is nothing to ask for: what is not public is refused."""
    async with client(Access(settings(public=True))) as asking:
        refused = await asking.get("/metrics")
    assert refused.status_code == 403
    assert "www-authenticate" not in refused.headers


@pytest.mark.parametrize(
    "path", ["//metrics", "/metrics/", "/./metrics", "/%6detrics", "/x/../metrics"]
)
async def test_the_way_a_path_is_written_opens_nothing(path: str) -> None:
    """What the public may not see is not seen by another spelling of its path."""
    async with client(Access(settings(public=True))) as asking:
        answer = await asking.get(f"http://monitor{path}")
    assert answer.status_code in (403, 404)
    assert "shutwatch_platform_state" not in answer.text


@pytest.mark.parametrize(
    ("base", "status"),
    [
        ("http://127.0.0.1:10100", 200),
        ("http://[::1]:10100", 200),
        ("http://localhost:10100", 200),
        ("http://LOCALHOST.", 200),
        ("http://rebound.example:10100", 421),
        ("http://127.0.0.1.rebound.example", 421),
        ("http://localhost.rebound.example", 421),
    ],
)
async def test_what_is_open_answers_to_its_own_machine_only(base: str, status: int) -> None:
    """A page elsewhere that has its name point to this machine learns nothing."""
    async with client(Access(own_hosts=True), base) as asking:
        answer = await asking.get("/")
    assert answer.status_code == status
    assert ("vantage" in answer.text) == (status == 200)


async def test_a_token_opens_under_any_name(asma: User) -> None:
    """Where something has to be shown the name does not matter: proxies and containers have one."""
    async with client(Access(settings(asma), own_hosts=True), "http://shutwatch:10100") as asking:
        answer = await asking.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200


def test_listening_to_others_needs_an_answer_to_who(tmp_path: Path) -> None:
    """An address that other machines reach is refused with what to write instead."""
    path = tmp_path / "shutwatch.toml"
    for host in ("0.0.0.0:1", "[::]:1", "192.0.2.1:1", "monitor.example:1"):
        path.write_text(OTHERS.replace("0.0.0.0:10100", host))
        with pytest.raises(ConfigError) as caught:
            load_config(path, {})
        said = str(caught.value)
        assert "shutwatch.toml:1: listen = " in said
        assert "under [server] who may sign in, with users or tokens, or public = true" in said
    path.write_text(f"{OTHERS}[server]\npublic = true\n")
    assert load_config(path, {}).server.public


def test_files_of_users_and_tokens_are_read(tmp_path: Path, asma: User) -> None:
    """Beside the configuration, with comments and a byte order mark; neither passwords nor hashes
    are in what is printed of the settings."""
    (tmp_path / "users.txt").write_text(f"\ufeff# people\n\n{asma.line}\n")
    (tmp_path / "tokens.txt").write_text(f"\ufeff{TOKEN}\n")
    path = tmp_path / "shutwatch.toml"
    path.write_text(f'{OTHERS}[server]\nusers = "users.txt"\ntokens = "tokens.txt"\n')
    found = load_config(path, {})
    assert found.server == settings(asma)
    assert found.server.users[0].knows(PASSWORD)
    assert not found.server.users[0].knows(f"{PASSWORD} ")
    assert TOKEN not in repr(found)
    assert asma.key not in repr(found)


@pytest.mark.parametrize(
    ("key", "content", "remedy"),
    [
        ("users", None, "a file that exists"),
        ("users", b"", "at least one line, such as `shutwatch password NAME`"),
        ("users", b"asma:secret-words\n", "line 1 as `shutwatch password NAME` writes it"),
        ("users", b"asma:scrypt:31:8:1:AAAA:AAAA\n", "line 1 as"),
        ("users", b"\xff\n", "text in UTF-8"),
        ("tokens", b"# none\n", "at least one line, such as `openssl rand -hex 32`"),
        ("tokens", b"\nsecret-words\n", "line 2 to be a token of 32 characters or more"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_without_what_it_holds(
    key: str, content: bytes | None, remedy: str, tmp_path: Path
) -> None:
    """The line is told, never the secret on it."""
    if content is not None:
        (tmp_path / "people").write_bytes(content)
    path = tmp_path / "shutwatch.toml"
    path.write_text(
        f'{OTHERS.splitlines()[1]}\nid = "a"\ncountry = "PK"\n[server]\n{key} = "people"\n'
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert f"server.{key}" in str(caught.value)
    assert remedy in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_repeated_name_is_refused(asma: User) -> None:
    """Two lines of one name would leave it open which password holds."""
    with pytest.raises(ValueError, match="line 2 repeats one"):
        read_users(f"{asma.line}\n{asma.line}\n")
    assert read_tokens(f"{TOKEN}\n{TOKEN}\n") == (digest(TOKEN),)


def test_the_command_writes_a_line_that_lets_in() -> None:
    """What `shutwatch password` prints holds no password and knows it."""
    result = CliRunner().invoke(cli, ["password", "asma"], input=f"{PASSWORD}\n")
    assert result.exit_code == 0
    (user,) = read_users(result.stdout)
    assert (user.name, user.knows(PASSWORD)) == ("asma", True)
    assert PASSWORD not in result.stdout
    again = CliRunner().invoke(cli, ["password", "asma"], input=f"{PASSWORD}\n")
    assert again.stdout != result.stdout


@pytest.mark.parametrize(
    ("name", "password"),
    [("as ma", PASSWORD), ("a:b", PASSWORD), ("", PASSWORD), ("asma", "short")],
)
def test_the_command_refuses_what_could_not_be_used(name: str, password: str) -> None:
    """Bad names and short passwords end with a remedy and exit code 2."""
    result = CliRunner().invoke(cli, ["password", name], input=f"{password}\n")
    assert result.exit_code == 2
    assert "shutwatch: give a " in result.stderr
