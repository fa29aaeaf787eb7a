from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from ispcore.auth import services
from ispcore.auth.authenticate import authenticate
from ispcore.auth.models import ApiKey
from ispcore.auth.refusals import InvalidToken, TokenExpired
from ispcore.errors import DomainError
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role

NOW = timezone.now()


def make_key(tenant: Tenant, **changes) -> tuple[ApiKey, str]:
    given = {"name": "billing export", "role": Role.SUPPORT, "created_by": None, "at": NOW, **changes}
    with tenant_context(tenant.pk):
        return services.create_api_key(**given)


def refusal(secret: str, ip: str | None = "192.0.2.1") -> str:
    with pytest.raises((InvalidToken, TokenExpired)) as refused:
        authenticate(f"Bearer {secret}", ip=ip)
    return str(refused.value.detail)


def stored(tenant: Tenant) -> ApiKey:
    with tenant_context(tenant.pk):
        found: ApiKey = ApiKey.objects.get()
        return found


def test_a_key_speaks_for_its_tenant_and_role(tenant):
    key, secret = make_key(tenant)

    principal = authenticate(f"bearer  {secret}", ip="192.0.2.1")

    assert principal.key == f"key:{key.pk}"
    assert principal.user is None
    assert principal.grants == {tenant.pk: "support"}
    assert not principal.every_tenant


def test_only_a_hash_is_stored(tenant):
    key, secret = make_key(tenant)

    prefix, key_id, hidden = secret.split("_")
    assert (prefix, key_id, len(hidden)) == ("ispk", key.prefix, 64)
    assert hidden not in str(vars(stored(tenant)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda secret: secret[:-1] + ("0" if secret[-1] != "0" else "1"),
        lambda secret: secret[:-1],
        lambda secret: secret + "0",
        lambda secret: secret.rsplit("_", 1)[0] + "_",
        lambda secret: secret.rsplit("_", 1)[0],
        lambda secret: "ispk_" + "0" * 12 + "_" + secret.rsplit("_", 1)[1],
        lambda secret: "ispk_",
        lambda secret: "ispk_%_x",
        lambda secret: "ispk_\x00_x",
        lambda secret: "ispk_é_x",
        lambda secret: "ispk_a_\udcff",
    ],
)
def test_anything_but_the_whole_key_is_refused(tenant, spoil):
    _, secret = make_key(tenant)

    assert refusal(spoil(secret)) in ("The API key is not valid.", "The token is of no known kind.")
    assert stored(tenant).last_used_at is None


def test_a_revoked_key_is_refused_and_stays_so(tenant):
    key, secret = make_key(tenant)
    with tenant_context(tenant.pk):
        services.revoke_api_key(key_id=key.pk, at=NOW)
        again = services.revoke_api_key(key_id=key.pk, at=NOW + timedelta(days=1))

    assert again.revoked_at == NOW
    assert refusal(secret) == "The API key was revoked."


def test_an_expired_key_is_told_so(tenant):
    _, secret = make_key(tenant, at=NOW - timedelta(days=2), expires_at=NOW - timedelta(days=1))

    assert refusal(secret) == "The API key has expired."


@pytest.mark.parametrize(
    ("ip", "allowed"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::5", True),
        ("192.0.3.1", False),
        ("2001:db9::5", False),
        ("not an address", False),
        (None, False),
    ],
)
def test_a_key_is_bound_to_its_networks(tenant, ip, allowed):
    _, secret = make_key(tenant, allowed_ips=["192.0.2.0/24", "2001:db8::/32", "198.51.100.9"])

    if allowed:
        assert authenticate(f"Bearer {secret}", ip=ip).grants
    else:
        assert refusal(secret, ip) == "The API key may not be used from this address."
        assert stored(tenant).last_used_at is None


def test_a_key_of_a_tenant_switched_off_may_nothing(tenant):
    _, secret = make_key(tenant)
    Tenant.objects.update(is_active=False)

    assert authenticate(f"Bearer {secret}", ip=None).grants == {}


def test_the_last_use_is_written_at_most_every_five_minutes(tenant, monkeypatch):
    _, secret = make_key(tenant)
    authenticate(f"Bearer {secret}", ip=None)
    first = stored(tenant).last_used_at
    assert first is not None

    authenticate(f"Bearer {secret}", ip=None)
    assert stored(tenant).last_used_at == first

    later = first + timedelta(minutes=5)
    monkeypatch.setattr(timezone, "now", lambda: later)
    authenticate(f"Bearer {secret}", ip=None)
    assert stored(tenant).last_used_at == later


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"role": Role.CUSTOMER}, "validation_error", "role"),
        ({"role": "root"}, "validation_error", "role"),
        ({"allowed_ips": ["10.0.0.0/33"]}, "validation_error", "allowed_ips"),
        ({"expires_at": NOW}, "validation_error", "expires_at"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(tenant, changes, code, field):
    with pytest.raises(DomainError) as refused:
        make_key(tenant, **changes)

    assert (refused.value.code, refused.value.field, refused.value.status) == (code, field, 422)
    with tenant_context(tenant.pk):
        assert not ApiKey.objects.exists()


def test_another_tenants_key_cannot_be_revoked(tenant, other_tenant):
    key, secret = make_key(tenant)

    with tenant_context(other_tenant.pk), pytest.raises(services.NoSuchApiKey):
        services.revoke_api_key(key_id=key.pk, at=NOW)

    assert authenticate(f"Bearer {secret}", ip=None).grants == {tenant.pk: "support"}


def test_without_a_tenant_the_database_shows_only_the_key_that_is_named(tenant):
    first, _ = make_key(tenant)
    make_key(tenant, name="second")
    rows = ApiKey._base_manager

    assert rows.count() == 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.api_key_prefix', %s, true)", [first.prefix])
        assert [key.pk for key in rows.all()] == [first.pk]
        assert rows.update(role=Role.ADMINISTRATOR) == 0


def test_the_database_refuses_a_role_that_is_not_for_keys(tenant):
    key, _ = make_key(tenant)

    with pytest.raises(IntegrityError, match="api_key_role_known"), tenant_context(tenant.pk):
        ApiKey.objects.filter(pk=key.pk).update(role="customer")


def test_making_and_revoking_leave_a_history_and_using_does_not(tenant):
    key, secret = make_key(tenant)
    authenticate(f"Bearer {secret}", ip=None)
    with tenant_context(tenant.pk):
        services.revoke_api_key(key_id=key.pk, at=NOW)

        labels = key.history.order_by("pgh_id").values_list("pgh_label", flat=True)  # type: ignore[attr-defined]
        assert list(labels) == ["created", "changed"]
