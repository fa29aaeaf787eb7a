"""Limits on how often: one atomic step in Redis, so that parallel requests cannot slip through together."""

import ipaddress
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from redis import Redis
from redis.commands.core import Script
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from ispcore import redis
from ispcore.api.request import caller_of, client_ip

log = structlog.get_logger(__name__)

MICROSECONDS = 1_000_000
# One tenant's integrators together: several may run at full speed, but not all at once.
TENANT_FACTOR = 5
# While Redis is away, a request in so many seconds asks for it again; the others do not wait for it.
ASK_AGAIN_SECONDS = 5.0
LOG_AGAIN_SECONDS = 60.0

# The generic cell rate algorithm (ITU-T I.371): one number per key, the theoretical arrival time of the next
# call. All limits must allow the call before any of them is charged. The clock is Redis's own, so that hosts
# whose clocks differ agree. `%.0f`, because Lua would print a time in microseconds as 1.7e+15. One line of text
# is read twice as fast as a list of numbers.
GCRA_LUA = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local allowed = true
local answers = {}
for i, key in ipairs(KEYS) do
    local interval, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local tolerance = interval * burst
    local full_at = math.max(tonumber(redis.call('GET', key) or 0), now)
    local wait = full_at + interval - tolerance - now
    if wait > 0 then allowed = false end
    answers[i] = {interval, tolerance, full_at, wait}
end
local result = {allowed and 1 or 0}
for i, key in ipairs(KEYS) do
    local interval, tolerance, full_at, wait = unpack(answers[i])
    if allowed then
        full_at = full_at + interval
        redis.call('SET', key, string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
    end
    table.insert(result, math.max(0, math.floor((tolerance - (full_at - now)) / interval)))
    table.insert(result, string.format('%.0f', math.max(0, wait)))
    table.insert(result, string.format('%.0f', full_at - now))
end
return table.concat(result, ' ')
"""


class Taken(NamedTuple):
    """What a limit said: calls left now, seconds to wait after a refusal, seconds until it is whole again."""

    allowed: bool
    remaining: int
    retry_after_seconds: int
    reset_seconds: int


@dataclass(frozen=True)
class GcraLimit:
    """`rate` calls per `period` seconds, evenly refilled; at most `burst` at once (default: `rate`).

    Once per 10 minutes is `GcraLimit(rate=1, period=600)`.
    """

    rate: int
    period: float
    burst: int | None = None

    def take(self, key: str) -> Taken:
        """Count one call for `key`, unless that is one too many; a refused call costs nothing.

        Raises redis.exceptions.RedisError when Redis does not answer: the caller decides what that means.
        """
        return take_all([(key, self)])[0]

    def allows(self, key: str) -> bool:
        """Count one call as `take` does and tell whether it is allowed.

        While Redis is away all are: for what must go on without a limiter.
        """
        try:
            return self.take(key).allowed
        except RedisError:
            return True

    def forget(self, key: str) -> None:
        """Make the limit whole again for `key`. Raises redis.exceptions.RedisError."""
        redis.client().delete(_name(key))

    @property
    def interval_microseconds(self) -> int:
        return max(1, round(self.period * MICROSECONDS / self.rate))


def take_all(limits: Sequence[tuple[str, GcraLimit]]) -> list[Taken]:
    """Count one call against all limits, or against none when one of them refuses.

    Raises redis.exceptions.RedisError when Redis does not answer.
    """
    arguments: list[int] = []
    for _, limit in limits:
        arguments += [limit.interval_microseconds, limit.burst or limit.rate]
    answer: Any = _script(redis.client())(keys=[_name(key) for key, _ in limits], args=arguments)
    allowed, *numbers = map(int, answer.split())
    triples = zip(numbers[0::3], numbers[1::3], numbers[2::3], strict=True)
    return [
        Taken(bool(allowed), remaining, math.ceil(wait / MICROSECONDS), math.ceil(reset / MICROSECONDS))
        for remaining, wait, reset in triples
    ]


class HouseThrottle(BaseThrottle):
    """RATE_LIMIT_PER_MINUTE for each credential in a tenant, and TENANT_FACTOR times that for the tenant.

    Sets `request.rate_limit` to (limit, remaining, seconds until whole) of the one nearer its end. Lets
    everything through while Redis is away: a lost limiter must not become a lost service.
    """

    retry_after: int | None = None

    def allow_request(self, request: Request | HttpRequest, view: Any) -> bool:
        answers = _outage.guard(limits_of(getattr(request, "_request", request)))
        if answers is None:
            return True
        (taken, limit) = min(answers, key=lambda answer: answer[0].remaining)
        request.rate_limit = (limit.rate, taken.remaining, taken.reset_seconds)  # type: ignore[union-attr]
        self.retry_after = max(answer.retry_after_seconds for answer, _ in answers)
        return taken.allowed

    def wait(self) -> float | None:
        return self.retry_after


def write_headers(request: Request | HttpRequest, response: HttpResponse) -> None:
    """Tell what is left (draft-ietf-httpapi-ratelimit-headers), and in how many seconds it is whole again."""
    if limit := getattr(request, "rate_limit", None):
        most, left, reset = limit
        response["RateLimit-Policy"] = f'"default";q={most};w=60'
        response["RateLimit"] = f'"default";r={left};t={reset}'


def limits_of(request: HttpRequest) -> list[tuple[str, GcraLimit]]:
    """Name the limits one request counts against; without a credential, its address is the caller."""
    caller = caller_of(request)
    rate = settings.RATE_LIMIT_PER_MINUTE
    if caller.principal is None:
        return [(f"api:ip:{address_group(client_ip(request))}", GcraLimit(rate, 60))]
    return [
        (f"api:{caller.tenant_id}:{caller.principal.key}", GcraLimit(rate, 60)),
        (f"api:{caller.tenant_id}", GcraLimit(rate * TENANT_FACTOR, 60)),
    ]


def address_group(ip: str | None) -> str:
    """Return the address limits count by: an IPv6 customer owns a /64 (RFC 6177), so that is one caller."""
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


class _Outage:
    """Remember that Redis is away, so that not every request waits for its timeout to find out."""

    def __init__(self) -> None:
        self.ask_again_at = 0.0
        self.log_again_at = 0.0

    def guard(self, limits: list[tuple[str, GcraLimit]]) -> list[tuple[Taken, GcraLimit]] | None:
        """Take all limits; None while Redis is away."""
        now = time.monotonic()
        if now < self.ask_again_at:
            return None
        try:
            answers = take_all(limits)
        except RedisError as error:
            self.ask_again_at = now + ASK_AGAIN_SECONDS
            if now >= self.log_again_at:
                self.log_again_at = now + LOG_AGAIN_SECONDS
                log.warning("rate_limits_off", reason=type(error).__name__)
            return None
        return [(taken, limit) for taken, (_, limit) in zip(answers, limits, strict=True)]


_outage = _Outage()


def _name(key: str) -> str:
    return f"limit:{key}"


@cache
def _script(client: Redis) -> Script:
    return client.register_script(GCRA_LUA)
