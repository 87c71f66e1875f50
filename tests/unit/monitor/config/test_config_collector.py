"""`[collector]`: what agents connect to is set up right, or it is said what is wrong."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.config.advice import advice
from monitor.config.load import LARGEST_CATALOG, load_config
from monitor.config.reload import unchangeable
from monitor.config.settings import CollectorSettings, Settings
from monitor.config.toml_problem import ConfigError
from monitor.wire.catalog_proof import make_signer, prove

CONTROL = '[[vantage]]\nid = "ams"\ncountry = "NL"\nrole = "control"\n'


def load(folder: Path, text: str) -> Settings:
    """The settings of a configuration with this text."""
    path = folder / "shutwatch.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, {})


def problem(folder: Path, text: str) -> str:
    """The one mistake in it."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    (found,) = caught.value.problems
    return str(found).replace(str(folder), "")


def write(folder: Path, name: str, *texts: bytes) -> str:
    """A file in that folder; returns its name."""
    (folder / name).write_bytes(b"".join(texts))
    return name


def certificate(folder: Path) -> str:
    """Files of a certificate and its key, as lines of the table."""
    made = trustme.CA().issue_cert("collector.example.org")
    chain = write(folder, "chain.pem", *(one.bytes() for one in made.cert_chain_pems))
    key = write(folder, "key.pem", made.private_key_pem.bytes())
    return f'certificate = "{chain}"\ncertificate_key = "{key}"\n'


def test_agents_are_sent_to_no_address_that_only_a_listener_can_have(tmp_path: Path) -> None:
    """0.0.0.0 means every address of one's own machine: an agent would ask itself."""
    for host in ("0.0.0.0", "[::]", "0"):
        found = problem(tmp_path, f'[collector]\nurls = ["https://{host}:8443"]\n')
        assert "an address or name that agents reach" in found


def test_without_the_table_agents_are_not_served(tmp_path: Path) -> None:
    """A monitor of one's own opens no second port."""
    text = '[[vantage]]\nid = "here"\ncountry = "PK"\n'
    assert load(tmp_path, text).collector == CollectorSettings()
    assert CollectorSettings().listen == ("", 0)


def test_a_collector_needs_no_vantage_of_its_own(tmp_path: Path) -> None:
    """Looking may be left to agents, or only controls be its own; `check` gives advice all the
    same."""
    alone = load(tmp_path, '[collector]\nlisten = "127.0.0.1:8443"\n')
    assert alone.vantages == ()
    assert advice(alone)
    controls = load(tmp_path, f'[collector]\nlisten = "127.0.0.1:8443"\n{CONTROL}')
    assert [one.id for one in controls.vantages] == ["ams"]


def test_files_are_sought_beside_the_configuration(tmp_path: Path) -> None:
    """A certificate and its key are named from the folder of the file that names them."""
    lines = certificate(tmp_path)
    found = load(tmp_path, f'[collector]\nlisten = "0.0.0.0:443"\n{lines}').collector
    assert found.listen == ("0.0.0.0", 443)
    assert (found.certificate, found.certificate_key) == (
        str(tmp_path / "chain.pem"),
        str(tmp_path / "key.pem"),
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "198.51.100.7", "[::]"])
def test_other_machines_are_not_served_without_tls(tmp_path: Path, host: str) -> None:
    """What agents say must not be readable on the way: a certificate, or a proxy that has one."""
    text = f'[collector]\nlisten = "{host}:443"\n'
    told = problem(tmp_path, text)
    assert "shutwatch.toml:2: collector.listen" in told
    assert "can be reached from other machines without TLS" in told
    assert "certificate_key; or say behind_proxy = true" in told
    assert load(tmp_path, f"{text}behind_proxy = true\n").collector.behind_proxy
    assert load(tmp_path, '[collector]\nlisten = "127.0.0.1:443"\n').collector.listen[1] == 443


@pytest.mark.parametrize(
    ("page", "agents", "free"),
    [
        ("", "127.0.0.1:10100", 8443),
        ('listen = "127.0.0.1:8443"\n', "127.0.0.1:8443", 8444),
        ('listen = "0.0.0.0:8443"\n[server]\npublic = true\n', "127.0.0.1:8443", 8444),
    ],
)
def test_agents_are_not_served_where_the_page_is(
    tmp_path: Path, page: str, agents: str, free: int
) -> None:
    """One of the two could not listen: this was found when the program ended at its start. The
    port of the advice is not the one that is taken."""
    told = problem(tmp_path, f'{page}[collector]\nlisten = "{agents}"\n')
    assert "collector.listen" in told
    assert f"is where the page listens already → another port, as in {free}" in told
    load(tmp_path, f'{page}[collector]\nlisten = "127.0.0.2:{free}"\n')


def test_a_certificate_and_its_key_belong_together(tmp_path: Path) -> None:
    """One without the other, one that is not the other's, and what is neither are told apart from
    a file that is not there."""
    one, _ = certificate(tmp_path).splitlines()
    assert "collector.certificate_key is missing" in problem(tmp_path, f"[collector]\n{one}\n")
    key = 'certificate_key = "key.pem"'
    assert "collector.certificate is missing" in problem(tmp_path, f"[collector]\n{key}\n")
    other = trustme.CA().issue_cert("collector.example.org")
    write(tmp_path, "key.pem", other.private_key_pem.bytes())
    both = f"[collector]\n{one}\n{key}\n"
    assert "the key that it was made for" in problem(tmp_path, both)
    write(tmp_path, "key.pem", b"no key at all")
    assert "the key that it was made for" in problem(tmp_path, both)
    (tmp_path / "key.pem").unlink()
    assert "a file that exists" in problem(tmp_path, both)


def test_the_text_of_the_operators_catalogue_is_kept_for_agents(tmp_path: Path) -> None:
    """Agents read the same file, so they get it as it stands."""
    text = (
        '[platform.own]\ntitle = "Own"\nowner = "us"\n'
        '[platform.own.function.web]\ncore = true\nendpoints = ["https://own.example/"]\n'
    )
    write(tmp_path, "mine.toml", text.encode())
    found = load(tmp_path, f'[catalog]\nfile = "mine.toml"\n[collector]\n{CONTROL}')
    assert found.catalog_text == text
    assert load(tmp_path, f"[collector]\n{CONTROL}").catalog_text == ""


def test_agents_get_the_catalogue_without_the_mark_that_editors_put_before_it(
    tmp_path: Path,
) -> None:
    """Notepad writes a byte order mark. The collector read past it, agents could not; what was
    signed is the text that they get."""
    text = '[platform.own.function.web]\ncore = true\nendpoints = ["https://own.example/"]\n'
    write(tmp_path, "mine.toml", b"\xef\xbb\xbf", text.replace("\n", "\r\n").encode())
    now = datetime(2026, 3, 1, tzinfo=UTC)
    offline, key = (Ed25519PrivateKey.from_private_bytes(one * 32) for one in (b"o", b"s"))
    signer = make_signer(offline, key, now, now + timedelta(days=30))
    signed = msgspec.json.encode(prove(text, signer, key, now))
    write(tmp_path, "mine.toml.sig", signed)
    found = load(tmp_path, f'[catalog]\nfile = "mine.toml"\n[collector]\n{CONTROL}')
    assert found.catalog_text == text
    assert found.catalog_proof is not None


def test_a_catalogue_that_agents_would_not_read_is_refused(tmp_path: Path) -> None:
    """They have little memory to read one. A collector gave it to them all the same, and each
    dropped it; without agents it may be as large as any file."""
    text = '[platform.own.function.web]\ncore = true\nendpoints = ["https://own.example/"]\n#'
    write(tmp_path, "mine.toml", (text + "ö" * (LARGEST_CATALOG - len(text))).encode())
    collector = f'[catalog]\nfile = "mine.toml"\n[collector]\n{CONTROL}'
    assert len(load(tmp_path, collector).catalog_text) == LARGEST_CATALOG
    write(tmp_path, "mine.toml", (text + "o" * LARGEST_CATALOG).encode())
    told = problem(tmp_path, collector)
    assert "shutwatch.toml:2: catalog.file" in told
    assert "is longer than agents read → shorten it to at most 262,144 characters" in told
    alone = '[[vantage]]\nid = "here"\ncountry = "PK"\n'
    load(tmp_path, f'[catalog]\nfile = "mine.toml"\n{alone}')


def test_only_who_pauses_can_change_while_it_runs(tmp_path: Path) -> None:
    """What holds a socket or counts since the start needs a restart, and is refused by its name;
    agents are paused at once."""
    old = load(tmp_path, f'[collector]\nlisten = "127.0.0.1:8443"\n{CONTROL}')
    limit = load(
        tmp_path,
        f'[collector]\nlisten = "127.0.0.1:8444"\nrequests_at_once = 9\n{CONTROL}',
    )
    assert [told.partition(":")[0] for told in unchangeable(old, limit)] == [
        "collector.listen",
        "collector.requests_at_once",
    ]
    paused = load(
        tmp_path, f'[collector]\nlisten = "127.0.0.1:8443"\npaused = ["khi-ptcl"]\n{CONTROL}'
    )
    assert unchangeable(old, paused) == ()
