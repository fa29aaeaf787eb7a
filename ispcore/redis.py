"""The one Redis client: limits, locks and health checks share its connections."""

from functools import cache

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

# A request waits for Redis, so a server that does not answer must be noticed before the caller is.
TIMEOUT_SECONDS = 1.0
HEALTH_CHECK_SECONDS = 30


def client() -> Redis:
    """Return this process's client of settings.REDIS_URL; answers are text.

    Safe to share between threads and after a fork.
    """
    return _client(settings.REDIS_URL)


@cache
def _client(url: str) -> Redis:
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        health_check_interval=HEALTH_CHECK_SECONDS,
        # Once more for a connection the server closed meanwhile; the library's own default waits seconds.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )
