"""compose.collectors.yaml beside compose.yaml: what it adds is confined, closed and told apart."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme
import yaml

from monitor.config.load import load_config
from monitor.keys.passwords import new_user
from tests.image.container import ROOT
from tests.image.test_compose import COMPOSE, mounts
from tests.worlds.postgresql import Cluster

ADDED: dict[str, Any] = yaml.safe_load((ROOT / "compose.collectors.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = ADDED["services"]
NEW = [name for name in SERVICES if name not in COMPOSE["services"]]
FOLDER = ROOT / "compose"


def test_what_is_added() -> None:
    """A second collector, a balancer and PostgreSQL; the first shutwatch becomes a collector."""
    assert NEW == ["collector-2", "balancer", "postgres"]
    assert [SERVICES[name]["command"] for name in ("shutwatch", "collector-2")] == [
        ["collector"]
    ] * 2


@pytest.mark.parametrize("name", NEW)
def test_each_is_confined(name: str) -> None:
    """As the services of compose.yaml are, pinned, and with a check of its health."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert re.search(r":\d+\.\d+(\.\d+)?$", service["image"])
    assert service["healthcheck"]["test"][0] == "CMD"
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & set(service)


def test_only_the_balancer_listens_to_others() -> None:
    """The database is reached by no machine, pages by this one alone."""
    outside = {
        name
        for name in SERVICES
        if [port for port in SERVICES[name].get("ports", []) if not port.startswith("127.0.0.1:")]
    }
    assert outside == {"balancer"}
    assert "ports" not in SERVICES["postgres"]


def test_the_balancer_reaches_collectors_alone_and_grafana_no_collector() -> None:
    """Each network joins those who have to meet."""
    on = {name: set(service.get("networks", ())) for name, service in SERVICES.items()}
    assert on["balancer"] == {"collecting"}
    assert {name for name in on if "collecting" in on[name]} == {
        "shutwatch",
        "collector-2",
        "balancer",
    }
    assert {name for name in on if "reading" in on[name]} == {"postgres", "grafana"}
    assert not on["grafana"] & on["collector-2"]


def test_secrets_are_files_and_both_collectors_alike() -> None:
    """What is secret is named by a file; the collectors differ in the name of their control."""
    secrets = {**COMPOSE["secrets"], **ADDED["secrets"]}
    for service in SERVICES.values():
        assert set(service.get("secrets", [])) <= set(secrets)
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD", name):
                assert name.endswith("_FILE")
                assert value.removeprefix("/run/secrets/") in secrets
    one, two = SERVICES["shutwatch"], SERVICES["collector-2"]
    assert {one["environment"].pop("CONTROL"), two["environment"].pop("CONTROL")} == {
        "control-1",
        "control-2",
    }
    assert one["environment"] == two["environment"]
    assert one["secrets"] == two["secrets"]
    assert mounts(one) == mounts(two)


def test_what_is_mounted_is_there() -> None:
    """Every file of ours that is mounted exists, or is made by the operator from an example."""
    for service in SERVICES.values():
        for source, _, options in mounts(service):
            if source.startswith("./"):
                assert options == "ro"
                made = source == "./compose/collector.toml"
                assert made or (ROOT / source).exists(), source


def test_prometheus_scrapes_both() -> None:
    """Its file differs from the usual one in the second target alone."""
    usual = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    both = yaml.safe_load((FOLDER / "prometheus.collectors.yml").read_text())
    (static,) = both["scrape_configs"][0]["static_configs"]
    assert static["targets"].pop() == "collector-2:10100"
    assert both == usual


def test_grafana_reads_the_database() -> None:
    """The source is the provisioned one but for address and password."""
    folder = ROOT / "dashboards/grafana/provisioning/datasources"
    (own,) = yaml.safe_load((FOLDER / "datasource.postgresql.yaml").read_text())["datasources"]
    (usual,) = yaml.safe_load((folder / "shutwatch-postgresql.yaml").read_text())["datasources"]
    assert (own.pop("url"), own.pop("secureJsonData")) == (
        "postgres:5432",
        {"password": "$__file{/run/secrets/reader_password}"},
    )
    del usual["url"], usual["secureJsonData"]
    assert own == usual


def test_the_balancer_passes_on_and_tells_nobody() -> None:
    """Connections go to both collectors as they are, and no address is logged."""
    text = (FOLDER / "haproxy.cfg").read_text("utf-8")
    assert re.findall(r"^  server \w+ (\S+)$", text, re.M) == ["shutwatch:8443", "collector-2:8443"]
    assert "mode tcp" in text
    assert not re.search(r"^\s*(log|option (tcplog|httplog))", text, re.M)


def test_a_collector_accepts_its_file(tmp_path: Path) -> None:
    """The example loads with the secrets as the containers get them."""
    secrets = {"page_users": new_user("reader", "correct horse battery staple").line + "\n"}
    secrets |= {"metrics_token": "0123456789abcdef" * 4, "database_password": "p@ss/word\n"}
    trustme.CA().issue_cert("collector.example").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "pair"
    )
    text = (FOLDER / "collector.example.toml").read_text("utf-8")
    for name, content in secrets.items():
        (tmp_path / name).write_text(content)
        text = text.replace(f"/run/secrets/{name}", str(tmp_path / name))
    text = re.sub(r"/run/secrets/collector_\w+", str(tmp_path / "pair"), text)
    path = tmp_path / "collector.toml"
    path.write_text(text, "utf-8")
    environ = {
        "CONTROL": "control-1",
        "DATABASE_PASSWORD_FILE": str(tmp_path / "database_password"),
    }
    settings = load_config(path, environ)
    assert settings.database == "postgresql://shutwatch:p%40ss%2Fword@postgres/shutwatch"
    assert [vantage.id for vantage in settings.vantages] == ["control-1"]
    assert settings.server.guarded


@pytest.mark.postgres
def test_the_reader_can_only_read(cluster: Cluster, database: str, tmp_path: Path) -> None:
    """The script that runs when the database is made gives a user who sees later tables, and can
    change nothing."""
    password = tmp_path / "password"
    password.write_text("quote's & more")
    cluster.execute("DROP ROLE IF EXISTS reader")
    url = cluster.url(database)
    with psycopg.connect(url) as connection:
        where = {"PGHOST": connection.info.host, "PGPORT": str(connection.info.port)}
    made = {"POSTGRES_USER": "shutwatch", "POSTGRES_DB": database}
    environment = {**os.environ, **where, **made, "READER_PASSWORD_FILE": str(password)}
    script = str(FOLDER / "postgres/reader.sh")
    subprocess.run(["sh", script], env=environment, check=True, timeout=60)
    try:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("CREATE TABLE later (id int)")
        with psycopg.connect(url, user="reader", autocommit=True) as reader:
            assert reader.execute("SELECT count(*) FROM later").fetchone() == (0,)
            for forbidden in ("INSERT INTO later VALUES (1)", "CREATE TABLE mine (id int)"):
                with pytest.raises(psycopg.Error):
                    reader.execute(forbidden)
    finally:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("DROP OWNED BY reader")
            owner.execute("DROP ROLE reader")
