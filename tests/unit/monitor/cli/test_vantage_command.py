"""`shutwatch vantage`: who may speak for a vantage, decided by people."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from monitor.cli.main import app
from monitor.keys.keys import fingerprint, grouped, load_or_make, public_text
from monitor.keys.sealing import keys_fingerprint, sealing_key, sealing_text
from tests.worlds.review_world import Installation

FIXED = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="
ANOTHER = f"{43 * 'A'}="
"""Not made anew: what a test is called must be the same in two processes."""
WHERE = ("--country", "PK", "--asn", "17557", "--network", "PTCL")


def new_key() -> str:
    """The public half of a key nobody else has."""
    return public_text(Ed25519PrivateKey.generate())


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    """A configuration with the vantage khi-ptcl of its own, and no database yet."""
    return Installation(tmp_path)


def enroll(here: Installation, vantage: str = "lhe-ptcl", key: str = "", *more: str) -> Result:
    """One vantage."""
    return here.run("vantage", "enroll", vantage, *WHERE, "--key", key or new_key(), *more)


def listed(here: Installation) -> dict[str, Any]:
    """Vantages by id."""
    return {one["vantage"]: one for one in here.lines("vantage", "list")}


def refused(done: Result, *said: str) -> None:
    """Exit code 2, and every one of these words."""
    assert done.exit_code == 2, done.output
    for words in said:
        assert words in " ".join(done.stderr.split()), done.stderr


def test_enrolling_stores_the_key_and_tells_the_host(here: Installation) -> None:
    """The lines printed are TOML with the vantage and the key that signs the answers; a database
    that was not there is made, and so is that key."""
    key = new_key()
    done = enroll(here, "lhe-ptcl", key, "--profile", "quiet")
    assert done.exit_code == 0, done.output
    assert grouped(fingerprint(key)) in done.stdout
    made = load_or_make(here.file.with_name("shutwatch-orders.pem"))
    signing, sealing = public_text(made), sealing_text(sealing_key(made))
    start, end = done.stdout.index("[[vantage]]"), done.stdout.index("with the names")
    given = tomllib.loads(done.stdout[start:end])
    wanted = {
        "id": "lhe-ptcl",
        "country": "PK",
        "asn": 17557,
        "network": "PTCL",
        "role": "field",
        "profile": "quiet",
    }
    assert given["vantage"] == [wanted]
    assert given["agent"]["collector_key"] == signing
    assert given["agent"]["sealing_key"] == sealing
    assert grouped(keys_fingerprint(signing, sealing)) in done.stdout
    (one,) = listed(here)["lhe-ptcl"]["keys"]
    assert (one["key"], one["fingerprint"]) == (key, fingerprint(key))
    assert {name: one[name] for name in wanted if name != "id"} == {
        name: value for name, value in wanted.items() if name != "id"
    }
    assert one["revoked_at"] is None


def test_a_key_comes_from_a_file_or_standard_input(here: Installation, tmp_path: Path) -> None:
    """Whatever words stand around it."""
    first, second = new_key(), new_key()
    file = tmp_path / "key.txt"
    file.write_text(f"public key:\n  {first}\nfingerprint {grouped(fingerprint(first))}\n")
    assert enroll(here, "lhe-1", str(file)).exit_code == 0
    arguments = ["vantage", "enroll", "lhe-2", *WHERE, "--key", "-", "--config", str(here.config)]
    done = CliRunner().invoke(app, arguments, input=f"{second}\n")
    assert done.exit_code == 0, done.output
    found = listed(here)
    assert [found[name]["keys"][0]["key"] for name in ("lhe-1", "lhe-2")] == [first, second]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no public key"),
        (f"{FIXED}\n{ANOTHER}", "holds more than one public key"),
        ("-----BEGIN PRIVATE KEY-----\nMC4CAQAw", "must never leave the agent"),
        (FIXED[:-2], "holds no public key"),
        ("\x00\xff" * 100, "holds no public key"),
    ],
)
def test_what_is_no_key_is_told_with_its_file(
    here: Installation, tmp_path: Path, content: str, said: str
) -> None:
    """The message names the file and what would be right; nothing is stored."""
    file = tmp_path / "key.txt"
    file.write_text(content)
    refused(enroll(here, "lhe-1", str(file)), str(file), said)
    assert not here.file.exists()


@pytest.mark.parametrize("text", ["abc", "no/such/file", "\x1b[31m", "x" * 5000, "nul\x00"])
def test_what_is_neither_key_nor_file_is_refused(here: Installation, text: str) -> None:
    """And no control character of it reaches the screen."""
    done = enroll(here, "lhe-1", text)
    refused(done, "--key:", "neither a public key", "nor a file")
    assert "\x1b" not in done.stderr


def test_two_vantages_never_share_a_key(here: Installation) -> None:
    """Neither while it may speak nor after: whoever revokes a key does so for good."""
    key = new_key()
    assert enroll(here, "lhe-1", key).exit_code == 0
    refused(enroll(here, "lhe-2", key), "this is the key of lhe-1", "nothing was changed")
    assert here.run("vantage", "revoke", "lhe-1", "--reason", "stolen").exit_code == 0
    for vantage in ("lhe-2", "lhe-1"):
        refused(enroll(here, vantage, key), "was, until it was revoked, the key of lhe-1")
    assert list(listed(here)) == ["lhe-1"]


def test_a_vantage_with_a_key_is_rotated_not_enrolled(here: Installation) -> None:
    """The old key is revoked when the new one comes; all else stays as it was enrolled."""
    old, new = new_key(), new_key()
    enroll(here, "lhe-1", old, "--role", "control")
    refused(enroll(here, "lhe-1", new), "lhe-1 has a key already", "vantage rotate lhe-1")
    done = here.run("vantage", "rotate", "lhe-1", "--key", new)
    assert done.exit_code == 0, done.output
    assert grouped(fingerprint(new)) in done.stdout
    before, after = listed(here)["lhe-1"]["keys"]
    assert (before["key"], after["key"]) == (old, new)
    assert before["revoked_at"] == after["enrolled_at"]
    assert after["revoked_at"] is None
    same = ("country", "asn", "network", "role", "profile")
    assert [before[name] for name in same] == [after[name] for name in same]
    refused(here.run("vantage", "rotate", "lhe-1", "--key", new), "this is the key of lhe-1")


def test_a_revoked_vantage_may_be_enrolled_anew(here: Installation) -> None:
    """With another key, as when a machine was lost and replaced."""
    enroll(here, "lhe-1")
    assert here.run("vantage", "revoke", "lhe-1", "--reason", "lost").exit_code == 0
    refused(here.run("vantage", "revoke", "lhe-1", "--reason", "lost"), "no valid key")
    assert enroll(here, "lhe-1").exit_code == 0
    first, second = listed(here)["lhe-1"]["keys"]
    assert (first["reason"], second["revoked_at"]) == ("lost", None)
    assert "since" in here.run("vantage", "list").stdout


def test_mistakes_say_what_would_be_right(here: Installation) -> None:
    """Country, id, network, name of a vantage, reason, and moments."""
    key = new_key()
    at = ("vantage", "enroll", "lhe-1", "--asn", "1", "--network", "N", "--key", key)
    refused(here.run(*at, "--country", "Pakistn"), "--country 'Pakistn'", 'write "PK"')
    refused(here.run(*at, "--country", "pk"), 'write "PK"')
    refused(here.run(*at, "--country", "ZZ"), "two capital letters")
    refused(enroll(here, "Lahore 1"), "lower-case letters, digits and single dashes")
    refused(enroll(here, "khi-ptcl"), "a vantage of this configuration", str(here.config))
    nameless = ("--country", "PK", "--asn", "1", "--network", " ", "--key", key)
    refused(here.run("vantage", "enroll", "lhe-1", *nameless), "--network must be a name")
    assert enroll(here, "lhe-ptcl", key).exit_code == 0
    for command in (("revoke", "--reason", "x"), ("rotate", "--key", new_key())):
        refused(
            here.run("vantage", command[0], "lhe-ptlc", *command[1:]),
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
    """In the table and as JSON; an empty list says that it is one."""
    here.fill()
    assert here.lines("vantage", "list") == []
    assert "No vantage is enrolled" in here.run("vantage", "list").stderr
    here.run("vantage", "quarantine", "khi-ptcl", "--reason", "x")
    assert listed(here)["khi-ptcl"]["judged_at"] == "2024-02-17T12:11:00Z"
    enroll(here, "lhe-1")
    first, second = here.run("vantage", "list").stdout.split("\nlhe-1 ")
    assert "2024-02-17" in first
    assert "12:11Z" in first
    assert "never" in second
