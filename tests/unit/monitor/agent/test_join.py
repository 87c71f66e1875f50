"""Joining: what is written, and how a machine that has none gets a service."""

import asyncio
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from monitor.agent.join import (
    ANCHOR,
    FolderInUseError,
    JoinError,
    RefusedInvitationError,
    enrol,
    finish,
    give_up,
    kept_in,
    own_key,
    prepare,
    terms,
)
from monitor.agent.paths import SERVICE_FOLDER, absent
from monitor.agent.service import UNIT, ServiceError, Systemd, install, is_service, obstacle, remove
from monitor.agent.traces import KEY
from monitor.config.toml_problem import ConfigError
from monitor.keys.keys import public_text
from monitor.keys.self_signed import self_signed
from probes.vantage import Profile, VantageRole
from tests.collector.test_invitations import token

SHIPPED = (Path(__file__).parents[4] / "packaging" / UNIT).read_text("utf-8")


def systemd(folder: Path, fails: str = "") -> Systemd:
    """One whose `systemctl` writes down what it is told, and fails at one word."""
    command = folder / "systemctl"
    command.write_text(
        f'#!/bin/sh\necho "$@" >>"{folder}/told"\n'
        f'[ "$1" = "{fails}" ] && echo "no such thing" >&2 && exit 1\nexit 0\n'
    )
    command.chmod(0o700)
    return Systemd(running=folder, units=folder, command=str(command))


def test_the_file_says_what_the_invitation_says(tmp_path: Path) -> None:
    """Commented as ever; only its name is missing until the key is enrolled. Platforms that this
    version does not know are left out, since it could test none of them."""
    folder = tmp_path / "agent"
    made = token(
        network='A "quoted" \\ name',
        role="control",
        profile="quiet",
        interval=900.0,
        platforms=("x", "ours", "whatsapp"),
        daily_bytes=50_000_000,
    )
    settings = prepare(folder, made, "http://user:pw@proxy.example:8080", {})
    (vantage,) = settings.vantages
    assert (vantage.id, vantage.country, vantage.asn) == ("lhe-ptcl", "PK", 17557)
    assert (vantage.network, vantage.role) == ('A "quoted" \\ name', VantageRole.CONTROL)
    assert vantage.profile is Profile.QUIET
    assert settings.agent is not None
    assert settings.agent.collectors == made.collectors
    assert (settings.agent.collector_key, settings.agent.sealing_key) == (
        *(made.collector_key, made.sealing_key),
    )
    assert settings.agent.proxy == "http://user:pw@proxy.example:8080"
    assert (settings.interval, settings.probe.daily_bytes) == (900.0, 50_000_000)
    assert [one.name for one in settings.catalog.platforms] == ["x", "whatsapp"]
    assert settings.chosen
    assert not (folder / "agent.toml").exists()
    text = finish(settings).read_text("utf-8")
    assert "# Time between two looks" in text
    assert {one.name for one in folder.iterdir()} == {"agent.toml"}


def test_an_invitation_without_a_platform_to_test_is_refused_before_the_host_agrees(
    tmp_path: Path,
) -> None:
    """It has the operator's own platforms alone, which wait for the host's consent. The host had
    agreed when this failed; without the list the agent would test all that it ships."""
    made = token(platforms=("ours", "theirs"))
    with pytest.raises(RefusedInvitationError, match=r"none of the platforms .*\(ours, theirs\)"):
        next(terms(made))
    with pytest.raises(RefusedInvitationError):
        prepare(tmp_path / "agent", made, "", {})
    assert not (tmp_path / "agent").exists()
    assert any(
        "unless you accept them later: ours" in one for one in terms(token(platforms=("x", "ours")))
    )


def test_attack_an_invitation_with_a_key_that_seals_nothing(tmp_path: Path) -> None:
    """Whatever is sealed to a point of small order, everybody can open."""
    with pytest.raises(JoinError, match="the keys in the invitation are none"):
        prepare(tmp_path / "agent", token(sealing=bytes(32)), "", {})
    assert not (tmp_path / "agent").exists()


def test_the_largest_budget_of_a_configuration_can_be_joined(tmp_path: Path) -> None:
    """`daily_bytes = "1000GB"`: with 1 GB and more every invitation was refused."""
    settings = prepare(tmp_path / "agent", token(daily_bytes=10**12), "", {})
    assert settings.probe.daily_bytes == 10**12


@pytest.mark.parametrize(
    "changed",
    [
        {"collectors": ("http://collector.example",)},
        {"collectors": ()},
        {"vantage": "Lahore 1"},
        {"country": "ZZ"},
        {"interval": 0.001},
        {"daily_bytes": 1},
        {"role": "king"},
        {"asn": -1},
    ],
)
def test_attack_an_invitation_with_nonsense_starts_nothing(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    """It is a configuration like any other, and held to the same rules."""
    before = kept_in(tmp_path / "agent")
    with pytest.raises(ConfigError):
        prepare(tmp_path / "agent", token(**changed), "", {})
    give_up(tmp_path / "agent", before, refused=False)
    assert list((tmp_path / "agent").iterdir()) == []


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    """Before anything is sent."""
    with pytest.raises(JoinError, match="the certificate in the invitation is none"):
        prepare(tmp_path, token(anchor=b"x"), "", {})


def test_a_try_that_reached_nobody_goes_on_with_its_key(tmp_path: Path) -> None:
    """The answer may have been lost after the key was enrolled: the same key asks again. A refusal
    takes away the key that was made for it, and no earlier one."""
    made = token(collectors=("https://127.0.0.1:9",))
    before = kept_in(tmp_path)
    settings = prepare(tmp_path, made, "", {})
    key = own_key(tmp_path)
    with pytest.raises(JoinError, match="no collector enrolled this machine: no connection") as why:
        asyncio.run(enrol(settings, made, key, patience=0.0))
    assert "check that this machine is online, ask the operator whether" in str(why.value)
    give_up(tmp_path, before, refused=False)
    assert [one.name for one in tmp_path.iterdir()] == ["agent-key.pem"]
    assert own_key(tmp_path).private_bytes_raw() == key.private_bytes_raw()
    give_up(tmp_path, kept_in(tmp_path), refused=True)
    assert [one.name for one in tmp_path.iterdir()] == ["agent-key.pem"]
    give_up(tmp_path, before, refused=True)
    assert list(tmp_path.iterdir()) == []


def test_a_dead_proxy_is_what_to_check(tmp_path: Path) -> None:
    """Where one was named, it comes first."""
    made = token(collectors=("https://127.0.0.1:9",))
    settings = prepare(tmp_path, made, "http://127.0.0.1:9", {})
    with pytest.raises(JoinError, match="no connection: check the proxy after --proxy, check that"):
        asyncio.run(enrol(settings, made, own_key(tmp_path), patience=0.0))


def _anchor(host: str) -> bytes:
    """A certificate as an invitation has it."""
    pem = self_signed(datetime(2026, 3, 1, tzinfo=UTC), host)
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def test_joining_touches_no_file_that_was_there(tmp_path: Path) -> None:
    """A host names a folder in which another agent, or a collector, keeps its own. The certificate
    is not overwritten, and nothing of theirs is deleted when joining fails; an earlier try's
    certificate is the same, and goes on."""
    anchor = _anchor("c.example")
    before = kept_in(tmp_path)
    prepare(tmp_path, token(anchor=anchor), "", {})
    first = (tmp_path / ANCHOR).read_bytes()
    own_key(tmp_path)
    key = (tmp_path / KEY).read_bytes()
    with pytest.raises(
        FolderInUseError, match=rf"{ANCHOR} is there already and .* name another --folder"
    ):
        prepare(tmp_path, token(anchor=_anchor("d.example")), "", {})
    assert prepare(tmp_path, token(anchor=anchor), "", {}).agent is not None
    give_up(tmp_path, kept_in(tmp_path), refused=True)
    assert {one.name for one in tmp_path.iterdir()} == {ANCHOR, KEY}
    assert ((tmp_path / ANCHOR).read_bytes(), (tmp_path / KEY).read_bytes()) == (first, key)
    give_up(tmp_path, before, refused=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who alone can give a file away")
def test_the_service_can_read_the_key_that_root_made(tmp_path: Path) -> None:
    """Its folder is there from an earlier time, and is that of a user whom systemd made up: it
    leaves the files in it to whom they are. The service ended at once, and for good."""
    os.chown(tmp_path, 65534, 65533)
    key = own_key(tmp_path)
    found = (tmp_path / KEY).stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (65534, 65533, 0o600)
    assert public_text(own_key(tmp_path)) == public_text(key)


def test_the_service_is_the_shipped_unit_with_this_program(tmp_path: Path) -> None:
    """Written, made known to systemd, and started now and with the machine."""
    program = Path("/opt/elsewhere/bin/shutwatch")
    install(systemd(tmp_path), program)
    written = (tmp_path / UNIT).read_text("utf-8")
    assert written == SHIPPED.replace("/opt/shutwatch/.venv/bin/shutwatch", f'"{program}"')
    assert f'ExecStart="{program}" agent run --config {SERVICE_FOLDER}/agent.toml\n' in written
    told = (tmp_path / "told").read_text().splitlines()
    assert told == ["daemon-reload", f"enable {UNIT}", f"restart {UNIT}"]


def test_the_service_starts_a_program_in_a_folder_of_any_name(tmp_path: Path) -> None:
    """systemd takes a space for the end of the program, and %h for a folder of its own: the agent
    had joined, and its service never started."""
    install(systemd(tmp_path), Path("/opt/our tools 100%h/shutwatch"))
    written = (tmp_path / UNIT).read_text("utf-8")
    assert '\nExecStart="/opt/our tools 100%%h/shutwatch" agent run --config ' in written


@pytest.mark.systemd
def test_systemd_finds_a_program_in_a_folder_of_any_name(tmp_path: Path) -> None:
    """By its own reader of units."""
    program = tmp_path / "our tools 100%h" / "shutwatch"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    install(systemd(tmp_path), program)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if "shutwatch" in line] == []


def test_a_wiped_agent_leaves_no_service(tmp_path: Path) -> None:
    """The unit would tell that there was an agent."""
    here = systemd(tmp_path)
    assert not remove(here)
    install(here, Path("/opt/shutwatch"))
    (tmp_path / "told").unlink()
    assert remove(here)
    assert not (tmp_path / UNIT).exists()
    assert (tmp_path / "told").read_text().splitlines() == [f"disable {UNIT}", "daemon-reload"]


def test_a_service_is_known_by_its_folder_however_that_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--config agent.toml` in that folder names the same file: its unit once stayed behind."""
    service = tmp_path / "shutwatch-agent"
    service.mkdir()
    monkeypatch.chdir(service)
    for named in ("agent.toml", "../shutwatch-agent/agent.toml", str(service / "agent.toml")):
        assert is_service(Path(named), service)
    assert not is_service(Path("../agent.toml"), service)
    (tmp_path / "link").symlink_to(service)
    assert is_service(tmp_path / "link" / "agent.toml", service)


def test_an_agent_that_is_not_there_is_told_with_what_makes_one(tmp_path: Path) -> None:
    """Before joining; and where the service's agent is one that only root can look at."""
    file, service = tmp_path / "agent.toml", Path("/usr")
    joins = f"{file} does not exist: `shutwatch agent join` makes this machine an agent"
    assert absent(file, tmp_path / "service") == f"{joins}; --config names another file"
    if os.geteuid() == 0:
        assert "try as root" not in absent(file, service)
        os.seteuid(65534)
    try:
        assert "try as root" in absent(file, service)
    finally:
        if os.getuid() == 0:
            os.seteuid(0)


def test_what_systemd_refuses_is_told(tmp_path: Path) -> None:
    """In its own words."""
    with pytest.raises(ServiceError, match=f"systemctl enable {UNIT}: no such thing"):
        install(systemd(tmp_path, fails="enable"), Path("/opt/shutwatch"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who alone installs services")
def test_no_service_is_made_that_could_not_run(tmp_path: Path) -> None:
    """The unit's user reads no home and no temporary folder; nor is there systemd everywhere."""
    here = systemd(tmp_path)
    program = tmp_path / "shutwatch"
    program.touch(0o755)
    gone = Systemd(running=tmp_path / "nowhere", units=tmp_path)
    assert obstacle(gone, SERVICE_FOLDER, program) == "systemd does not run this machine"
    assert "keeps its files in /var/lib/shutwatch-agent" in obstacle(here, tmp_path, program)
    assert f"cannot read {program}: install it in /opt" in obstacle(here, SERVICE_FOLDER, program)
