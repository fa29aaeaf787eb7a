from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from ispcore.auth import services
from ispcore.auth.authenticate import authenticate
from ispcore.auth.models import RefreshToken
from ispcore.auth.refusals import InvalidToken, TokenExpired
from tests.conftest import PASSWORD

NOW = timezone.now()


def log_in(at=NOW) -> services.Tokens:
    return services.log_in(email="alice@north.example", password=PASSWORD, at=at)


def refuses(token: str, at=NOW) -> bool:
    try:
        services.refresh(token=token, at=at)
    except InvalidToken:
        return True
    return False


def test_a_used_token_ends_the_whole_family(alice):
    first = log_in().refresh_token
    second = services.refresh(token=first, at=NOW).refresh_token
    third = services.refresh(token=second, at=NOW).refresh_token

    assert refuses(first)

    assert refuses(third)
    assert RefreshToken.objects.get().revoked_at == NOW


def test_another_log_in_of_the_same_person_goes_on(alice):
    stolen, other = log_in().refresh_token, log_in().refresh_token
    services.refresh(token=stolen, at=NOW)

    assert refuses(stolen)

    assert services.refresh(token=other, at=NOW).expires_in == 900


def test_a_rotation_does_not_prolong_the_log_in(alice):
    token = log_in().refresh_token
    token = services.refresh(token=token, at=NOW + timedelta(days=29)).refresh_token

    with pytest.raises(TokenExpired):
        services.refresh(token=token, at=NOW + timedelta(days=30))


def test_a_changed_password_ends_all_log_ins(alice):
    token = log_in().refresh_token
    alice.set_password("another one entirely")
    alice.save()

    assert refuses(token)


def test_a_person_switched_off_is_out_at_once(alice):
    tokens = log_in(timezone.now())
    alice.is_active = False
    alice.save()

    assert refuses(tokens.refresh_token, timezone.now())
    with pytest.raises(InvalidToken):
        authenticate(f"Bearer {tokens.access_token}", ip=None)


def test_a_log_in_survives_a_rotation_of_the_secret_key(alice, settings):
    settings.SECRET_KEY = "old-" * 10
    token = log_in().refresh_token

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new-" * 10, ["old-" * 10]
    token = services.refresh(token=token, at=NOW).refresh_token
    assert token

    settings.SECRET_KEY_FALLBACKS = []
    assert refuses(token)


def test_tokens_do_not_show_in_a_repr(alice):
    tokens = log_in()

    assert tokens.refresh_token not in repr(tokens)
    assert tokens.access_token not in repr(tokens)


def test_purges_only_what_has_ended(alice):
    log_in(at=NOW - timedelta(days=31))
    kept = log_in().refresh_token

    assert services.purge_refresh_tokens(NOW) == 1

    assert services.purge_refresh_tokens(NOW) == 0
    assert services.refresh(token=kept, at=NOW)


def test_a_use_that_overtakes_another_ends_the_log_in(alice, monkeypatch):
    token = log_in().refresh_token
    require_alive, overtaking = services._require_alive, []

    def be_overtaken(row: RefreshToken, at: datetime) -> None:
        monkeypatch.setattr(services, "_require_alive", require_alive)
        overtaking.append(services.refresh(token=token, at=at).refresh_token)

    monkeypatch.setattr(services, "_require_alive", be_overtaken)

    assert refuses(token)
    assert refuses(overtaking[0])


@pytest.mark.django_db(transaction=True)
def test_of_many_simultaneous_uses_one_wins_and_the_log_in_ends(alice):
    token = log_in().refresh_token
    barrier = Barrier(8)

    def use() -> str | None:
        try:
            barrier.wait()
            return services.refresh(token=token, at=NOW).refresh_token
        except InvalidToken:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: use(), range(8)))

    (winner,) = [result for result in results if result]
    assert refuses(winner)
    assert RefreshToken.objects.get().revoked_at == NOW
