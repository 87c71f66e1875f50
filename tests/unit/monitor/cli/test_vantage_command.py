"""`shutwatch vantage`: who may speak for a vantage, decided by people."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import Result

from monitor.config.load import default_settings
from monitor.keys.keys import fingerprint, grouped, load_or_make, public_text
from monitor.keys.sealing import keys_fingerprint, sealing_key, sealing_text
from monitor.wire.invitation import Token, proof_digest, read_token
from storage.open_store import sql_store
from storage.store import CollectorStore
from tests.contract.test_store_tallies import judged
from tests.worlds.review_world import Installation

URL = "https://collector.example.org"
WHERE = ("--country", "PK", "--asn", "17557", "--network", "PTCL")


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    """A configuration with the vantage khi-ptcl of its own, and no database yet."""
    made = Installation(tmp_path)
    text = made.config.read_text()
    made.config.write_text(f'{text}\n[collector]\nurls = ["{URL}"]\n')
    return made


def invite(here: Installation, vantage: str = "lhe-ptcl", *more: str) -> Result:
    """One vantage, of PTCL in Pakistan."""
    return here.run("vantage", "invite", vantage, *WHERE, *more)


def invited(here: Installation, vantage: str = "lhe-ptcl", *more: str) -> Token:
    """The token alone is on standard output."""
    done = invite(here, vantage, *more)
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    return read_token(line)


def in_store(here: Installation, work: Callable[[CollectorStore], Coroutine[Any, Any, Any]]) -> Any:
    """What `work` makes of the database."""

    async def run() -> Any:
        store = sql_store(f"sqlite:///{here.file}")
        await store.open()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def enroll(here: Installation, vantage: str = "lhe-ptcl", *more: str) -> str:
    """Invite a vantage and join as it; its key's fingerprint."""
    token = invited(here, vantage, *more)
    public = public_text(Ed25519PrivateKey.generate())
    digest, own = proof_digest(token.proof), fingerprint(public)
    now = datetime.now(UTC)
    assert in_store(here, lambda store: store.redeem(digest, public, own, now))
    return own


def listed(here: Installation) -> dict[str, Any]:
    """Vantages by id."""
    return {one["vantage"]: one for one in here.lines("vantage", "list")}


def refused(done: Result, *said: str) -> None:
    """Exit code 2, and every one of these words."""
    assert done.exit_code == 2, done.output
    for words in said:
        assert words in " ".join(done.stderr.split()), done.stderr


def test_an_invitation_holds_all_that_an_agent_needs(here: Installation) -> None:
    """The collectors with their keys, the vantage, what it will measure, and the hour it ends; the
    secret is stored as a digest alone. A database and a key that were not there are made."""
    before = datetime.now(UTC)
    done = invite(here, "lhe-ptcl", "--profile", "quiet", "--host", "host-7")
    token = read_token(done.stdout)
    made = load_or_make(here.file.with_name("shutwatch-orders.pem"))
    signing, sealing = public_text(made), sealing_text(sealing_key(made))
    assert (token.collector_key, token.sealing_key) == (signing, sealing)
    assert grouped(keys_fingerprint(signing, sealing)) in done.stderr
    assert (token.collectors, token.anchor) == ((URL,), b"")
    assert (token.vantage, token.country, token.asn, token.network) == (
        *("lhe-ptcl", "PK", 17557, "PTCL"),
    )
    assert (token.role, token.profile) == ("field", "quiet")
    usual = default_settings()
    assert token.platforms == tuple(one.name for one in usual.catalog.platforms)
    assert (token.interval, token.daily_bytes) == (usual.interval, usual.probe.daily_bytes)
    ends = datetime.fromtimestamp(token.expires, UTC)
    assert timedelta(minutes=59) < ends - before < timedelta(minutes=61)
    (stored,) = in_store(here, lambda store: store.invitations())
    assert (stored.digest, stored.held_by) == (proof_digest(token.proof), "host-7")
    assert listed(here)["lhe-ptcl"]["keys"] == []
    assert "invited until" in here.run("vantage", "list").stdout


def test_an_invitation_in_another_folder_tells_that_it_made_a_database(
    here: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative `database` typed elsewhere is another file, and the collector that runs knew
    nothing of the invitation that was printed. Where the database is there nothing is said."""
    text = here.config.read_text().replace(f"sqlite:///{here.file}", "sqlite:///shutwatch.db")
    here.config.write_text(text)
    invitations = []
    for folder in ("collector", "elsewhere"):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        first, again = invite(here), invite(here)
        assert (first.exit_code, again.exit_code) == (0, 0), first.output
        made = f"there was no database {tmp_path / folder / 'shutwatch.db'}: a new one was made"
        assert made in " ".join(first.stderr.split())
        assert "a collector that runs already has another" in " ".join(first.stderr.split())
        assert "type this in the folder it was started in" in " ".join(first.stderr.split())
        assert "database" not in again.stderr
        invitations.append(read_token(first.stdout))  # alone on standard output
    assert invitations[0].signing != invitations[1].signing
    (tmp_path / "third").mkdir()
    monkeypatch.chdir(tmp_path / "third")
    incomplete = here.run("vantage", "invite", "lhe-ptcl")
    refused(incomplete, "is new: say --country", "a new one was made")


def test_each_invitation_has_another_secret(here: Installation) -> None:
    """And the newer one withdraws the older."""
    first, second = invited(here), invited(here)
    assert first.secret != second.secret
    found = {one.digest: one for one in in_store(here, lambda store: store.invitations())}
    assert found[proof_digest(first.proof)].withdrawn_at is not None
    assert found[proof_digest(second.proof)].withdrawn_at is None


def test_a_code_to_scan_is_drawn_beside_the_token(here: Installation) -> None:
    """On standard error, so that standard output is the token and nothing else."""
    done = invite(here, "lhe-ptcl", "--qr")
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 1
    drawn = [line for line in done.stderr.splitlines() if set("▀▄█") & set(line)]
    assert len(drawn) > 20
    assert max(map(len, drawn)) < 120


def test_a_certificate_of_the_collectors_own_is_pinned(here: Installation, tmp_path: Path) -> None:
    """A self-signed one, or the authority at the end of its chain; of a public authority the
    system's are trusted, unless one is named."""
    authority = trustme.CA()
    leaf = authority.issue_cert("collector.example.org")
    chain, key, alone = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    own = b"".join(one.bytes() for one in leaf.cert_chain_pems)
    key.write_bytes(leaf.private_key_pem.bytes())
    alone.write_bytes(authority.cert_pem.bytes())
    der = x509.load_pem_x509_certificate(alone.read_bytes()).public_bytes(Encoding.DER)
    text = here.config.read_text()
    here.config.write_text(f'{text}certificate = "{chain}"\ncertificate_key = "{key}"\n')
    chain.write_bytes(own)
    assert invited(here).anchor == b""
    assert invited(here, "lhe-ptcl", "--trust-anchor", str(alone)).anchor == der
    chain.write_bytes(own + alone.read_bytes())
    assert invited(here).anchor == der
    refused(invite(here, "lhe-ptcl", "--trust-anchor", str(chain)), "holds 2 certificates")
    refused(invite(here, "lhe-ptcl", "--trust-anchor", str(here.config)), str(here.config))


def test_without_an_address_no_agent_could_come(here: Installation) -> None:
    """The message says what to write where."""
    text = here.config.read_text()
    here.config.write_text(text.replace(URL, "http://collector.example.org"))
    refused(invite(here), 'https:// and a name, as in "https://collector.example.org"')
    here.config.write_text(text.partition("[collector]")[0])
    refused(invite(here), "where agents reach this collector", "[collector] urls =")
    assert not here.file.exists()


def test_an_invitation_names_a_shipped_platform(here: Installation) -> None:
    """An agent's file without one would have all tested that are shipped."""
    own = '[platform.ours.function.web]\ncore = true\nendpoints = ["https://ours.example.org"]\n'
    (here.config.parent / "own.toml").write_text(own)
    text = here.config.read_text()
    catalog = '[catalog]\nfile = "own.toml"\nplatforms = ["ours"]\n'
    here.config.write_text(f"{text}\n{catalog}")
    refused(invite(here), "platforms that shutwatch ships", "[catalog] platforms")


def test_a_new_vantage_is_described_and_a_known_one_changed(here: Installation) -> None:
    """The old key speaks until the new one comes; what is not told stays as it was."""
    refused(here.run("vantage", "invite", "lhe-1"), "is new: say --country and --asn and --network")
    old = enroll(here, "lhe-1", "--role", "control", "--host", "host-7")
    done = here.run("vantage", "invite", "lhe-1", "--network", "PTCL Fibre")
    token = read_token(done.stdout)
    assert (token.country, token.asn, token.network, token.role) == (
        *("PK", 17557, "PTCL Fibre", "control"),
    )
    assert "A control decides for others" in done.stderr
    assert [one["fingerprint"] for one in listed(here)["lhe-1"]["keys"]] == [old]
    new = enroll(here, "lhe-1", "--role", "control")
    before, after = listed(here)["lhe-1"]["keys"]
    assert (before["fingerprint"], after["fingerprint"]) == (old, new)
    assert before["revoked_at"] == after["enrolled_at"]
    assert (after["revoked_at"], after["held_by"]) == (None, "host-7")


def test_a_revoked_vantage_may_be_invited_anew(here: Installation) -> None:
    """With another key, as when a machine was lost and replaced. Revoking withdraws an invitation
    that nobody used."""
    enroll(here, "lhe-1")
    assert here.run("vantage", "revoke", "lhe-1", "--reason", "lost").exit_code == 0
    refused(here.run("vantage", "revoke", "lhe-1", "--reason", "lost"), "no valid key")
    enroll(here, "lhe-1")
    first, second = listed(here)["lhe-1"]["keys"]
    assert (first["reason"], second["revoked_at"]) == ("lost", None)
    assert "since" in here.run("vantage", "list").stdout
    invited(here, "lhe-2")
    assert here.run("vantage", "revoke", "lhe-2", "--reason", "changed my mind").exit_code == 0
    assert "lhe-2" not in listed(here)


def test_mistakes_say_what_would_be_right(here: Installation) -> None:
    """Country, id, network, name of a vantage, reason, and moments."""
    at = ("vantage", "invite", "lhe-1", "--asn", "1", "--network", "N")
    refused(here.run(*at, "--country", "Pakistn"), "--country 'Pakistn'", 'write "PK"')
    refused(here.run(*at, "--country", "pk"), 'write "PK"')
    refused(here.run(*at, "--country", "ZZ"), "two capital letters")
    refused(invite(here, "Lahore 1"), "lower-case letters, digits and single dashes")
    refused(invite(here, "khi-ptcl"), "a vantage of this configuration", str(here.config))
    for name in (" ", "${HOME}"):
        nameless = ("--country", "PK", "--asn", "1", "--network", name)
        refused(here.run("vantage", "invite", "lhe-1", *nameless), "--network must be a name")
    refused(invite(here, "lhe-1", "--host", "Mr X"), "--host must be lower-case letters")
    enroll(here, "lhe-ptcl")
    refused(
        here.run("vantage", "revoke", "lhe-ptlc", "--reason", "x"),
        "there is no vantage 'lhe-ptlc': did you mean \"lhe-ptcl\"?",
    )
    of = ("vantage", "quarantine", "lhe-ptcl", "--reason")
    refused(here.run(*of, " "), "--reason must be one line")
    refused(here.run(*of, "x", "--since", "yesterday"), "--since 'yesterday' is not a date")
    refused(
        here.run(*of, "x", "--since", "2024-02-18", "--until", "2024-02-17"),
        "--since must be before --until",
    )
    refused(here.run("vantage", "release", "lhe-ptcl"), "is not in quarantine")


def test_a_vantage_is_left_out_and_taken_in_again(here: Installation) -> None:
    """One that was enrolled, and one of this configuration; none that nobody knows."""
    enroll(here, "lhe-1")
    of = ("--reason", "answers for its neighbour", "--since", "2024-02-17T18:00")
    assert here.run("vantage", "quarantine", "lhe-1", *of).exit_code == 0
    assert here.run("vantage", "quarantine", "khi-ptcl", "--reason", "VPN").exit_code == 0
    refused(here.run("vantage", "quarantine", "lhe-2", "--reason", "x"), 'did you mean "lhe-1"?')
    enroll(here, "fra-1", "--role", "control")
    refused(here.run("vantage", "quarantine", "fra-1", "--reason", "x"), "fra-1 is a control")
    found = listed(here)
    assert found["lhe-1"]["quarantine"]["since"] == "2024-02-17T18:00:00Z"
    assert found["khi-ptcl"]["quarantine"]["reason"] == "VPN"
    assert found["khi-ptcl"]["keys"] == []
    table = here.run("vantage", "list").stdout
    assert "lhe-1 is in quarantine from 2024-02-17 18:00Z: answers for its neighbour" in table
    assert here.run("vantage", "release", "lhe-1").exit_code == 0
    assert listed(here)["lhe-1"]["quarantine"] is None
    refused(here.run("vantage", "release", "khi-ptlc"), 'did you mean "khi-ptcl"?')


def test_the_list_shows_when_a_vantage_was_last_judged(here: Installation) -> None:
    """In the table and as JSON, wherever it was; an empty list says that it is one."""
    here.fill()
    assert here.lines("vantage", "list") == []
    assert "No vantage is enrolled" in here.run("vantage", "list").stderr
    here.run("vantage", "quarantine", "khi-ptcl", "--reason", "x")
    assert listed(here)["khi-ptcl"]["judged_at"] == "2024-02-17T12:11:00Z"
    moved = judged(0, country="US", seconds=-86_400)
    in_store(here, lambda store: store.save(moved))
    assert listed(here)["khi-ptcl"]["judged_at"] == "2024-02-17T12:11:00Z"
    enroll(here, "lhe-1")
    first, second = here.run("vantage", "list").stdout.split("\nlhe-1 ")
    assert "2024-02-17" in first
    assert "12:11Z" in first
    assert "never" in second
