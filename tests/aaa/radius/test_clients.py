"""Who may talk to the server: NASes come and go while it runs, strangers are not answered."""

import time
from concurrent.futures import ThreadPoolExecutor

from aaa.models import Nas
from aaa.services.nas import change_nas, remove_nas
from ispcore.tenants.context import tenant_context
from tests.aaa.radius.client import NasClient
from tests.aaa.radius.conftest import SECRET, Provider
from tests.aaa.radius.server import NAS_SECONDS

# What the server knows of a NAS lives so long, to the second that has begun; of a stranger a little longer.
FORGOTTEN_SECONDS = NAS_SECONDS + 1.1
STRANGER_SECONDS = 4.1
SILENCE_SECONDS = 0.6
# Shipped FreeRADIUS lets one new client in per second.
NEW_NASES, MOST_SECONDS = 18, 8


def _answers(nas: NasClient) -> bool:
    nas.seconds = SILENCE_SECONDS
    answer = nas.log_in("jane", "right")
    nas.seconds = 5
    return answer is not None


def test_a_request_without_message_authenticator_is_not_answered(provider: Provider) -> None:
    provider.account("jane")
    nas = provider.nas()
    assert nas.log_in("jane", "right") is not None
    nas.seconds = SILENCE_SECONDS

    answer = nas.log_in("jane", "right", signed=False)

    assert answer is None
    assert provider.attempts() == [("jane", True, "")]


def test_a_nas_that_cannot_sign_is_let_off_one_by_one(provider: Provider) -> None:
    provider.account("jane")
    nas = provider.nas(require_message_authenticator=False)

    answer = nas.log_in("jane", "right", signed=False)

    assert answer is not None
    assert answer.accepted
    assert answer.is_signed_first


def test_a_message_authenticator_of_another_secret_is_not_answered(provider: Provider) -> None:
    provider.account("jane")
    nas = provider.nas()
    forger = NasClient("another", nas.auth_port, nas.acct_port, nas.address, SILENCE_SECONDS)

    assert forger.log_in("jane", "right") is None
    assert forger.account("Start", "1", User_Name="jane") is None
    assert provider.attempts() == []


def test_a_stranger_is_not_answered(provider: Provider) -> None:
    provider.account("jane")
    stranger = NasClient(
        SECRET, provider.server.auth_port, provider.server.acct_port, seconds=SILENCE_SECONDS
    )

    assert stranger.log_in("jane", "right") is None
    assert stranger.account("Start", "1", User_Name="jane") is None
    assert provider.attempts() == []


def test_a_nas_is_known_without_a_restart(provider: Provider) -> None:
    provider.account("jane")
    nas = provider.nas()
    with tenant_context(provider.tenant.pk):
        Nas.objects.filter(address=nas.address).update(is_active=False)
    assert not _answers(nas)
    with tenant_context(provider.tenant.pk):
        Nas.objects.filter(address=nas.address).update(is_active=True)

    time.sleep(STRANGER_SECONDS)

    assert _answers(nas)


def test_a_removed_nas_is_forgotten(provider: Provider) -> None:
    provider.account("jane")
    nas = provider.nas()
    assert _answers(nas)
    with tenant_context(provider.tenant.pk):
        remove_nas(nas_id=provider.record_of(nas).pk)

    time.sleep(FORGOTTEN_SECONDS)

    assert not _answers(nas)


def test_a_changed_secret_replaces_the_old_one(provider: Provider) -> None:
    provider.account("jane")
    nas = provider.nas()
    assert _answers(nas)
    with tenant_context(provider.tenant.pk):
        change_nas(nas_id=provider.record_of(nas).pk, secret="new")

    time.sleep(FORGOTTEN_SECONDS)

    assert not _answers(nas)
    nas.secret = "new"
    assert _answers(nas)


def test_many_new_nases_come_in_at_once(provider: Provider) -> None:
    provider.account("jane", max_sessions=0)
    nases = [provider.nas() for _ in range(NEW_NASES)]
    started = time.monotonic()

    with ThreadPoolExecutor(NEW_NASES) as pool:
        answers = list(pool.map(lambda nas: nas.log_in("jane", "right"), nases))

    assert ["silence" if answer is None else answer.message or "accept" for answer in answers] == [
        "accept"
    ] * NEW_NASES
    assert time.monotonic() - started < MOST_SECONDS
