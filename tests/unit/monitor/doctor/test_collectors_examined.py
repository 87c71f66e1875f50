"""`doctor` on a collector's machine: its certificate, the names that it pauses, and room on the
disk for what agents send.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from monitor.config.load import load_config
from monitor.doctor.certificate import try_certificate
from monitor.doctor.folders import try_folders
from monitor.doctor.pauses import try_pauses
from monitor.doctor.trial import Check, Checked, Trial
from monitor.keys.self_signed import self_signed
from monitor.measuring.probers import Probers
from monitor.wording.findings import Level, What, finding_sentences
from monitor.wording.words import words_in
from storage.open_store import sql_store
from storage.values.fleet import Invitation
from storage.values.steady_clock import utc_now
from tests.lab.certificates import honest
from tests.unit.monitor.collector.test_watched_vantages import enrolment
from tests.worlds.build import START

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOST = "collector.watch.ngo"


def old_style(name: str) -> bytes:
    """A certificate whose only name is its subject's, as `openssl req -x509 -subj` makes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def collector(folder: Path, more: str = "", pem: bytes | None = None) -> Path:
    """The file of a collector with this certificate, if any, and more settings of `[collector]`."""
    if pem is not None:
        (folder / "c.pem").write_bytes(pem)
        more += 'certificate = "c.pem"\ncertificate_key = "c.pem"\n'
    file = folder / "collector.toml"
    file.write_text(
        f'database = "sqlite:///{folder}/watch.db"\n[collector]\nlisten = "127.0.0.1:8477"\n{more}'
        '[[vantage]]\nid = "control-ams"\ncountry = "NL"\nrole = "control"\n'
    )
    return file


async def tried(
    check: Check, file: Path, *, now: datetime = NOW, free: int = 10**12
) -> list[Checked]:
    """What one check says."""
    settings = load_config(file, {})
    async with Probers(settings, now=utc_now) as probers:
        trial = Trial(
            settings=settings, probers=probers, now=lambda: now, free_bytes=lambda _: free
        )
        return list(await check(trial))


def said(checked: Sequence[Checked]) -> list[str]:
    """Each line: `ok` and what it is about, or what was found with the remedy."""
    return [
        f"ok {one.about}"
        if one.finding is None
        else " → ".join(finding_sentences(words_in(), one.finding))
        for one in checked
    ]


async def enrolled(folder: Path, *vantages: str, revoked: str = "", invited: str = "") -> None:
    """Make the database, with these agents."""
    store = sql_store(f"sqlite:///{folder}/watch.db")
    await store.open()
    for vantage in vantages:
        await store.enrol(enrolment(vantage))
    if revoked:
        await store.enrol(enrolment(revoked))
        await store.revoke(revoked, START, "lost")
    if invited:
        await store.invite(
            Invitation(
                digest="0" * 64,
                vantage=invited,
                country="PK",
                asn=17557,
                network="PTCL",
                role="field",
                profile="normal",
                held_by="",
                made_at=START,
                expires_at=START + timedelta(hours=1),
            )
        )
    await store.close()


# -- its certificate -----------------------------------------------------------------------------


def urls(*hosts: str) -> str:
    """Where agents reach the collectors."""
    origins = ", ".join(f'"https://{host}:8477"' for host in hosts)
    return f"urls = [{origins}]\n"


async def test_the_certificate_of_init_is_right(tmp_path: Path) -> None:
    """For its host, and for ten years."""
    file = collector(tmp_path, urls(HOST), self_signed(NOW, HOST))
    (line,) = said(await tried(try_certificate, file))
    assert line == f"ok {tmp_path}/c.pem, for {HOST}, until 2036-02-27"


@pytest.mark.parametrize(
    ("of", "host"),
    [
        ("*.watch.ngo", HOST),
        (HOST, HOST.upper()),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "[::1]"),
    ],
)
async def test_a_name_fits_as_it_does_for_agents(tmp_path: Path, of: str, host: str) -> None:
    """With a wildcard, whatever its case, and as an address."""
    file = collector(tmp_path, urls(host), honest(of).encode())
    (line,) = await tried(try_certificate, file)
    assert line.finding is None


async def test_a_name_in_the_subject_alone_fits_too(tmp_path: Path) -> None:
    """TLS of agents takes it where the certificate lists no other."""
    file = collector(tmp_path, urls(HOST), old_style(HOST))
    (line,) = await tried(try_certificate, file)
    assert line.finding is None


@pytest.mark.parametrize("host", ["collector.mysite.ngo", "a.b.watch.ngo", "127.0.0.1"])
async def test_a_certificate_of_another_host_is_a_problem(tmp_path: Path, host: str) -> None:
    """No agent would connect, and all was said to be well."""
    file = collector(tmp_path, urls(host), honest("*.watch.ngo").encode())
    (line,) = checked = await tried(try_certificate, file)
    assert line.finding is not None
    assert (line.finding.what, line.finding.level) == (What.CERTIFICATE_OTHER_HOST, Level.PROBLEM)
    assert said(checked)[0] == (
        f"The certificate {tmp_path}/c.pem is for another host than {host}, which [collector] urls"
        " names: agents do not connect. → Correct `collector.urls`, or use a certificate for that"
        " host."
    )


async def test_another_collectors_host_is_no_fault(tmp_path: Path) -> None:
    """`urls` names all collectors, and each has a certificate of its own. A certificate for none of
    the hosts is nobody's."""
    pem = self_signed(NOW, HOST)
    file = collector(tmp_path, urls("second.watch.ngo", HOST), pem)
    (line,) = said(await tried(try_certificate, file))
    assert line == f"ok {tmp_path}/c.pem, for {HOST}, until 2036-02-27"
    file = collector(tmp_path, urls("second.watch.ngo", "third.watch.ngo"), pem)
    (line,) = said(await tried(try_certificate, file))
    assert "for another host than second.watch.ngo, third.watch.ngo," in line


@pytest.mark.parametrize(
    ("left", "what", "words"),
    [
        (-30, What.CERTIFICATE_EXPIRED, "expired on 2036-02-27: agents do not connect."),
        (0, What.CERTIFICATE_EXPIRED, "expired on 2036-02-27: agents do not connect."),
        (13, What.CERTIFICATE_EXPIRES, "expires on 2036-02-27: then agents no longer connect."),
        (14, None, "until 2036-02-27"),
    ],
)
async def test_the_end_of_a_certificate_is_told(
    tmp_path: Path, left: int, what: What | None, words: str
) -> None:
    """A problem once it is over, and a warning two weeks before, as the alert has it."""
    pem = self_signed(NOW, HOST)
    ends = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    file = collector(tmp_path, urls(HOST), pem)
    (line,) = checked = await tried(try_certificate, file, now=ends - timedelta(days=left))
    assert (line.finding and line.finding.what) == what
    assert words in said(checked)[0]
    if line.finding is not None:
        level = Level.WARNING if left > 0 else Level.PROBLEM
        assert line.finding.level is level
        assert "→ Renew it" in said(checked)[0]


async def test_an_expired_one_of_another_host_has_both_faults(tmp_path: Path) -> None:
    """Neither hides the other."""
    file = collector(tmp_path, urls("other.watch.ngo"), self_signed(NOW, HOST))
    late = NOW + timedelta(days=3700)
    whats = [
        one.finding and one.finding.what for one in await tried(try_certificate, file, now=late)
    ]
    assert whats == [What.CERTIFICATE_EXPIRED, What.CERTIFICATE_OTHER_HOST]


async def test_where_agents_see_no_certificate_of_ours_none_is_tried(tmp_path: Path) -> None:
    """Behind a proxy they see the proxy's, and without a listener none."""
    assert await tried(try_certificate, collector(tmp_path)) == []
    pem = self_signed(NOW, HOST)
    behind = collector(tmp_path, f"behind_proxy = true\n{urls('other.watch.ngo')}", pem)
    assert await tried(try_certificate, behind) == []
    silent = collector(tmp_path, urls("other.watch.ngo"), pem)
    silent.write_text(silent.read_text().replace('listen = "127.0.0.1:8477"\n', ""))
    assert await tried(try_certificate, silent) == []


# -- whom it pauses ------------------------------------------------------------------------------


async def test_a_paused_name_that_nobody_has_is_a_problem(tmp_path: Path) -> None:
    """A host who asked for a pause goes on measuring by it, and nothing said so."""
    await enrolled(tmp_path, "khi-ptcl", revoked="lhe-jazz", invited="isb-zong")
    file = collector(tmp_path, 'paused = ["khi-plct", "zzz"]\n')
    first, second = checked = await tried(try_pauses, file)
    assert first.finding is not None
    assert (first.finding.what, first.finding.level) == (What.PAUSED_UNKNOWN, Level.PROBLEM)
    assert said(checked)[0] == (
        "[collector] paused names khi-plct, and no vantage has that name, so it pauses nobody."
        ' → Correct it (did you mean "khi-ptcl"?).'
    )
    assert said(checked)[1] == (
        "[collector] paused names zzz, and no vantage has that name, so it pauses nobody."
        " → Correct it (`shutwatch vantage list` shows all)."
    )
    assert second.check == first.check == "pause"


async def test_names_of_agents_that_were_are_and_will_be_may_be_paused(tmp_path: Path) -> None:
    """A host may ask to be paused before it joins, and a revoked one harms nobody."""
    await enrolled(tmp_path, "khi-ptcl", revoked="lhe-jazz", invited="isb-zong")
    names = ["khi-ptcl", "lhe-jazz", "isb-zong", "control-ams"]
    file = collector(tmp_path, f"paused = {names}\n".replace("'", '"'))
    (line,) = said(await tried(try_pauses, file))
    assert line == "ok khi-ptcl, lhe-jazz, isb-zong, control-ams"


async def test_a_database_that_cannot_tell_accuses_no_name(tmp_path: Path) -> None:
    """What is wrong with it is said by its own check."""
    file = collector(tmp_path, 'paused = ["khi-plct"]\n')
    assert await tried(try_pauses, file) == []
    assert not (tmp_path / "watch.db").exists()
    (tmp_path / "watch.db").write_bytes(b"GIF89a" * 1000)
    assert await tried(try_pauses, file) == []
    assert await tried(try_pauses, collector(tmp_path)) == []


# -- its disk ------------------------------------------------------------------------------------


async def test_agents_fill_the_disk_too(tmp_path: Path) -> None:
    """Only the vantages of the file were counted, so a disk that agents fill within days was called
    well. Nothing of the database changes."""
    file = collector(tmp_path)
    (alone,) = await tried(try_folders, file, free=2 * 10**9)
    assert alone.finding is None
    await enrolled(tmp_path, *(f"agent-{n}" for n in range(20)), revoked="lhe-jazz")
    before = (tmp_path / "watch.db").read_bytes()
    (low,) = await tried(try_folders, file, free=2 * 10**9)
    assert low.finding is not None
    assert low.finding.what is What.DISK_LOW
    (much,) = await tried(try_folders, file, free=10**11)
    assert much.finding is None
    assert (tmp_path / "watch.db").read_bytes() == before


async def test_an_agent_counts_once_and_no_longer_than_it_may_send(tmp_path: Path) -> None:
    """By its name, whatever keys it had; a revoked one sends nothing."""
    file = collector(tmp_path)

    async def days() -> int:
        (line,) = await tried(try_folders, file, free=60_000_000)
        assert line.finding is not None
        return int(line.finding.values["days"])

    alone = await days()
    await enrolled(tmp_path, "control-ams", revoked="lhe-jazz")
    assert await days() == alone
    store = sql_store(f"sqlite:///{tmp_path}/watch.db")
    await store.open()
    await store.enrol(enrolment("khi-ptcl"))
    await store.enrol(enrolment("khi-ptcl", 2))
    await store.close()
    assert await days() == pytest.approx(alone / 2, abs=1)
