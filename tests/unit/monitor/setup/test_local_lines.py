"""The lines of a machine, as its kernel lists them."""

from pathlib import Path

from monitor.setup.local_lines import local_lines
from monitor.setup.located_lines import Located, located
from tests.worlds.mmdb import asn, write_mmdb

HEAD = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
DEFAULT = "{} 00000000 0101A8C0 0003 0 0 100 00000000 0 0 0\n"
NEAR = "{} 0001A8C0 00000000 0001 0 0 100 00FFFFFF 0 0 0\n"
EVERYWHERE = "0" * 32
DEFAULT6 = f"{EVERYWHERE} 00 {EVERYWHERE} 00 {EVERYWHERE} 00000400 1 0 00000003 {{}}\n"


def machine(folder: Path, routes: str, routes6: str = "", **devices: str) -> tuple[str, ...]:
    """The ways out of a machine with these tables, and with hardware in these states."""
    (folder / "route").write_text(HEAD + routes)
    (folder / "route6").write_text(routes6)
    for name, state in devices.items():
        (folder / "net" / name / "device").mkdir(parents=True)
        (folder / "net" / name / "operstate").write_text(f"{state}\n")
    found = local_lines(folder / "route", folder / "route6", folder / "net")
    return tuple(line.egress for line in found)


def test_the_only_line_needs_no_device(tmp_path: Path) -> None:
    """It leaves as the machine does, whatever its card is called tomorrow."""
    routes = DEFAULT.format("eth0") + NEAR.format("eth0")
    assert machine(tmp_path, routes, DEFAULT6.format("eth0"), eth0="up") == ("direct",)


def test_a_modem_beside_it_is_a_line_of_its_own(tmp_path: Path) -> None:
    """Also without a route to everywhere; a card that is unplugged is none."""
    routes = DEFAULT.format("eth0") + NEAR.format("wwan0")
    found = machine(tmp_path, routes, eth0="up", wwan0="unknown", wlan0="down")
    assert found == ("direct", "interface:wwan0")


def test_two_lines_to_everywhere_are_told_apart(tmp_path: Path) -> None:
    """Neither is the machine's way."""
    routes = DEFAULT.format("eth0") + DEFAULT.format("wwan0")
    assert machine(tmp_path, routes, DEFAULT6.format("lo")) == ("interface:eth0", "interface:wwan0")


def test_a_kernel_that_lists_nothing_has_no_lines(tmp_path: Path) -> None:
    """As in a container without these files."""
    assert local_lines(tmp_path / "a", tmp_path / "b", tmp_path / "c") == ()


async def test_the_network_is_looked_up_by_nobody_s_address(tmp_path: Path) -> None:
    """Loopback is no address of the internet, so no file is asked for it and nothing is known."""
    file = write_mmdb(tmp_path / "asn.mmdb", {"127.0.0.0/8": asn(17557)})
    (tmp_path / "route").write_text(HEAD + DEFAULT.format("lo"))
    lines = local_lines(tmp_path / "route", tmp_path / "b", tmp_path / "c")
    assert await located(lines, [str(file)]) == (Located(),)
    assert await located(lines, []) == (Located(),)
