"""Attacks on invitations: a token is worth one key, for an hour, at the collector that made it."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.keys.keys import fingerprint, public_text
from monitor.keys.sealing import sealing_key, sealing_text
from monitor.wire.answers import ENROLMENT, Moment, Reason
from monitor.wire.invitation import (
    INVITATION,
    PUBLIC,
    Token,
    TokenError,
    new_secret,
    proof_digest,
    read_token,
    write_token,
)
from storage.open_store import sql_store
from storage.values.fleet import Invitation
from tests.collector.world import (
    AGENT_KEY,
    COLLECTOR_KEY,
    NOW,
    OTHER_KEY,
    Collector,
    collecting,
    good_request,
    opened_answer,
    refusal,
    request,
    sealed_request,
)
from tests.worlds.http_client import httpx

THIRD_KEY = Ed25519PrivateKey.from_private_bytes(b"third".ljust(32, b"."))
VANTAGE = "lhe-ptcl"
HOUR = timedelta(hours=1)


def token(collector: Ed25519PrivateKey = COLLECTOR_KEY, **changed: Any) -> Token:
    """For `lhe-ptcl`, of the collector with that key."""
    usual: dict[str, Any] = {
        "secret": new_secret(),
        "collectors": ("https://collector.example",),
        "signing": collector.public_key().public_bytes_raw(),
        "sealing": sealing_key(collector).public_key().public_bytes_raw(),
        "expires": int((NOW + HOUR).timestamp()),
        "vantage": VANTAGE,
        "country": "PK",
        "asn": 17557,
        "network": "PTCL",
        "role": "field",
        "profile": "normal",
        "interval": 300.0,
        "platforms": ("x",),
        "daily_bytes": 300_000_000,
    }
    return Token(**{**usual, **changed})


async def invited(collector: Collector, made: Token, at: datetime = NOW) -> None:
    """The collector's own record of a token."""
    await collector.store.invite(
        Invitation(
            digest=proof_digest(made.proof),
            vantage=made.vantage,
            country=made.country,
            asn=made.asn,
            network=made.network,
            role=made.role,
            profile=made.profile,
            held_by="host-7",
            made_at=at,
            expires_at=at + HOUR,
        )
    )


async def join(
    collector: Collector, made: Token, key: Ed25519PrivateKey = OTHER_KEY, **changed: Any
) -> httpx.Response:
    """What `shutwatch agent join` sends; with any sealed header changed."""
    headers, _ = request(
        b"", key=key, vantage=made.vantage, path=ENROLMENT, encoding="identity", method="POST"
    )
    headers |= {INVITATION: made.proof, PUBLIC: public_text(key), **changed}
    outside, _ = sealed_request(headers, b"", made.sealing_key)
    return opened_answer(headers, await collector.client.post(ENROLMENT, headers=outside))


async def keys(collector: Collector) -> list[str]:
    """Fingerprints enrolled for the vantage, in order."""
    found = await collector.store.enrolments()
    return [one.fingerprint for one in found if one.vantage == VANTAGE]


def own(key: Ed25519PrivateKey) -> str:
    """Its fingerprint."""
    return fingerprint(public_text(key))


async def test_an_invitation_enrols_the_key_that_signs() -> None:
    """As the operator described the vantage; the answer is signed, and batches are taken from then
    on. The same key may ask again, as when the answer was lost."""
    async with collecting() as collector:
        made = token()
        await invited(collector, made)
        # Asking for anything makes the collector read all keys, a moment before this one is there.
        unknown = await collector.send(*good_request(key=OTHER_KEY, vantage=VANTAGE))
        assert refusal(unknown).reason is Reason.UNKNOWN_KEY
        for _ in range(2):
            response = await join(collector, made)
            assert response.status_code == 200
            assert msgspec.json.decode(response.content, type=Moment).at == NOW
        (one,) = [e for e in await collector.store.enrolments() if e.vantage == VANTAGE]
        assert (one.country, one.asn, one.network, one.held_by) == ("PK", 17557, "PTCL", "host-7")
        assert (one.key, one.fingerprint) == (public_text(OTHER_KEY), own(OTHER_KEY))
        sent = await collector.send(*good_request(key=OTHER_KEY, vantage=VANTAGE))
        # Its key is known now: what is refused is a batch that is about khi-ptcl.
        assert refusal(sent).reason is Reason.OTHER_VANTAGE


async def test_attack_an_invitation_is_refused_the_second_time() -> None:
    """Whoever read the token on its way comes after its host: refused, told why, and the first key
    stays. Nor does the first key enrol for another vantage by it."""
    async with collecting() as collector:
        made = token()
        await invited(collector, made)
        assert (await join(collector, made)).status_code == 200
        again = await join(collector, made, THIRD_KEY)
        assert (again.status_code, refusal(again).reason) == (403, Reason.INVITATION)
        assert "was used already" in refusal(again).detail
        assert await keys(collector) == [own(OTHER_KEY)]
        other = token(vantage="isb-ptcl")
        await invited(collector, other)
        twice = await join(collector, other)
        assert "this key was enrolled before" in refusal(twice).detail


async def test_attack_two_machines_that_join_at_once_are_not_both_enrolled() -> None:
    """Using an invitation and enrolling the key are one transaction."""
    async with collecting() as collector:
        made = token()
        await invited(collector, made)
        several = [Ed25519PrivateKey.generate() for _ in range(4)]
        answers = await asyncio.gather(*(join(collector, made, key) for key in several))
        assert sorted(one.status_code for one in answers) == [200, 403, 403, 403]
        assert len(await keys(collector)) == 1


async def test_attack_an_invitation_is_refused_after_its_hour() -> None:
    """From the very moment, by the collector's clock."""
    moment = [NOW]
    async with collecting(now=lambda: moment[0]) as collector:
        made = token()
        await invited(collector, made, NOW - HOUR)
        late = await join(collector, made)
        assert (late.status_code, refusal(late).reason) == (403, Reason.INVITATION)
        assert "has expired" in refusal(late).detail
        moment[0] = NOW - timedelta(seconds=1)
        assert (await join(collector, made)).status_code == 200


async def test_attack_an_invitation_is_refused_at_another_collector() -> None:
    """Even where that one stored the same digest: its keys open nothing that was sealed for the
    first."""
    async with collecting() as another:
        made = token(THIRD_KEY)
        await invited(another, made)
        headers, _ = request(
            b"", key=OTHER_KEY, vantage=VANTAGE, path=ENROLMENT, encoding="identity", method="POST"
        )
        headers |= {INVITATION: made.proof, PUBLIC: public_text(OTHER_KEY)}
        outside, _ = sealed_request(headers, b"", sealing_text(sealing_key(THIRD_KEY)))
        response = await another.client.post(ENROLMENT, headers=outside)
        assert (response.status_code, refusal(response).reason) == (401, Reason.UNKNOWN_KEY)
        assert await keys(another) == []


async def test_attack_a_token_with_other_keys_opens_nothing_at_its_own_collector() -> None:
    """Somebody on the way exchanges the keys and the collector in the token, and is sent what the
    host proves. It is no proof at the collector that made the token."""
    async with collecting() as collector:
        made = token()
        await invited(collector, made)
        changed = msgspec.structs.replace(token(THIRD_KEY), secret=made.secret)
        response = await join(collector, made, THIRD_KEY, **{INVITATION: changed.proof})
        assert refusal(response).reason is Reason.INVITATION
        assert await keys(collector) == []
        assert (await join(collector, made)).status_code == 200


async def test_attack_guesses_are_few_and_keep_no_host_out() -> None:
    """Of a hundred guesses in a second five are looked up; a right proof is taken among them."""
    async with collecting() as collector:
        made = token()
        await invited(collector, made)
        answers = [refusal(await join(collector, token())).reason for _ in range(100)]
        assert answers == [Reason.INVITATION] * 5 + [Reason.BUSY] * 95
        assert (await join(collector, made)).status_code == 200


@pytest.mark.parametrize("used", [False, True])
async def test_attack_a_token_of_a_vantage_that_was_revoked_is_refused(used: bool) -> None:
    """The operator hears that the host is not safe: neither an open invitation nor the key that
    came by it enrols any more. Another invitation withdraws an open one, too."""
    async with collecting() as collector:
        made = token()
        await invited(collector, made)
        if used:
            assert (await join(collector, made)).status_code == 200
        assert await collector.store.revoke(VANTAGE, NOW, "the host was arrested")
        for key in (OTHER_KEY, THIRD_KEY):
            response = await join(collector, made, key)
            assert (response.status_code, refusal(response).reason) == (403, Reason.INVITATION)
        assert await keys(collector) == ([own(OTHER_KEY)] if used else [])


async def test_attack_nobody_enrols_a_key_that_is_not_theirs() -> None:
    """The request is signed by the key that it names; nothing else of it can be exchanged."""
    async with collecting() as collector:
        made = token()
        await invited(collector, made)
        attempts: tuple[dict[str, Any], ...] = (
            {PUBLIC: public_text(AGENT_KEY)},
            {"shutwatch-key": own(AGENT_KEY)},
            {"shutwatch-vantage": "isb-ptcl"},
        )
        for changed in attempts:
            response = await join(collector, made, **changed)
            assert refusal(response).reason is Reason.BAD_SIGNATURE
        for wrong in ("", "x", "A" * 43):
            odd: dict[str, Any] = {PUBLIC: wrong}
            response = await join(collector, made, **odd)
            assert refusal(response).reason is Reason.MALFORMED
        assert await keys(collector) == []


def _all_bytes(folder: Path) -> bytes:
    return b"".join(one.read_bytes() for one in folder.iterdir())


async def test_the_secret_is_stored_nowhere(tmp_path: Path) -> None:
    """Nor the proof: who reads the database cannot join."""

    file = tmp_path / "shutwatch.db"
    async with collecting(store=sql_store(f"sqlite:///{file}")) as collector:
        made = token()
        await invited(collector, made)
        stored = await asyncio.to_thread(_all_bytes, tmp_path)
        assert proof_digest(made.proof).encode() in stored
        assert made.proof.encode() not in stored
        assert made.secret not in stored


def test_a_token_is_one_word_and_survives_line_breaks() -> None:
    """As a mail program or a terminal breaks it."""
    made = token(anchor=b"x" * 400)
    written = write_token(made)
    assert written.replace("-", "").replace("_", "").isalnum()
    broken = "\n".join(written[start : start + 60] for start in range(0, len(written), 60))
    assert read_token(f"  {broken}\n") == made


SECRET = b"secret".ljust(16, b".")
WRITTEN = write_token(token(secret=SECRET))
"""Not made anew: what a test is called must be the same in two processes."""


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "begins with shutwatch1_"),
        ("tskey-auth-1", "begins with shutwatch1_"),
        (WRITTEN[:-1], "missing or mistyped"),
        (WRITTEN[:40], "missing or mistyped"),
        (WRITTEN.swapcase().replace("SHUTWATCH", "shutwatch"), "missing or mistyped"),
        (f"{WRITTEN}\xe9", "missing or mistyped"),
        (write_token(token(secret=SECRET, signing=b"x")), "no keys"),
        (write_token(token(secret=SECRET, expires=2**60)), "another version"),
    ],
)
def test_what_is_no_token_is_told(written: str, said: str) -> None:
    """Without repeating any of it, as it may hold a secret."""
    with pytest.raises(TokenError, match=said):
        read_token(written)


@pytest.mark.parametrize(
    "changed",
    [
        {"network": "${AWS_SECRET_ACCESS_KEY}"},
        {"collectors": ("https://${HOSTNAME}.evil.example",)},
        {"platforms": ("x", "$HOME")},
        {"network": 'PTCL"\n[probe]\nrate = 9'},
    ],
)
def test_attack_a_token_takes_nothing_from_the_hosts_environment(changed: dict[str, Any]) -> None:
    """A configuration fills in `${NAME}`; a network's name goes into every batch."""
    with pytest.raises(TokenError, match="no collector writes"):
        read_token(write_token(token(**changed)))
