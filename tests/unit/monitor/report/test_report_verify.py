"""`shutwatch verify`: nothing can be done to a report that it does not find, and name."""

import asyncio
import hashlib
import random
import struct
import zipfile
import zlib
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from monitor.cli.main import app
from monitor.keys.keys import fingerprint, grouped, public_text, sign
from monitor.report.archive import (
    MANIFEST,
    PURPOSE,
    SIGNATURE,
    FileEntry,
    Manifest,
    directory,
    entry,
    local_header,
    write_archive,
)
from monitor.report.bounded_unzip import NotAsMadeError
from monitor.report.verify import verify
from tests.properties import examples
from tests.worlds.report_world import KEY, made

OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
FINGERPRINT = fingerprint(public_text(KEY))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole report, as `shutwatch report` makes it."""
    path = tmp_path_factory.mktemp("report") / "report.zip"
    asyncio.run(made(path))
    return path


def _changed(report: Path, to: Path, *, at: int, bit: int = 0) -> Path:
    data = bytearray(report.read_bytes())
    data[at] ^= 1 << bit
    to.write_bytes(data)
    return to


def _complaint(path: Path) -> str:
    with pytest.raises(NotAsMadeError) as caught:
        verify(path)
    return str(caught.value)


def _regions(report: Path) -> dict[str, tuple[int, int]]:
    """Where each file's bytes are, its entry in front of them included."""
    with zipfile.ZipFile(report) as archive:
        return {
            info.filename: (
                info.header_offset,
                info.header_offset + len(local_header(info)) + info.compress_size,
            )
            for info in archive.infolist()
        }


def test_a_report_as_it_was_made(report: Path) -> None:
    """It holds, says whose key signed it, and has every file the document speaks of."""
    verified = verify(report)
    manifest = verified.manifest
    assert verified.signed is None
    assert manifest.fingerprint == FINGERPRINT
    assert [one.name for one in manifest.files] == [
        *("README.txt", "log.json", "report.pdf", "report.html"),
        *("charts/timeline.png", "charts/timeline.svg"),
        *("charts/availability.png", "charts/availability.svg"),
        *("data/availability.csv", "data/datapackage.json"),
        *("data/dictionary.csv", "data/events.csv"),
        *("data/measurements.csv", "data/measurements.jsonl", "data/ooni.jsonl"),
        *("data/stretches.csv", "data/timeline.csv", "data/verdicts.csv"),
    ]


def test_a_changed_byte_in_any_file_is_found_and_the_file_named(
    report: Path, tmp_path: Path
) -> None:
    """In each file: the first bytes, the last, every byte of its entry, and many in between."""
    chance = random.Random(5)
    tried = 0
    for name, (start, end) in _regions(report).items():
        places = {*range(start, min(start + 45, end)), *range(max(start, end - 3), end)}
        places |= {chance.randrange(start, end) for _ in range(6)}
        for place in sorted(places):
            broken = _changed(report, tmp_path / "x.zip", at=place, bit=chance.randrange(8))
            assert name in _complaint(broken), (name, place - start)
            tried += 1
    assert tried > 700


def test_a_checksum_that_was_changed_wherever_it_stands_is_found(
    report: Path, tmp_path: Path
) -> None:
    """Before the file and in the table of contents, so that both agree, and other programs that
    unpack it fail."""
    content = report.read_bytes()
    with zipfile.ZipFile(report) as archive:
        infos = archive.infolist()
    contents = content.index(b"PK\x01\x02")
    for info in infos:
        data = bytearray(content)
        other = struct.pack("<L", info.CRC ^ 1)
        for place in (info.header_offset + 14, contents + 16):
            assert data[place : place + 4] == struct.pack("<L", info.CRC)
            data[place : place + 4] = other
        broken = tmp_path / "checksum.zip"
        broken.write_bytes(data)
        assert info.filename in _complaint(broken)
        contents += 46 + len(info.filename)
    assert _run(str(broken))[0] == 3


@settings(max_examples=examples(150), deadline=None)
@given(st.data())
def test_any_changed_byte_is_found(report: Path, data: st.DataObject) -> None:
    """Wherever it is: files, their entries, the manifest, the table of contents, the end."""
    content = report.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    other = data.draw(st.integers(1, 255))
    broken = report.with_name("any.zip")
    broken.write_bytes(content[:place] + bytes([content[place] ^ other]) + content[place + 1 :])
    with pytest.raises(NotAsMadeError):
        verify(broken)


@settings(max_examples=examples(60), deadline=None)
@given(st.data())
def test_bytes_cut_out_or_put_in_are_found(report: Path, data: st.DataObject) -> None:
    """A report that lost bytes, or got some, at the beginning, the end or anywhere."""
    content = report.read_bytes()
    place = data.draw(st.integers(0, len(content)))
    added = data.draw(st.binary(max_size=40))
    lost = data.draw(st.integers(0 if added else 1, 40))
    changed = content[:place] + added + content[place + lost :]
    if changed == content:
        return
    broken = report.with_name("cut.zip")
    broken.write_bytes(changed)
    with pytest.raises(NotAsMadeError):
        verify(broken)


def _rewritten(
    report: Path,
    to: Path,
    *,
    without: str = "",
    added: dict[str, bytes] | None = None,
    replaced: dict[str, bytes] | None = None,
    before_manifest: bool = True,
) -> Path:
    """The report packed again by somebody who keeps to its form."""
    with zipfile.ZipFile(report) as old, zipfile.ZipFile(to, "w") as new:
        for info in old.infolist():
            if info.filename == MANIFEST and before_manifest:
                for name, data in (added or {}).items():
                    new.writestr(entry(name), data)
            if info.filename == without:
                continue
            data = (replaced or {}).get(info.filename, old.read(info))
            new.writestr(entry(info.filename, info.compress_type), data)
        if not before_manifest:
            for name, data in (added or {}).items():
                new.writestr(entry(name), data)
    return to


def test_packed_again_by_the_same_means_it_still_holds(report: Path, tmp_path: Path) -> None:
    """What the helper above does is not itself what is found in the tests below."""
    verify(_rewritten(report, tmp_path / "again.zip"))


@pytest.mark.parametrize("name", ["report.pdf", "data/events.csv", MANIFEST, SIGNATURE])
def test_a_missing_file_is_named(report: Path, tmp_path: Path, name: str) -> None:
    """Whichever is gone."""
    assert name in _complaint(_rewritten(report, tmp_path / "x.zip", without=name))


@pytest.mark.parametrize("before", [True, False])
def test_an_added_file_is_named(report: Path, tmp_path: Path, before: bool) -> None:
    """Wherever it was put."""
    broken = _rewritten(
        report, tmp_path / "x.zip", added={"data/extra.csv": b"1"}, before_manifest=before
    )
    assert "data/extra.csv was added" in _complaint(broken)


def test_a_replaced_file_is_named(report: Path, tmp_path: Path) -> None:
    """Even when its entry was made to fit."""
    broken = _rewritten(report, tmp_path / "x.zip", replaced={"data/events.csv": b"nothing\r\n"})
    assert "data/events.csv was changed" in _complaint(broken)


def test_a_file_that_is_there_twice_is_named(report: Path, tmp_path: Path) -> None:
    """One program would show the first, another the last."""
    with pytest.warns(UserWarning, match="Duplicate"):
        broken = _rewritten(report, tmp_path / "x.zip", added={"data/events.csv": b"2"})
    assert "'data/events.csv' is there twice" in _complaint(broken)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.txt",
        "/etc/passwd",
        "data/../../x",
        "C:\\x",
        "data\\x",
        "data//x",
        "a/",
        ".hidden",
        "data/\u202egnp.exe",
        "data/x\n",
        "x" * 300,
    ],
)
def test_names_that_would_leave_the_folder_are_refused(
    report: Path, tmp_path: Path, name: str
) -> None:
    """Before anything else is looked at, and without writing any file."""
    complaint = _complaint(_rewritten(report, tmp_path / "x.zip", added={name: b"1"}))
    assert "is no name that a report has" in complaint
    assert complaint.isprintable()


def test_a_manifest_of_another_key_is_no_way_around(report: Path, tmp_path: Path) -> None:
    """Somebody else can make a report of their own, but not in this key's name."""
    with zipfile.ZipFile(report) as archive:
        manifest = msgspec.json.decode(archive.read(MANIFEST), type=Manifest)
    text = msgspec.json.encode(manifest)
    theirs = {MANIFEST: text, SIGNATURE: f"{sign(OTHER_KEY, PURPOSE, text)}\n".encode()}
    assert MANIFEST in _complaint(_rewritten(report, tmp_path / "x.zip", replaced=theirs))
    renamed = msgspec.structs.replace(manifest, public_key=public_text(OTHER_KEY))
    text = msgspec.json.encode(renamed)
    theirs = {MANIFEST: text, SIGNATURE: f"{sign(OTHER_KEY, PURPOSE, text)}\n".encode()}
    assert "fingerprint" in _complaint(_rewritten(report, tmp_path / "y.zip", replaced=theirs))


def _bomb(to: Path, *, claimed: int) -> Path:
    """A signed report of one small file that unpacks to 60 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(1 << 20)
    packed = b"".join(packer.compress(block) for _ in range(60)) + packer.flush()
    crc = 0
    for _ in range(60):
        crc = zlib.crc32(block, crc)
    info = entry("data/bomb.csv")
    info.CRC, info.compress_size, info.file_size = crc, len(packed), claimed
    listed = FileEntry("data/bomb.csv", claimed, "0" * 64, len(packed), _sha(packed))
    manifest = Manifest(
        format="shutwatch-report-1",
        made_by="evil",
        rules_versions=(),
        generated_at="",
        country="",
        platform="",
        since="",
        until="",
        public_key=public_text(OTHER_KEY),
        fingerprint=fingerprint(public_text(OTHER_KEY)),
        files=(listed,),
    )
    text = msgspec.json.encode(manifest)
    stored = [(MANIFEST, text), (SIGNATURE, f"{sign(OTHER_KEY, PURPOSE, text)}\n".encode())]
    infos, body = [info], local_header(info) + packed
    for name, data in stored:
        one = entry(name, zipfile.ZIP_STORED)
        one.CRC, one.compress_size, one.file_size = zlib.crc32(data), len(data), len(data)
        infos.append(one)
        body += local_header(one) + data
    to.write_bytes(body + b"".join(part for _, part in directory(infos)))
    return to


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(("claimed", "why"), [(60 << 20, "a trap"), (1000, "longer than it was")])
def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, claimed: int, why: str) -> None:
    """Neither one that says how large it is nor one that lies about it, signed or not."""
    complaint = _complaint(_bomb(tmp_path / "bomb.zip", claimed=claimed))
    assert "data/bomb.csv" in complaint
    assert why in complaint


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"hello" * 100,
        b"PK\x05\x06" + bytes(18),
        bytes(22),
        b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 65535, 65535, 2**32 - 1, 0, 0),
    ],
)
def test_what_is_no_report_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    """No file, however odd, is more than a message."""
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    assert _complaint(path)


def test_an_ordinary_zip_file_is_no_report(tmp_path: Path) -> None:
    """It has no manifest."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")
    assert f"{MANIFEST} is missing" in _complaint(path)


def test_a_server_that_sends_the_same_letter_for_ever_stops_no_report(tmp_path: Path) -> None:
    """What would pack like a bomb is put in as it is, and the report holds."""
    (tmp_path / "same.csv").write_bytes(b"A" * (5 << 20))
    about = dict.fromkeys(("made_by", "generated_at", "country", "platform", "since", "until"), "")
    out = tmp_path / "x.zip"
    write_archive(out, tmp_path, ["same.csv"], {**about, "rules_versions": ()}, KEY)
    (file,) = verify(out).manifest.files
    assert file.packed_size == file.size == 5 << 20
    assert "same.csv" in _complaint(_changed(out, tmp_path / "y.zip", at=3 << 20))


# The command.


def _run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["verify", *arguments])
    return done.exit_code, done.output


def test_the_command_says_whose_key_signed(report: Path) -> None:
    """Without --key it tells the fingerprint and that it proves nothing by itself."""
    code, output = _run(str(report))
    assert code == 0
    assert grouped(FINGERPRINT) in output
    assert "from elsewhere" in output


def test_the_command_says_in_three_lines_what_is_proven_and_what_is_not(report: Path) -> None:
    """Of a report that nobody else vouches for: its bytes, and nothing else."""
    code, output = _run(str(report))
    assert code == 0
    _, integrity, whose, since = output.splitlines()
    assert integrity.startswith("Integrity: proven. Every byte of its 18 files")
    assert integrity.endswith("Not proven: that what it says is true.")
    assert whose.startswith("Whose key: not proven. Anybody can make a key.")
    assert since.startswith("Since when: not proven. Its maker says 2024-02-20T09:00:00")
    assert since.endswith("Not proven: when it was measured; no clock but the maker's saw it.")


@pytest.mark.parametrize("written", [FINGERPRINT, FINGERPRINT.upper(), grouped(FINGERPRINT)])
def test_the_command_checks_the_key(report: Path, written: str) -> None:
    """However the fingerprint is written."""
    code, output = _run(str(report), "--key", written)
    assert code == 0
    assert f"Whose key: proven. It is the one you named, {grouped(FINGERPRINT)}." in output


def test_another_key_fails_with_3(report: Path) -> None:
    """A whole report by somebody else is not the report one was told to expect."""
    code, output = _run(str(report), "--key", fingerprint(public_text(OTHER_KEY)))
    assert code == 3
    assert grouped(FINGERPRINT) in output


def test_part_of_a_fingerprint_is_bad_usage(report: Path) -> None:
    """A few digits can be hit by trying keys."""
    code, output = _run(str(report), "--key", FINGERPRINT[:16])
    assert code == 2
    assert "64 hexadecimal digits" in output


def test_a_changed_report_fails_with_3_and_one_line(report: Path, tmp_path: Path) -> None:
    """Exit code 3, and the file that was changed."""
    start, end = _regions(report)["data/verdicts.csv"]
    code, output = _run(str(_changed(report, tmp_path / "x.zip", at=(start + end) // 2)))
    assert code == 3
    assert output.count("\n") == 1
    assert "data/verdicts.csv" in output


def test_an_empty_log_proves_nothing_of_an_earlier_report(report: Path, tmp_path: Path) -> None:
    """Where no agent signs anything, any log continues it; nor does it show who the maker is."""
    code, output = _run(str(report), "--earlier", str(report))
    assert code == 0
    assert "Not proven: that it continues the log of the earlier report you named" in output
    assert "is one of them" not in output
    other = by_another_key(report, tmp_path / "other.zip")
    for newer, older in ((report, other), (other, report)):
        code, output = _run(str(newer), "--earlier", str(older))
        assert code == 3
        assert f"nothing shows that {older} is of the same maker" in output
        assert grouped(verify(older).manifest.fingerprint) in output


def by_another_key(report: Path, to: Path) -> Path:
    """The same files, signed by somebody else."""
    folder = to.with_suffix("")
    with zipfile.ZipFile(report) as archive:
        archive.extractall(folder)
    manifest = verify(report).manifest
    ours = ("format", "public_key", "fingerprint", "files")
    about = {
        name: getattr(manifest, name) for name in manifest.__struct_fields__ if name not in ours
    }
    write_archive(to, folder, [one.name for one in manifest.files], about, OTHER_KEY)
    return to


def test_a_file_that_is_not_there_is_bad_usage(tmp_path: Path) -> None:
    """Nothing was checked, so nothing failed the check."""
    assert _run(str(tmp_path / "none.zip"))[0] == 2
