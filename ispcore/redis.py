"""The one Redis client: limits, locks and health checks share its connections.

REDIS_URL names one server, or the sentinels that know which of several is the primary:
`sentinel://:PASSWORD@HOST:26379,HOST:26379,HOST:26379/0?master=NAME`. Celery's broker is the same server.
"""

import socket
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from redis.sentinel import Sentinel

# A request waits for Redis, so a server that does not answer must be noticed before the caller is.
TIMEOUT_SECONDS = 1.0
HEALTH_CHECK_SECONDS = 30
SENTINEL_PORT = 26379
# A host that vanishes says nothing; the kernel gives up a silent connection to it after eleven seconds.
KEEPALIVE = {
    getattr(socket, name): value
    for name, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)  # macOS names the first one otherwise.
}


@dataclass(frozen=True)
class Sentinels:
    """The sentinels of a primary and its replicas."""

    addresses: tuple[tuple[str, int], ...]
    master: str
    password: str | None
    sentinel_password: str | None
    database: int


def read_sentinels(url: str) -> Sentinels | None:
    """Return what a `sentinel://` URL says, None for the URL of a single server.

    Raises ValueError for one without a master's name.
    """
    if not url.startswith("sentinel://"):
        return None
    parts = urlsplit(url)
    user, _, hosts = parts.netloc.rpartition("@")
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if not asked.get("master"):
        raise ValueError("REDIS_URL names sentinels but no master: end it with ?master=NAME.")
    return Sentinels(
        addresses=tuple(_address(host) for host in hosts.split(",")),
        master=asked["master"],
        password=unquote(user.partition(":")[2]) or None,
        sentinel_password=asked.get("sentinel_password"),
        database=int(parts.path.strip("/") or 0),
    )


def broker(url: str) -> tuple[str, dict[str, Any]]:
    """Return kombu's URL and further transport options for the broker at `url`."""
    sentinels = read_sentinels(url)
    if sentinels is None:
        return url, {}
    secret = f":{quote(sentinels.password, safe='')}@" if sentinels.password else ""
    urls = [f"sentinel://{secret}{host}:{port}/{sentinels.database}" for host, port in sentinels.addresses]
    return ";".join(urls), {"master_name": sentinels.master, "sentinel_kwargs": _sentinel_options(sentinels)}


def client() -> Redis:
    """Return this process's client of settings.REDIS_URL; answers are text.

    Safe to share between threads and after a fork.
    """
    return _client(settings.REDIS_URL)


@cache
def _client(url: str) -> Redis:
    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "health_check_interval": HEALTH_CHECK_SECONDS,
        # Once more for a connection the server closed meanwhile; the library's own default waits seconds.
        "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    }
    sentinels = read_sentinels(url)
    if sentinels is None:
        return Redis.from_url(url, **options)
    watch = Sentinel(  # type: ignore[no-untyped-call]
        list(sentinels.addresses), sentinel_kwargs=_sentinel_options(sentinels)
    )
    primary: Redis = watch.master_for(  # type: ignore[no-untyped-call]
        sentinels.master, password=sentinels.password, db=sentinels.database, **options
    )
    return primary


def _sentinel_options(sentinels: Sentinels) -> dict[str, Any]:
    return {
        "password": sentinels.sentinel_password,
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "retry": Retry(NoBackoff(), 0),  # The next sentinel is asked instead.
    }


def _address(host: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    if not parts.hostname:
        raise ValueError("REDIS_URL has an empty host among its sentinels.")
    return parts.hostname, parts.port or SENTINEL_PORT
