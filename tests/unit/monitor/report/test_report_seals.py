"""What others say about a report: countersignatures and stamps, added, checked and changed."""

import asyncio
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from monitor.cli.main import app
from monitor.keys.keys import fingerprint, grouped, public_text
from monitor.report.archive import MANIFEST, entry
from monitor.report.bounded_unzip import NotAsMadeError
from monitor.report.seals import (
    COUNTERSIGNATURE,
    OPENTIMESTAMPS,
    RFC3161,
    Countersignature,
    Seals,
    Trusted,
    countersignature,
    read_seals,
    with_seals,
)
from monitor.report.verify import verify
from monitor.stamps.opentimestamps import read_proof
from tests.properties import examples
from tests.worlds.report_world import KEY, made
from tests.worlds.time_world import Authority, Clocks, clocks

SECOND = Ed25519PrivateKey.from_private_bytes(b"2" * 32)
AT = datetime(2024, 2, 21, 12, 0, tzinfo=UTC)
MANIFEST_TEXT = b'{"a manifest": 1}\n'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report that nobody else has seen."""
    path = tmp_path_factory.mktemp("report") / "report.zip"
    asyncio.run(made(path))
    return path


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A time authority."""
    return Authority(tmp_path_factory.mktemp("authority") / "one")


@pytest.fixture
def served(authority: Authority) -> Iterator[Clocks]:
    """It and a calendar, over HTTP."""
    with clocks(authority) as found:
        yield found


@pytest.fixture(scope="module")
def sealed(report: Path, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report with one seal of each kind."""
    out = tmp_path_factory.mktemp("sealed") / "sealed.zip"
    with clocks(authority) as served:
        _sealed(report, out, served)
    return out


@pytest.fixture(scope="module")
def contents(sealed: Path) -> dict[str, bytes]:
    """Its seals by name."""
    with zipfile.ZipFile(sealed) as archive:
        return {name: archive.read(name) for name in _names(sealed) if name.startswith("seals/")}


@pytest.fixture(scope="module")
def seals(sealed: Path, authority: Authority) -> Seals:
    """What they say to a reader who trusts the authority."""
    return verify(sealed, Trusted(roots=authority.roots)).seals


def _sealed(report: Path, out: Path, served: Clocks) -> None:
    asked = ["--authority", f"{served.url}/tsr", "--calendar", served.url]
    assert _run("report", "stamp", str(report), *asked, "-o", str(out))[0] == 0
    text = verify(report).text
    signed = countersignature(SECOND, text, name="Second desk", note="checked by hand", at=AT)
    with_seals(out, out, [(COUNTERSIGNATURE, signed)])


def _run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.output


def _names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def _complaint(path: Path) -> str:
    with pytest.raises(NotAsMadeError) as caught:
        verify(path)
    return str(caught.value)


def _replaced(report: Path, to: Path, change: dict[str, bytes]) -> Path:
    """The report packed again by somebody who keeps to its form, with other contents."""
    with zipfile.ZipFile(report) as old, zipfile.ZipFile(to, "w") as new:
        for info in old.infolist():
            data = change.get(info.filename, old.read(info))
            new.writestr(entry(info.filename, info.compress_type), data)
    return to


def _packed(report: Path, to: Path, seals: Mapping[str, bytes]) -> Path:
    """The report as it is, packed with these seals; to pack all of it takes longer."""
    shutil.copy(report, to)
    with zipfile.ZipFile(to, "a") as archive:
        for name, data in seals.items():
            archive.writestr(entry(name, zipfile.ZIP_STORED), data)
    return to


# Countersignatures.


def test_a_second_organisation_countersigns(report: Path, tmp_path: Path) -> None:
    """With a key of its own, made when first needed; a reader who knows that key is told so, and
    another is told that nobody vouches for it."""
    out, own = tmp_path / "signed.zip", tmp_path / "second.pem"
    who = ["--name", "Second desk", "--note", "We called the network.", "--key-file", str(own)]
    maker = ["--key", fingerprint(public_text(KEY))]
    code, output = _run("report", "countersign", str(report), *who, *maker, "-o", str(out))
    assert code == 0, output
    (one,) = verify(out).seals.countersignatures
    assert (one.name, one.note) == ("Second desk", "We called the network.")
    assert grouped(one.fingerprint) in output
    code, output = _run("verify", str(out))
    assert code == 0
    assert "by a key that nobody vouches for and that calls itself “Second desk”" in output
    code, output = _run("verify", str(out), "--countersigned-by", grouped(one.fingerprint))
    assert code == 0
    assert "Countersigned by “Second desk”, whose key you named" in output
    assert "Whose key: not proven" in output


def test_a_countersignature_that_is_asked_for_must_be_there(report: Path, sealed: Path) -> None:
    """Exit code 3 without it, and with that of somebody else."""
    digits = fingerprint(public_text(SECOND))
    assert _run("verify", str(sealed), "--countersigned-by", digits)[0] == 0
    assert _run("verify", str(report), "--countersigned-by", digits)[0] == 3
    maker = fingerprint(public_text(KEY))
    assert _run("verify", str(sealed), "--countersigned-by", maker)[0] == 3
    assert _run("verify", str(sealed), "--countersigned-by", digits[:20])[0] == 2


def test_nobody_countersigns_what_does_not_hold(report: Path, tmp_path: Path) -> None:
    """A changed report, one by another maker than named, one's own, or without a name."""
    own = ["--name", "x", "--key-file", str(tmp_path / "own.pem")]
    data = bytearray(report.read_bytes())
    data[5000] ^= 1
    broken = tmp_path / "broken.zip"
    broken.write_bytes(data)
    assert _run("report", "countersign", str(broken), *own)[0] == 3
    other = fingerprint(public_text(SECOND))
    assert _run("report", "countersign", str(report), *own, "--key", other)[0] == 3
    assert _run("report", "countersign", str(report), *own, "--name", "")[0] == 2
    assert broken.read_bytes() == bytes(data)


def test_the_maker_cannot_countersign(tmp_path: Path) -> None:
    """One key twice is one opinion."""
    out = tmp_path / "r.zip"
    asyncio.run(made(out))
    pem = tmp_path / "maker.pem"
    pem.touch(mode=0o600)
    pem.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    code, output = _run("report", "countersign", str(out), "--name", "x", "--key-file", str(pem))
    assert (code, "another one must countersign" in output) == (2, True)


def test_a_countersignature_of_another_report_is_found(report: Path, tmp_path: Path) -> None:
    """Taken from one and put into another."""
    signed = countersignature(SECOND, MANIFEST_TEXT, name="x", note="", at=AT)
    out = tmp_path / "out.zip"
    with_seals(report, out, [(COUNTERSIGNATURE, signed)])
    assert "seals/01.json countersigns another report" in _complaint(out)


_SIGNED = countersignature(SECOND, MANIFEST_TEXT, name="Second desk", note="checked", at=AT)


@pytest.mark.parametrize("field", Countersignature.__struct_fields__)
def test_no_field_of_a_countersignature_can_be_changed(field: str) -> None:
    """Whatever it is; neither can one be added, nor its form."""
    values = msgspec.json.decode(_SIGNED)
    for changed in ({field: values.get(field, "") + "x"}, {field: ""}, {field: None}, {"more": 1}):
        data = msgspec.json.encode({**values, **changed}) + b"\n"
        with pytest.raises(NotAsMadeError, match=r"seals/01\.json"):
            read_seals([("seals/01.json", COUNTERSIGNATURE, data)], MANIFEST_TEXT, Trusted())


@settings(max_examples=examples(300), deadline=None)
@given(st.data())
def test_any_changed_byte_of_a_countersignature_is_found(data: st.DataObject) -> None:
    """Changed, cut out or put in: not even a space."""
    place = data.draw(st.integers(0, len(_SIGNED)))
    added = data.draw(st.binary(max_size=4))
    lost = data.draw(st.integers(0, 4))
    changed = _SIGNED[:place] + added + _SIGNED[place + lost :]
    if changed == _SIGNED:
        return
    with pytest.raises(NotAsMadeError):
        read_seals([("seals/01.json", COUNTERSIGNATURE, changed)], MANIFEST_TEXT, Trusted())


# Stamps.


def test_a_time_authority_says_since_when(sealed: Path, authority: Authority) -> None:
    """To a reader who trusts its root; to any other it is a claim. OpenSSL finds the same of the
    file in the archive, knowing nothing of shutwatch."""
    code, output = _run("verify", str(sealed), "--time-root", str(authority.root_file))
    assert code == 0
    assert "Since when: proven. It existed by" in output
    assert "says a time authority whose root you named" in output
    code, output = _run("verify", str(sealed))
    assert code == 0
    assert "Since when: not proven." in output
    assert "whether to trust it, say with --time-root" in output
    assert "waits for a block" in output
    with zipfile.ZipFile(sealed) as archive:
        reply, manifest = archive.read("seals/01.tsr"), archive.read(MANIFEST)
    assert authority.accepts(reply, manifest)
    trusted = verify(sealed, Trusted(roots=authority.roots)).seals.times.trusted
    assert trusted is not None
    assert abs(trusted - datetime.now(UTC)) < timedelta(minutes=5)


def test_a_stamp_that_is_asked_for_must_be_there(
    report: Path, sealed: Path, tmp_path: Path
) -> None:
    """Exit code 3 where none leads to what the reader trusts."""
    other = Authority(tmp_path / "other")
    assert _run("verify", str(sealed), "--time-root", str(other.root_file))[0] == 3
    assert _run("verify", str(report), "--time-root", str(other.root_file))[0] == 3
    assert _run("verify", str(report), "--time-root", str(tmp_path / "none.pem"))[0] == 2
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    assert _run("verify", str(report), "--time-root", str(empty))[0] == 2
    assert _run("verify", str(report), "--bitcoin-headers", str(other.root_file))[0] == 2


def test_a_promise_of_a_calendar_is_completed_later(
    report: Path, served: Clocks, tmp_path: Path
) -> None:
    """By the same command; the proof then leads to a block, whose header the reader looks up."""
    out = tmp_path / "out.zip"
    asked = ["--calendar", served.url, "-o", str(out)]
    assert _run("report", "stamp", str(report), *asked)[0] == 0
    code, output = _run("report", "stamp", str(out), *asked)
    assert (code, "not in a block yet" in output) == (1, True)
    served.complete = True
    assert _run("report", "stamp", str(out), *asked)[0] == 0
    assert _names(out)[-2:] == ["seals/01.ots", "seals/02.ots"]
    _, output = _run("verify", str(out))
    assert "leads to block 840000 of Bitcoin; give its header" in output
    wrong = tmp_path / "headers"
    wrong.write_text(f"840000 {'00' * 80}\n")
    code, output = _run("verify", str(out), "--bitcoin-headers", str(wrong))
    assert (code, "block 840000 has another Merkle root" in output) == (3, True)


def test_a_stamp_of_another_report_is_found(sealed: Path, authority: Authority) -> None:
    """Both kinds, taken from the sealed report and put to another."""
    with zipfile.ZipFile(sealed) as archive:
        stamps = [archive.read(f"seals/{n:02}.{kind}") for n, kind in ((1, "tsr"), (2, "ots"))]
    for kind, data in zip((RFC3161, OPENTIMESTAMPS), stamps, strict=True):
        name = f"seals/01.{kind}"
        with pytest.raises(NotAsMadeError, match="does not hold: it is about other data"):
            read_seals([(name, kind, data)], MANIFEST_TEXT, Trusted(roots=authority.roots))


def test_whoever_cannot_be_reached_gives_no_stamp(report: Path, tmp_path: Path) -> None:
    """Exit code 1, the reason, and the report stays as it was; without anybody to ask, 2."""
    out = tmp_path / "out.zip"
    nobody = ["--authority", "http://127.0.0.1:1/", "-o", str(out)]
    code, output = _run("report", "stamp", str(report), *nobody)
    assert (code, "no stamp by http://127.0.0.1:1/" in output) == (1, True)
    assert not out.exists()
    config = tmp_path / "c.toml"
    config.write_text('[[vantage]]\nid = "a"\ncountry = "PK"\n')
    assert _run("report", "stamp", str(report), "-c", str(config))[0] == 2


# Their place in the archive.


def test_seals_change_nothing_else(
    report: Path, sealed: Path, contents: dict[str, bytes], tmp_path: Path
) -> None:
    """The report is in the sealed one byte for byte, and each seal can be taken off again."""
    assert verify(sealed).manifest == verify(report).manifest
    assert _names(sealed) == [
        *_names(report),
        *("seals/01.tsr", "seals/02.ots", "seals/03.json"),
    ]
    size = report.read_bytes().index(b"PK\x01\x02")
    assert sealed.read_bytes()[:size] == report.read_bytes()[:size]
    assert _packed(report, tmp_path / "again.zip", contents).read_bytes() == sealed.read_bytes()


@settings(max_examples=examples(200), deadline=None)
@given(st.data())
def test_any_changed_byte_of_a_sealed_report_is_found(sealed: Path, data: st.DataObject) -> None:
    """Above all in the seals and around them."""
    content = sealed.read_bytes()
    first = content.rindex(b"PK\x03\x04", 0, content.index(b"seals/01"))
    place = data.draw(st.integers(first, len(content) - 1))
    other = data.draw(st.integers(1, 255))
    broken = sealed.with_name("any.zip")
    broken.write_bytes(content[:place] + bytes([content[place] ^ other]) + content[place + 1 :])
    with pytest.raises(NotAsMadeError):
        verify(broken)


@settings(max_examples=examples(200), deadline=None)
@given(st.data())
def test_no_seal_that_was_made_to_fit_says_something_else(
    report: Path,
    contents: dict[str, bytes],
    authority: Authority,
    seals: Seals,
    data: st.DataObject,
) -> None:
    """Somebody who packs the archive again with a changed seal: found, or of no consequence."""
    name = data.draw(st.sampled_from(sorted(contents)))
    content = contents[name]
    place = data.draw(st.integers(0, len(content) - 1))
    added, lost = data.draw(st.binary(max_size=3)), data.draw(st.integers(0, 3))
    changed = content[:place] + added + content[place + lost :]
    broken = _packed(report, report.with_name("fit.zip"), contents | {name: changed})
    try:
        after = verify(broken, Trusted(roots=authority.roots)).seals
    except NotAsMadeError:
        return
    assert after.countersignatures == seals.countersignatures
    assert after.times.trusted in (None, seals.times.trusted)
    assert not after.times.heights


@pytest.mark.parametrize(
    "name",
    ["seals/02.json", "seals/00.json", "seals/1.json", "seals/01.txt", "seals/01.tsr.json", "x"],
)
def test_nothing_but_seals_in_their_order_follows(report: Path, tmp_path: Path, name: str) -> None:
    """No other file, no gap, no other number."""
    out = tmp_path / "out.zip"
    out.write_bytes(report.read_bytes())
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(entry(name, zipfile.ZIP_STORED), b"{}")
    assert f"{name} was added" in _complaint(out)


def test_a_seal_before_the_manifest_is_found(report: Path, tmp_path: Path) -> None:
    """There it would be one of the maker's files, and is not listed."""
    out = tmp_path / "out.zip"
    with zipfile.ZipFile(report) as old, zipfile.ZipFile(out, "w") as new:
        new.writestr(entry("seals/01.json", zipfile.ZIP_STORED), b"{}")
        for info in old.infolist():
            new.writestr(entry(info.filename, info.compress_type), old.read(info))
    assert "seals/01.json was added" in _complaint(out)


def test_too_many_seals_are_refused(report: Path, tmp_path: Path) -> None:
    """By whoever would add one more."""
    out = tmp_path / "out.zip"
    signed = countersignature(SECOND, verify(report).text, name="x", note="", at=AT)
    with_seals(report, out, [(COUNTERSIGNATURE, signed)] * 99)
    assert len(verify(out).seals.countersignatures) == 1
    with pytest.raises(ValueError, match="at most 99 seals"):
        with_seals(out, out, [(COUNTERSIGNATURE, signed)])


def test_a_hostile_name_cannot_move_the_cursor(report: Path, tmp_path: Path) -> None:
    """What a countersigner calls itself is written out."""
    text = verify(report).text
    signed = countersignature(
        SECOND, text, name="x\n\x1b[2JWhose key: proven", note="\u202e", at=AT
    )
    out = tmp_path / "out.zip"
    with_seals(report, out, [(COUNTERSIGNATURE, signed)])
    _, output = _run("verify", str(out))
    assert len(output.splitlines()) == 4
    assert "\x1b" not in output
    assert "\u202e" not in output


def test_proofs_are_kept_for_whoever_completes_them(sealed: Path) -> None:
    """As they are in the archive."""
    (proof,) = verify(sealed).seals.proofs
    assert len(read_proof(proof, verify(sealed).text).pending) == 1
