import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from uuid import UUID

import pytest
from redis.exceptions import RedisError

from ispcore import redis
from ispcore.api import throttles
from ispcore.api.request import Caller
from ispcore.api.throttles import GcraLimit, HouseThrottle, address_group, take_all
from ispcore.auth.principal import Principal

TENANT = UUID("01900000-0000-7000-8000-00000000000a")


def unused() -> str:
    return f"test:{uuid.uuid4()}"


@pytest.fixture(autouse=True)
def no_remembered_outage(monkeypatch):
    monkeypatch.setattr(throttles, "_outage", throttles._Outage())


def request(caller: Caller | None = None, ip: str = "192.0.2.1"):
    django_request = SimpleNamespace(caller=caller or Caller(), META={"REMOTE_ADDR": ip})
    return SimpleNamespace(_request=django_request)


def caller(key: str, tenant_id: UUID = TENANT) -> Caller:
    return Caller(Principal(key, None), tenant_id, "support")


def test_a_hundred_are_a_hundred_also_when_eight_threads_ask_at_once():
    limit, key = GcraLimit(rate=100, period=3600), unused()

    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda _: limit.take(key), range(8 * 60)))

    assert sum(one.allowed for one in taken) == 100
    assert sorted(one.remaining for one in taken if one.allowed) == list(range(100))


def test_tells_what_is_left_and_when_it_is_whole_again():
    limit, key = GcraLimit(rate=2, period=600), unused()

    assert limit.take(key) == (True, 1, 0, 300)
    assert limit.take(key) == (True, 0, 0, 600)
    assert limit.take(key) == (False, 0, 300, 600)


def test_once_in_ten_minutes_is_once_in_ten_minutes():
    limit, key = GcraLimit(rate=1, period=600), unused()

    assert [limit.take(key).allowed for _ in range(3)] == [True, False, False]
    assert limit.take(key).retry_after_seconds == 600
    assert limit.take(unused()).allowed


def test_refills_evenly():
    limit, key = GcraLimit(rate=20, period=1, burst=1), unused()

    assert limit.take(key).allowed
    refused = 0
    while not limit.take(key).allowed:
        refused += 1

    assert refused > 0
    assert not limit.take(key).allowed


def test_leaves_nothing_behind_in_redis():
    limit, key = GcraLimit(rate=10, period=1), unused()

    limit.take(key)

    assert 0 < redis.client().pttl(f"limit:{key}") <= 101


def test_can_be_made_whole_again():
    limit, key = GcraLimit(rate=1, period=600), unused()
    limit.take(key)

    limit.forget(key)

    assert limit.take(key).allowed


def test_what_one_limit_refuses_costs_the_other_nothing():
    wide, narrow = (unused(), GcraLimit(10, 3600)), (unused(), GcraLimit(1, 3600))

    assert [one.allowed for one in take_all([wide, narrow])] == [True, True]
    assert [one.allowed for one in take_all([wide, narrow])] == [False, False]

    assert wide[1].take(wide[0]).remaining == 8


def test_raises_when_redis_is_away(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    with pytest.raises(RedisError):
        GcraLimit(rate=1, period=1).take(unused())


def test_limits_each_credential(settings):
    settings.RATE_LIMIT_PER_MINUTE = 3
    mine, other = caller(unused(), uuid.uuid4()), caller(unused(), uuid.uuid4())
    throttle = HouseThrottle()

    first = request(mine)
    assert throttle.allow_request(first, None)
    assert first.rate_limit == (3, 2, 20)
    assert [throttle.allow_request(request(mine), None) for _ in range(3)] == [True, True, False]
    assert throttle.wait() == pytest.approx(20, abs=1)
    assert throttle.allow_request(request(other), None)


def test_limits_a_tenants_credentials_together(settings):
    settings.RATE_LIMIT_PER_MINUTE = 3
    tenant_id = uuid.uuid4()

    allowed = [HouseThrottle().allow_request(request(caller(unused(), tenant_id)), None) for _ in range(16)]

    assert allowed == [True] * 15 + [False]


def test_without_a_credential_the_address_is_the_caller(settings):
    settings.RATE_LIMIT_PER_MINUTE = 1
    address = f"2001:db8:{uuid.uuid4().hex[:4]}:{uuid.uuid4().hex[:4]}"

    assert HouseThrottle().allow_request(request(ip=f"{address}::1"), None)
    assert not HouseThrottle().allow_request(request(ip=f"{address}::2"), None)


def test_lets_everything_through_while_redis_is_away_and_says_so_once(settings, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    warnings, now = [], [1000.0]
    monkeypatch.setattr(
        throttles.log, "warning", lambda *args, **kwargs: warnings.append(args), raising=False
    )
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    for _ in range(10):
        assert HouseThrottle().allow_request(request(), None)
        now[0] += 5.9
    assert len(warnings) == 1

    now[0] += 5.9
    assert HouseThrottle().allow_request(request(), None)
    assert len(warnings) == 2


def test_asks_redis_again_after_an_outage(settings, monkeypatch):
    url, now = settings.REDIS_URL, [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert HouseThrottle().allow_request(request(), None)

    settings.REDIS_URL = url
    early, late = request(), request()
    HouseThrottle().allow_request(early, None)
    now[0] += throttles.ASK_AGAIN_SECONDS
    HouseThrottle().allow_request(late, None)

    assert not hasattr(early, "rate_limit")
    assert late.rate_limit


@pytest.mark.parametrize(
    ("ip", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_ipv6_customer_is_one_caller(ip, group):
    assert address_group(ip) == group
