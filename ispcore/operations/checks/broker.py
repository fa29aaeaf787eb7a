"""Whether the broker keeps what it is given."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from redis.exceptions import RedisError

from ispcore.operations.checks.finding import Finding, error, ok, warning
from ispcore.redis import client

OLDEST_MAJOR = 7
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def check_broker() -> list[Finding]:
    """Find a broker that is away, too old, a replica, forgetful, or open to the network."""
    try:
        info: dict[str, Any] = client().info()
    except RedisError as failure:
        return [
            error(f"The broker does not answer: {failure}", "Start Valkey or Redis, or correct REDIS_URL.")
        ]
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info["redis_version"])
    findings = [*_check_server(name, version, info), *_check_keeping(info)]
    url = urlsplit(settings.REDIS_URL)
    if not url.password and url.hostname not in LOOPBACK:
        findings.append(
            warning(
                "The broker asks for no password.", "Set requirepass there, and the password in REDIS_URL."
            )
        )
    return findings or [ok(f"{name} {version}, keeps everything and writes it down")]


def _check_server(name: str, version: str, info: dict[str, Any]) -> list[Finding]:
    findings = []
    if int(version.split(".")[0]) < OLDEST_MAJOR:
        findings.append(
            error(f"{name} is version {version}; {OLDEST_MAJOR} is the oldest that works.", "Upgrade it.")
        )
    if info.get("role") != "master":
        findings.append(
            error("REDIS_URL leads to a replica, which takes no messages.", "Point REDIS_URL at the primary.")
        )
    return findings


def _check_keeping(info: dict[str, Any]) -> list[Finding]:
    findings = []
    policy = info.get("maxmemory_policy")
    if policy != "noeviction":
        findings.append(
            error(
                f"When its memory is full the broker throws away messages (maxmemory-policy {policy}).",
                "Set maxmemory-policy noeviction.",
            )
        )
    if not info.get("aof_enabled"):
        findings.append(
            warning(
                "What waits in the broker is lost when it restarts; sweeps find it again from the rows, minutes later.",
                "Set appendonly yes, appendfsync everysec.",
            )
        )
    elif info.get("aof_last_write_status") != "ok" or info.get("aof_last_bgrewrite_status") != "ok":
        findings.append(error("The broker cannot write its file.", "Look at its log, and at its disk."))
    return findings
