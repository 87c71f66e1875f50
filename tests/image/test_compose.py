"""compose.yaml: what it must hold so that nothing is open, lost or told by it."""

import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer
from typing import Any

import pytest
import yaml

from monitor.config.load import load_config
from monitor.keys.passwords import new_user
from tests.image.container import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
FOLDER = ROOT / "compose"


def mounts(service: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Source, target and options of each mount."""
    return [(*parts, "")[:3] for parts in (entry.split(":") for entry in service["volumes"])]


def test_the_four_services_are_there() -> None:
    """shutwatch, Prometheus, Alertmanager and Grafana; what is in front only when asked for."""
    usual = [name for name, service in SERVICES.items() if "profiles" not in service]
    assert usual == ["shutwatch", "prometheus", "alertmanager", "grafana"]
    assert SERVICES["front"]["profiles"] == ["front"]


@pytest.mark.parametrize("name", SERVICES)
def test_each_is_confined(name: str) -> None:
    """Read-only, without capabilities or ways to get them, restarted, not on the host's network."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert service["pids_limit"] > 0
    powers = {"privileged", "network_mode", "pid", "ipc", "devices", "userns_mode"}
    assert not powers & set(service)
    allowed = ["NET_BIND_SERVICE"] if name == "front" else []
    assert service.get("cap_add", []) == allowed
    assert service.get("user", "") not in ("root", "0")


@pytest.mark.parametrize("name", SERVICES)
def test_each_image_is_pinned(name: str) -> None:
    """A whole version, never a moving tag; ours is the version of the project."""
    assert re.search(r":v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?$", SERVICES[name]["image"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert SERVICES["shutwatch"]["image"] == f"shutwatch:{project['version']}"


@pytest.mark.parametrize("name", SERVICES)
def test_each_tells_whether_it_is_healthy(name: str) -> None:
    """A check that asks the service itself, with a limit of time."""
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert "http://127.0.0.1:" in " ".join(check["test"])
    assert {"interval", "timeout", "start_period"} <= set(check)


def test_only_grafana_and_the_front_listen_to_others() -> None:
    """Every other port is bound to this machine's own address; Grafana's can be."""
    outside = {
        name: [port for port in service["ports"] if not port.startswith("127.0.0.1:")]
        for name, service in SERVICES.items()
    }
    assert outside.pop("grafana") == ["${GRAFANA_AT:-0.0.0.0}:3000:3000"]
    assert outside.pop("front") == ["80:80", "443:443"]
    assert not any(outside.values())
    assert all(SERVICES[name]["ports"] for name in SERVICES)


def test_neighbours_meet_only_whom_they_need() -> None:
    """Grafana reaches Prometheus alone: neither the monitor nor Alertmanager. What is in front
    reaches the two that it shows."""
    together = {
        frozenset({one, other})
        for one in SERVICES
        for other in SERVICES
        if one != other and set(SERVICES[one]["networks"]) & set(SERVICES[other]["networks"])
    }
    assert together == {
        *(frozenset({"prometheus", name}) for name in ("shutwatch", "alertmanager", "grafana")),
        *(frozenset({"front", name}) for name in ("shutwatch", "grafana")),
    }
    used = {network for service in SERVICES.values() for network in service["networks"]}
    assert used == set(COMPOSE["networks"])


@pytest.mark.git
def test_secrets_are_files() -> None:
    """No secret stands in the file or in an environment; each is read from a file of its own."""
    assert all(list(secret) == ["file"] for secret in COMPOSE["secrets"].values())
    for service in SERVICES.values():
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN|SECRET|KEY", name):
                assert name.endswith("__FILE")
                assert value.removeprefix("/run/secrets/") in COMPOSE["secrets"]
    committed = subprocess.run(
        ["git", "ls-files", "compose/secrets"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {Path(line).name for line in committed.stdout.split()} == {".gitignore"}


@pytest.mark.parametrize("name", SERVICES)
def test_what_must_last_is_in_a_named_volume(name: str) -> None:
    """One named volume each to write into; all else that is mounted is read-only and exists."""
    named = [mount for mount in mounts(SERVICES[name]) if not mount[0].startswith("./")]
    assert [source in COMPOSE["volumes"] for source, _, _ in named] == [True]
    for source, _, options in mounts(SERVICES[name]):
        if source.startswith("./"):
            assert options == "ro"
            made = source == "./compose/shutwatch.toml"  # by the operator, from the example
            assert made or (ROOT / source).exists(), source


def test_grafana_tells_nobody() -> None:
    """No reports, no look for updates, no feed, no pictures and no plugins from elsewhere."""
    environment = SERVICES["grafana"]["environment"]
    off = [
        "GF_ANALYTICS_REPORTING_ENABLED",
        "GF_ANALYTICS_CHECK_FOR_UPDATES",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES",
        "GF_NEWS_NEWS_FEED_ENABLED",
        "GF_AUTH_ANONYMOUS_ENABLED",
        "GF_USERS_ALLOW_SIGN_UP",
        "GF_SNAPSHOTS_EXTERNAL_ENABLED",
    ]
    assert all(environment[name] == "false" for name in off)
    assert environment["GF_SECURITY_DISABLE_GRAVATAR"] == "true"
    assert environment["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"


def test_grafana_finds_its_dashboards_and_prometheus() -> None:
    """The folder of the provider is the one mounted; the source is the same but for its address."""
    targets = {target: source for source, target, _ in mounts(SERVICES["grafana"])}
    grafana = ROOT / "dashboards/grafana"
    providers = yaml.safe_load((grafana / "provisioning/dashboards/shutwatch.yaml").read_text())
    (provider,) = providers["providers"]
    assert targets[provider["options"]["path"]] == "./dashboards/grafana/json"
    (own,) = yaml.safe_load((FOLDER / "datasource.yaml").read_text())["datasources"]
    provisioned = yaml.safe_load((grafana / "provisioning/datasources/shutwatch.yaml").read_text())
    (usual,) = provisioned["datasources"]
    assert own.pop("url") == "http://prometheus:9090"
    usual.pop("url")
    assert own == usual


def test_prometheus_scrapes_with_the_token_and_alerts() -> None:
    """Its job, rules and Alertmanager are those of the services beside it."""
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "shutwatch"
    assert job["static_configs"] == [{"targets": ["shutwatch:10100"]}]
    assert job["authorization"] == {"credentials_file": "/run/secrets/metrics_token"}
    assert "metrics_token" in SERVICES["prometheus"]["secrets"]
    targets = {target for _, target, _ in mounts(SERVICES["prometheus"])}
    assert set(config["rule_files"]) <= targets
    (group,) = config["alerting"]["alertmanagers"]
    assert group["static_configs"] == [{"targets": ["alertmanager:9093"]}]


def test_the_front_shows_page_and_grafana() -> None:
    """Both by a name of their own, from where shutwatch believes what is said of readers; nothing
    is logged."""
    text = (FOLDER / "Caddyfile").read_text("utf-8")
    shown = re.findall(r"^\{\$(\w+)\} \{\n\treverse_proxy (\S+)\n\}", text, re.M)
    assert shown == [("SHUTWATCH_NAME", "shutwatch:10100"), ("GRAFANA_NAME", "grafana:3000")]
    assert {name for name, _ in shown} == set(SERVICES["front"]["environment"])
    assert "log" not in text.replace("access log", "")
    (network,) = COMPOSE["networks"]["front_page"]["ipam"]["config"]
    for example in ("shutwatch.example.toml", "collector.example.toml"):
        read = tomllib.loads((FOLDER / example).read_text("utf-8"))
        assert network["subnet"] in read["server"]["proxies"]


@pytest.mark.prometheus
def test_prometheus_accepts_its_file(tmp_path: Path) -> None:
    """promtool finds no mistake in it."""
    shutil.copy(ROOT / "dashboards/prometheus/shutwatch.rules.yml", tmp_path)
    (tmp_path / "token").write_text("x" * 32)
    text = (FOLDER / "prometheus.yml").read_text()
    text = text.replace("/etc/prometheus/", "").replace("/run/secrets/metrics_token", "token")
    (tmp_path / "prometheus.yml").write_text(text)
    done = subprocess.run(
        ["promtool", "check", "config", str(tmp_path / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_shutwatch_accepts_its_file(tmp_path: Path) -> None:
    """The example loads: guarded, open inside its container, its database in the volume."""
    users = tmp_path / "users"
    users.write_text(new_user("reader", "correct horse battery staple").line + "\n")
    token = tmp_path / "token"
    token.write_text("0123456789abcdef" * 4)
    text = (FOLDER / "shutwatch.example.toml").read_text("utf-8")
    text = text.replace("/run/secrets/page_users", str(users))
    text = text.replace("/run/secrets/metrics_token", str(token))
    path = tmp_path / "shutwatch.toml"
    path.write_text(text, "utf-8")
    settings = load_config(path, {})
    assert settings.server.guarded
    assert (settings.listen_host, settings.listen_port) == ("0.0.0.0", 10100)
    volume = next(target for source, target, _ in mounts(SERVICES["shutwatch"]) if source == "data")
    assert settings.database == f"sqlite:///{volume}/shutwatch.db"


def test_the_health_check_is_the_images_own() -> None:
    """compose.yaml and Dockerfile ask the same question."""
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    (asked,) = re.findall(r"HEALTHCHECK[^\[]*\\\n  CMD (\[.*\])", dockerfile)
    assert SERVICES["shutwatch"]["healthcheck"]["test"] == ["CMD", *yaml.safe_load(asked)]


def test_a_health_check_asks_through_no_proxy() -> None:
    """Docker gives every container the proxy of its own settings, as `http_proxy`. Asked through it
    no service was ever healthy, and what waits for that never started."""

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    _, _, code = SERVICES["shutwatch"]["healthcheck"]["test"][1:]
    with TCPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        done = subprocess.run(
            [sys.executable, "-c", code.replace(":10100/", f":{server.server_address[1]}/")],
            env={"http_proxy": "http://192.0.2.1:3128"},
            capture_output=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")
    others = [one["healthcheck"]["test"] for one in SERVICES.values()]
    fetched = [one for one in others if one[1] == "wget"]
    assert len(fetched) == 3
    assert all(one[2:4] == ["-Y", "off"] for one in fetched)
    both = yaml.safe_load((ROOT / "compose.collectors.yaml").read_text("utf-8"))["services"]
    assert both["collector-2"]["healthcheck"]["test"][3] == code


@pytest.mark.parametrize("name", ["compose.yaml", "compose.collectors.yaml"])
def test_containers_can_read_what_is_mounted_whatever_the_umask(tmp_path: Path, name: str) -> None:
    """Checked out and set up as docs/docker.md says by somebody whose files are nobody else's."""
    for folder in ("compose", "dashboards"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    blocks = (ROOT / "docs/docker.md").read_text("utf-8").split("```sh\n")[1:]
    typed = "".join(block.split("```")[0] for block in blocks)
    lines = [line for line in typed.splitlines() if re.match(r"cp compose|chmod (?!444)", line)]
    subprocess.run(
        ["sh", "-euc", "\n".join(["chmod -R go-rwx .", "umask 077", *lines])],
        cwd=tmp_path,
        env={"PATH": os.defpath},
        check=True,
    )
    services = yaml.safe_load((ROOT / name).read_text("utf-8"))["services"]
    sources = {
        tmp_path / source
        for service in services.values()
        for source, _, _ in mounts(service)
        if source.startswith("./")
    }
    read = {one for source in sources for one in (source, *source.rglob("*"))}
    assert [one for one in read if not one.stat().st_mode & 0o004] == []
    assert (tmp_path / "compose/secrets").stat().st_mode & 0o777 == 0o700


def test_the_base_can_be_chosen() -> None:
    """Every stage builds on the argument BASE, whose default is a pinned version of Python, or on
    another stage."""
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", dockerfile, re.M))
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.M)) - stages == {"${BASE}"}
    assert re.search(r"^ARG BASE=\S+:\d+\.\d+(\.\d+)?-slim-\w+", dockerfile, re.M)
