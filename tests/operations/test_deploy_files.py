"""What deploy/ delivers is whole, agrees with the Procfile, and is read by the programs it is for."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ispcore.embedded.home import open_home
from ispcore.embedded.supervisor import parse_procfile
from ispcore.environment import SECRETS
from tests.operations.delivered import DEPLOY, free_port, process, replaced

PROJECT = DEPLOY.parent
# A process of the Procfile, the service of compose.yaml that runs it, and the file of systemd's worker.
PROCESSES = [
    ("web", "web", None),
    ("worker", "worker", "default"),
    ("billing", "billing", "billing"),
    ("network", "network", "network"),
    ("radius", "radius-worker", "radius"),
    ("webhooks", "webhooks", "webhooks"),
    ("beat", "beat", None),
]
OURS = {"migrate", "radius", *(service for _, service, _ in PROCESSES)}
UNITS = sorted(path.name for path in (DEPLOY / "systemd").glob("ispcore*"))


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def words_of(name: str) -> list[str]:
    """Return a process's command as the containers have it: all addresses, port 8000, the image's files."""
    command = parse_procfile((PROJECT / "Procfile").read_text())[name]
    values = {"$HOST": "0.0.0.0", "$PORT": "8000", "$ISP_DATA_DIR/static": "/opt/ispcore/static"}
    return [values.get(word, word) for word in shlex.split(command)]


@pytest.mark.parametrize(("name", "service", "_worker"), PROCESSES)
def test_compose_runs_each_process_of_the_procfile_as_it_stands_there(compose, name, service, _worker):
    assert compose["services"][service]["command"] == words_of(name)


def test_the_procfile_has_no_other_process_of_a_real_installation():
    demo = {"olt", "olt-ufiber", "olt-rival", "nas"}

    assert parse_procfile((PROJECT / "Procfile").read_text()).keys() - demo == {
        name for name, _, _ in PROCESSES
    }


@pytest.mark.parametrize("service", sorted(OURS | {"valkey", "nginx"}))
def test_no_container_may_write_or_rise(compose, service):
    found = compose["services"][service]

    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert "cap_add" not in found
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in found
    assert "healthcheck" in found or service in {"migrate", "beat"}


def test_only_the_database_keeps_what_its_entry_point_needs(compose):
    database = compose["services"]["postgresql"]

    assert (database["read_only"], database["cap_drop"]) == (True, ["ALL"])
    assert database["cap_add"] == ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]


def test_every_secret_is_a_file_and_every_file_is_declared(compose):
    names = compose["secrets"].keys()

    assert {f"secrets/{name}" for name in names} == {one["file"] for one in compose["secrets"].values()}
    for service in compose["services"].values():
        assert set(service.get("secrets", [])) <= names
        for variable, value in (service.get("environment") or {}).items():
            if variable.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in service["secrets"], variable
                assert variable.removesuffix("_FILE") in (*SECRETS, "POSTGRES_PASSWORD")
            assert variable not in SECRETS


def test_only_the_migration_is_told_how_to_change_tables(compose):
    told = {
        name
        for name, service in compose["services"].items()
        if "database_owner_url" in service.get("secrets", [])
    }

    assert told == {"migrate"}


def test_only_the_proxy_and_radius_are_reached_from_outside_and_the_database_reaches_nobody(compose):
    open_ = {name for name, service in compose["services"].items() if service.get("ports")}

    assert open_ == {"nginx", "radius"}
    assert compose["networks"]["inside"] == {"internal": True}
    assert compose["services"]["postgresql"]["networks"] == ["inside"]
    assert compose["services"]["valkey"]["networks"] == ["inside"]


def test_every_mounted_file_is_delivered(compose):
    mounted = [
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if volume.startswith("./") and not volume.startswith("./secrets")
    ]

    assert len(mounted) == 5
    assert [name for name in mounted if not (DEPLOY / name).is_file()] == []


def test_env_example_has_no_secret_and_no_unknown_name():
    names = re.findall(r"^([A-Z_]+)=", (DEPLOY / "env.example").read_text(), re.MULTILINE)
    known = re.findall(r"^#?([A-Z_]+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE)

    assert set(names) <= set(known)
    assert set(names) & set(SECRETS) == set()


def test_the_images_run_as_nobody_and_hold_no_secret():
    stages = (DEPLOY / "Containerfile").read_text().split("\nFROM ")

    assert [stage.split("\n")[0].rsplit(" AS ")[1] for stage in stages[1:]] == ["build", "ispcore", "radius"]
    assert "\nUSER 10001:10001\n" in stages[2]
    assert "\nUSER freerad\n" in stages[3]
    ignored = (PROJECT / ".dockerignore").read_text().split("\n")
    assert {".env", ".run", ".git", "deploy/secrets", "deploy/.env"} <= set(ignored)


@pytest.mark.parametrize(
    ("name", "_service", "worker"), [one for one in PROCESSES if one[2]], ids=lambda value: str(value)
)
def test_systemd_starts_each_worker_as_the_procfile(name, _service, worker):
    given = dict(
        line.split("=", 1) for line in (DEPLOY / f"systemd/workers/{worker}.env").read_text().splitlines()
    )
    unit = (DEPLOY / "systemd/ispcore-worker@.service").read_text()
    command = re.search(r"^ExecStart=/opt/ispcore/venv/bin/(.*)$", unit, re.MULTILINE)
    assert command
    text = command[1].replace("${QUEUES}", given["QUEUES"]).replace("$OPTIONS", given["OPTIONS"])

    assert shlex.split(text.replace("%i", worker).replace("%%", "%")) == words_of(name)


@pytest.mark.parametrize("unit", [name for name in UNITS if name.endswith(".service")])
def test_a_unit_closes_what_it_does_not_need(unit):
    lines = (DEPLOY / "systemd" / unit).read_text().splitlines()

    wanted = {
        "User=ispcore", "NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes",
        "PrivateDevices=yes", "CapabilityBoundingSet=", "RestrictSUIDSGID=yes", "SystemCallFilter=@system-service",
    }  # fmt: skip
    assert wanted <= set(lines)


def test_systemd_starts_the_clock_as_the_procfile():
    unit = (DEPLOY / "systemd/ispcore-beat.service").read_text()

    assert f"ExecStart=/opt/ispcore/venv/bin/{shlex.join(words_of('beat'))}" in unit.splitlines()


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for name in UNITS:
        text = (DEPLOY / "systemd" / name).read_text()
        # It looks whether the programs are there; an instance stands for the template.
        text = text.replace("/opt/ispcore/venv/bin/python", "/bin/true")
        (tmp_path / name.replace("@.", "@billing.")).write_text(text)
    units = sorted(str(path) for path in tmp_path.iterdir())

    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )

    about_ours = [line for line in checked.stderr.splitlines() if "ispcore" in line]
    assert about_ours == []


def test_postgresql_takes_every_setting(tmp_path):
    postgres = open_home(tmp_path / "home").postgres_bin / "postgres"
    delivered = DEPLOY / "postgresql/ispcore.conf"
    named = re.findall(r"^([a-z_]+) = ", delivered.read_text(), re.MULTILINE)

    asked = subprocess.run(
        [
            str(postgres),
            "-C",
            "max_slot_wal_keep_size",
            "-D",
            str(tmp_path),
            "-c",
            f"config_file={delivered}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (asked.returncode, asked.stdout.strip()) == (0, "20480"), asked.stderr
    assert len(named) == len(set(named)) > 30
    assert {"tcp_keepalives_idle", "wal_level", "max_replication_slots"} <= set(named)


def test_valkey_takes_the_configuration_and_never_evicts(tmp_path):
    server = open_home(tmp_path / "home").valkey_server
    port = free_port()
    configuration = tmp_path / "valkey.conf"
    configuration.write_text(
        replaced(
            "valkey/valkey.conf", {"port 6379": f"port {port}", "dir /var/lib/valkey": f"dir {tmp_path}"}
        )
    )

    with process([str(server), str(configuration)], log=tmp_path / "valkey.log", port=port):
        from redis import Redis

        with Redis(port=port, decode_responses=True) as client:
            found = client.config_get("maxmemory-policy", "appendonly", "appendfsync")

    assert found == {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec"}


def test_every_delivered_file_is_named_in_the_guide():
    guide = (PROJECT / "docs/operations.md").read_text()
    ours = ("nginx", "pgbouncer", "postgresql", "valkey", "systemd")
    files = [path for name in ours for path in (DEPLOY / name).rglob("*") if path.is_file()]
    files += [DEPLOY / name for name in ("Containerfile", "compose.yaml", "env.example")]

    assert [str(path) for path in files if not is_named(path, guide)] == []


def is_named(path: Path, guide: str) -> bool:
    return path.name in guide or f"{path.parent.relative_to(DEPLOY)}{os.sep}" in guide
