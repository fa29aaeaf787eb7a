"""Log-ins on the wire, through the real FreeRADIUS."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from aaa.models import Account, AccountState, RadiusSettings
from aaa.services.nas import grant_realm
from aaa.services.settings import change_settings
from ispcore.tenants.context import tenant_context
from tests import servers
from tests.aaa.radius.client import NasClient
from tests.aaa.radius.conftest import MakeProvider, Provider

# RFC 2759 section 9.2.
RFC_USER, RFC_PASSWORD = "User", "clientPass"
RFC_CHALLENGE = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
RFC_PEER_CHALLENGE = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
RFC_RESPONSE = bytes.fromhex("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF")
RFC_SUCCESS = b"S=407A5589115FD0D6209F510FE9C04566932CDA56"


@pytest.fixture
def nas(provider: Provider) -> NasClient:
    return provider.nas()


@pytest.mark.parametrize("chap", [False, True], ids=["pap", "chap"])
def test_the_right_password_is_accepted_and_the_reply_signed(
    provider: Provider, nas: NasClient, chap: bool
) -> None:
    provider.account("jane")

    answer = nas.log_in("jane", "right", chap=chap)

    assert answer is not None
    assert answer.accepted
    assert answer.is_signed_first
    assert provider.attempts() == [("jane", True, "")]


@pytest.mark.parametrize("chap", [False, True], ids=["pap", "chap"])
def test_a_wrong_password_is_rejected_without_a_hint_and_not_stored(
    provider: Provider, nas: NasClient, chap: bool
) -> None:
    provider.account("jane")

    answer = nas.log_in("jane", "wrong-one", chap=chap)

    assert answer is not None
    assert answer.rejected
    assert answer.is_signed_first
    assert answer.message == ""
    assert provider.attempts() == [("jane", False, "password")]
    assert provider.rows("SELECT 1 FROM aaa_authattempt AS t WHERE strpos(t::text, 'wrong-one') > 0") == []
    assert "wrong-one" not in provider.server.log


def _ms_chap_2(nas: NasClient) -> Any:
    response = b"\x01\x00" + RFC_PEER_CHALLENGE + bytes(8) + RFC_RESPONSE
    return nas.log_in(RFC_USER, MS_CHAP_Challenge=RFC_CHALLENGE, MS_CHAP2_Response=response)


def test_ms_chap_2_is_accepted_and_proves_the_server_knows_the_password(
    provider: Provider, nas: NasClient
) -> None:
    provider.account(RFC_USER, RFC_PASSWORD)

    answer = _ms_chap_2(nas)

    assert answer.accepted
    assert answer.is_signed_first
    assert answer.get("MS-CHAP2-Success") == b"\x01" + RFC_SUCCESS


def test_ms_chap_2_with_another_password_is_rejected(provider: Provider, nas: NasClient) -> None:
    provider.account(RFC_USER, "another")

    answer = _ms_chap_2(nas)

    assert answer.rejected
    assert answer.is_signed_first
    assert provider.attempts() == [(RFC_USER, False, "password")]


def test_a_request_without_any_password_is_rejected(provider: Provider, nas: NasClient) -> None:
    provider.account("jane")

    answer = nas.log_in("jane")

    assert answer is not None
    assert answer.rejected


def test_nobody_by_that_name(provider: Provider, nas: NasClient) -> None:
    answer = nas.log_in("nobody", "right")

    assert answer is not None
    assert answer.rejected
    assert answer.is_signed_first
    assert answer.message == "Unknown user name or wrong password"
    assert provider.attempts() == [("nobody", False, "unknown")]


@pytest.mark.parametrize(
    ("fields", "reason", "message"),
    [
        ({"enabled": False}, "disabled", "This account is switched off"),
        ({"expires_at": -timedelta(minutes=1)}, "expired", "This account has expired"),
        ({"calling_station_id": "02:00:00:00:00:99"}, "mac", "This account belongs to another device"),
    ],
    ids=["disabled", "expired", "mac"],
)
def test_each_refusal_has_its_reason_and_words(
    provider: Provider, nas: NasClient, fields: dict[str, Any], reason: str, message: str
) -> None:
    if isinstance(fields.get("expires_at"), timedelta):
        fields = {"expires_at": timezone.now() + fields["expires_at"]}
    provider.account("jane", **fields)

    answer = nas.log_in("jane", "right", Calling_Station_Id="02:00:00:00:00:01")

    assert answer is not None
    assert answer.rejected
    assert answer.is_signed_first
    assert answer.message == message
    assert provider.attempts() == [("jane", False, reason)]


def test_used_up_data_is_told_in_the_words_everybody_knows(provider: Provider, nas: NasClient) -> None:
    account = provider.account("jane")
    with tenant_context(provider.tenant.pk):
        AccountState.objects.filter(account=account).update(used_bytes=100, allowance_bytes=100)

    answer = nas.log_in("jane", "right")

    assert answer is not None
    assert answer.rejected
    assert answer.message == "Account credits depleted"
    assert provider.attempts() == [("jane", False, "quota")]


def test_a_suspended_line_is_rejected(provider: Provider, nas: NasClient) -> None:
    account = provider.account("jane")
    with tenant_context(provider.tenant.pk):
        Account.objects.filter(pk=account.pk).update(blocked_reason="non_payment")

    answer = nas.log_in("jane", "right")

    assert answer is not None
    assert answer.rejected
    assert answer.message == "Service suspended for non-payment"
    assert provider.attempts() == [("jane", False, "blocked")]


def test_a_suspended_line_enters_the_walled_garden_where_the_provider_wants_so(
    provider: Provider, nas: NasClient
) -> None:
    account = provider.account("jane", policy_id=provider.policy(down_kbps=50000, up_kbps=10000).pk)
    garden = provider.policy("garden", down_kbps=512, up_kbps=256, address_list="unpaid")
    with tenant_context(provider.tenant.pk):
        RadiusSettings.objects.all().delete()
        change_settings(unpaid="garden", garden_policy_id=garden.pk, garden_pool="captive")
        Account.objects.filter(pk=account.pk).update(blocked_reason="non_payment")

    answer = nas.log_in("jane", "right")

    assert answer is not None
    assert answer.accepted
    assert answer.get("Mikrotik-Rate-Limit") == "256k/512k"
    assert answer.get("Mikrotik-Address-List") == "unpaid"
    assert answer.get("Framed-Pool") == "captive"


def test_the_last_place_is_given_once(provider: Provider, nas: NasClient) -> None:
    provider.account("jane")

    first = nas.log_in("jane", "right", Calling_Station_Id="02:00:00:00:00:01")
    other = nas.log_in("jane", "right", Calling_Station_Id="02:00:00:00:00:02")
    again = nas.log_in("jane", "right", Calling_Station_Id="02-00-00-00-00-01")

    assert first is not None
    assert other is not None
    assert again is not None
    assert (first.accepted, other.rejected, again.accepted) == (True, True, True)
    assert other.message == "Already connected as often as the account allows"
    assert provider.attempts() == [("jane", True, ""), ("jane", False, "sessions"), ("jane", True, "")]


def test_the_device_that_comes_first_is_the_one(make_provider: MakeProvider) -> None:
    provider = make_provider("north", mac_lock="learn", max_sessions=0)
    nas = provider.nas()
    provider.account("jane")

    first = nas.log_in("jane", "right", Calling_Station_Id="02:00:00:00:00:01")
    other = nas.log_in("jane", "right", Calling_Station_Id="02:00:00:00:00:02")
    again = nas.log_in("jane", "right", Calling_Station_Id="0200.0000.0001")

    assert first is not None
    assert other is not None
    assert again is not None
    assert (first.accepted, other.rejected, again.accepted) == (True, True, True)
    assert other.message == "This account belongs to another device"


@pytest.mark.parametrize(
    "username", ["مرحبا", "jürgen@müller.example", "x' OR '1'='1", "a\\'; DROP TABLE aaa_nas; --", 'q"%{User-Name}'],
)  # fmt: skip
def test_names_of_any_letters_are_names(provider: Provider, nas: NasClient, username: str) -> None:
    provider.account(username)

    accepted = nas.log_in(username, "right")
    rejected = nas.log_in(username, "wrong")

    assert accepted is not None
    assert accepted.accepted
    assert rejected is not None
    assert rejected.rejected
    assert provider.attempts() == [(username, True, ""), (username, False, "password")]


@pytest.mark.parametrize("username", [b"b\xc3(", b"bob\x00", b"\xff", b"\xed\xa0\x80"])
def test_a_name_that_is_no_text_is_rejected_not_ignored(
    provider: Provider, nas: NasClient, username: bytes
) -> None:
    answer = nas.log_in(username, "right")

    assert answer is not None
    assert answer.rejected
    assert answer.is_signed_first
    assert provider.attempts() == []


def test_a_password_of_any_letters_is_right(provider: Provider, nas: NasClient) -> None:
    password = "\"'%{User-Name}\\ كلمة |$1"
    provider.account("jane", password)

    by_pap = nas.log_in("jane", password)
    by_chap = nas.log_in("jane", password, chap=True)

    assert by_pap is not None
    assert by_pap.accepted
    assert by_chap is not None
    assert by_chap.accepted


def test_two_providers_have_the_same_user_name(make_provider: MakeProvider) -> None:
    north, south = make_provider("north"), make_provider("south")
    north.account("jane", "northern")
    south.account("jane", "southern")
    at_north, at_south = north.nas(), south.nas()

    answers = [
        at_north.log_in("jane", "northern"),
        at_north.log_in("jane", "southern"),
        at_south.log_in("jane", "southern"),
    ]

    assert [answer is not None and answer.accepted for answer in answers] == [True, False, True]
    assert north.attempts() == [("jane", True, ""), ("jane", False, "password")]
    assert south.attempts() == [("jane", True, "")]


def test_what_a_packet_says_of_its_nas_gains_nothing(make_provider: MakeProvider) -> None:
    north, south = make_provider("north"), make_provider("south")
    north.account("jane")
    victim, attacker = north.nas(), south.nas()

    answer = attacker.log_in(
        "jane", "right", NAS_IP_Address=victim.address, NAS_Identifier=str(north.record_of(victim).pk)
    )

    assert answer is not None
    assert answer.rejected
    assert answer.message == "Unknown user name or wrong password"
    assert north.attempts() == []


def test_the_database_role_of_the_server_reads_no_table(provider: Provider) -> None:
    with (
        psycopg.connect(servers.servers.radius_url) as link,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="aaa_account"),
    ):
        link.execute("SELECT * FROM aaa_account")


def test_a_realm_leads_to_the_guest_whose_customers_the_nas_carries(make_provider: MakeProvider) -> None:
    north, south = make_provider("north"), make_provider("south")
    north.account("jane", "northern")
    south.account("jane", "southern")
    nas = north.nas()
    with tenant_context(north.tenant.pk):
        grant_realm(nas_id=north.record_of(nas).pk, realm="south.example", guest=south.tenant.slug)

    guest = nas.log_in("jane@South.example", "southern", chap=True)
    own = nas.log_in("jane", "northern")
    nobody = nas.log_in("jane@elsewhere.example", "northern")

    assert [answer is not None and answer.accepted for answer in (guest, own, nobody)] == [True, True, False]
    assert south.attempts() == [("jane@South.example", True, "")]
    assert north.attempts() == [("jane", True, ""), ("jane@elsewhere.example", False, "unknown")]
