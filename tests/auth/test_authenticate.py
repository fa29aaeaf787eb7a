import pytest
from django.db import IntegrityError

from ispcore.auth import services
from ispcore.auth.authenticate import authenticate
from ispcore.auth.refusals import InvalidToken, NotAuthenticated
from ispcore.tenants.models import Tenant, User
from tests.auth import issuer


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Digest x", "ispk_a_b", "\x00"])
def test_a_header_of_another_kind_is_no_credential(header):
    with pytest.raises(NotAuthenticated) as refusal:
        authenticate(header, ip=None)

    assert (refusal.value.status_code, refusal.value.auth_header) == (401, "Bearer")


@pytest.mark.parametrize("token", ["x", "a.b", "a.b.c.d", "ispk", "isprt_a_b", "é.é.é", "a b", "x" * 9000])
def test_a_token_of_no_known_kind_is_invalid(token):
    with pytest.raises(InvalidToken) as refusal:
        authenticate(f"Bearer {token}", ip=None)

    assert refusal.value.auth_header == 'Bearer error="invalid_token"'


def test_a_linked_subject_is_the_person_with_their_grants(alice, tenant, keys):
    services.link_identity(user=alice, issuer=issuer.ISSUER, subject="alice-7f3")

    principal = authenticate(f"Bearer {issuer.token()}", ip=None)

    assert principal.user == alice
    assert principal.grants == {tenant.pk: "support"}
    assert not principal.every_tenant


def test_an_email_address_in_the_token_identifies_nobody(alice, keys):
    with pytest.raises(InvalidToken, match="nobody here"):
        authenticate(f"Bearer {issuer.token(email=alice.email, email_verified=True)}", ip=None)


def test_the_same_subject_of_another_issuer_is_somebody_else(alice, keys):
    services.link_identity(user=alice, issuer="https://other.example", subject="alice-7f3")

    with pytest.raises(InvalidToken, match="nobody here"):
        authenticate(f"Bearer {issuer.token()}", ip=None)


def test_a_users_id_as_the_issuers_subject_identifies_nobody(alice, keys):
    with pytest.raises(InvalidToken, match="nobody here"):
        authenticate(f"Bearer {issuer.token(sub=str(alice.pk))}", ip=None)


def test_a_clients_own_token_is_never_a_person(alice, keys):
    services.link_identity(user=alice, issuer=issuer.ISSUER, subject="portal")

    with pytest.raises(InvalidToken, match="API key"):
        authenticate(f"Bearer {issuer.token(sub='portal', client_id='portal')}", ip=None)


def test_a_linked_person_switched_off_is_refused(alice, keys):
    services.link_identity(user=alice, issuer=issuer.ISSUER, subject="alice-7f3")
    User.objects.update(is_active=False)

    with pytest.raises(InvalidToken, match="switched off"):
        authenticate(f"Bearer {issuer.token()}", ip=None)


def test_a_tenant_switched_off_grants_nothing(alice, keys):
    services.link_identity(user=alice, issuer=issuer.ISSUER, subject="alice-7f3")
    Tenant.objects.update(is_active=False)

    assert authenticate(f"Bearer {issuer.token()}", ip=None).grants == {}


def test_platform_staff_may_act_for_every_tenant(db, keys):
    operator = User.objects.create_superuser(email="op@platform.example")
    services.link_identity(user=operator, issuer=issuer.ISSUER, subject="op-1")

    principal = authenticate(f"Bearer {issuer.token(sub='op-1')}", ip=None)

    assert principal.every_tenant
    assert principal.grants == {}


def test_a_subject_is_one_person(alice):
    identity = services.link_identity(user=alice, issuer=issuer.ISSUER, subject="alice-7f3")
    bob = User.objects.create_user(email="bob@north.example")

    assert services.link_identity(user=alice, issuer=issuer.ISSUER, subject="alice-7f3") == identity
    with pytest.raises(IntegrityError, match="external_identity_one_user_per_subject"):
        services.link_identity(user=bob, issuer=issuer.ISSUER, subject="alice-7f3")
