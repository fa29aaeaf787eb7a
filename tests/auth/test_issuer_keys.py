from concurrent.futures import ThreadPoolExecutor

import pytest
from jwt.exceptions import PyJWKClientError

from ispcore.api.errors import ApiError
from ispcore.auth import access_tokens
from ispcore.auth.issuer_keys import issuer_keys
from ispcore.auth.refusals import InvalidToken
from tests.auth import issuer

HOUR = 3600


def accepted(head: dict[str, object] | None = None) -> bool:
    try:
        access_tokens.verify(issuer.token(head=head))
    except InvalidToken:
        return False
    return True


def test_the_issuer_is_not_asked_per_request(keys):
    assert all(accepted() for _ in range(50))

    assert keys.fetches == 1


def test_a_cold_cache_is_filled_by_one_fetch(keys):
    keys.delay_seconds = 0.1

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: accepted(), range(8)))

    assert results == [True] * 8
    assert keys.fetches == 1


def test_two_hundred_unknown_keys_cost_at_most_one_fetch(keys, clock):
    assert accepted()
    clock.advance(60)

    refused = [accepted({"kid": f"invented-{number}"}) for number in range(200)]

    assert refused == [False] * 200
    assert keys.fetches == 2
    assert accepted()


def test_the_issuer_being_down_is_not_noticed_for_a_day(keys, clock):
    assert accepted()
    keys.status = 503

    clock.advance(23 * HOUR)
    assert [accepted() for _ in range(5)] == [True] * 5
    assert keys.fetches == 2  # The back-off: one attempt in ten seconds, not one per request.

    clock.advance(11)
    assert accepted()
    assert keys.fetches == 3

    clock.advance(2 * HOUR)
    with pytest.raises(ApiError) as refusal:
        accepted()
    assert refusal.value.status_code == 503


def test_a_returned_issuer_is_believed_again(keys, clock):
    assert accepted()
    keys.status = 500
    clock.advance(HOUR)
    assert accepted()

    keys.status = 200
    keys.keys = [issuer.public_jwk(kid="second")]
    clock.advance(31)

    assert accepted({"kid": "second"})


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"keys": []}', b'{"keys": 7}', b'{"keys": [{}]}'])
def test_an_issuer_that_publishes_nonsense_counts_as_down(keys, clock, body):
    assert accepted()
    keys.body = body

    clock.advance(HOUR)

    assert accepted()
    assert keys.fetches == 2


def test_a_known_key_does_not_wait_while_another_thread_asks(keys, clock):
    assert accepted()
    keys.asked.clear()
    keys.may_answer.clear()
    clock.advance(HOUR)

    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(accepted)
        keys.asked.wait()
        fast = threads.submit(accepted)
        try:
            assert fast.result(timeout=4)  # Within the fetch's own timeout, which would end the wait as well.
            assert not slow.done()
        finally:
            keys.may_answer.set()
        assert slow.result()


def test_a_new_key_is_refused_in_the_cooldown_and_accepted_after_it(keys, clock):
    assert accepted()
    keys.keys.append(issuer.public_jwk(kid="second"))

    assert not accepted({"kid": "second"})
    clock.advance(31)

    assert accepted({"kid": "second"})
    assert accepted()
    assert keys.fetches == 2


def test_a_withdrawn_key_is_refused_once_the_cache_ends(keys, clock):
    assert accepted()
    keys.keys = [issuer.public_jwk(issuer.FOREIGN, kid="second")]

    assert accepted()
    clock.advance(301)

    assert not accepted()


def test_a_shared_secret_in_the_published_keys_is_no_key(keys):
    keys.keys.append({"kty": "oct", "kid": "shared", "alg": "HS256", "k": issuer.b64(issuer.SHARED_SECRET)})

    assert issuer_keys(keys.url).get_signing_key("first").algorithm_name == "RS256"
    with pytest.raises(PyJWKClientError):
        issuer_keys(keys.url).get_signing_key("shared")


def test_a_redirect_is_not_followed(keys):
    keys.status = 302

    with pytest.raises(ApiError):
        accepted()
    assert keys.fetches == 1
