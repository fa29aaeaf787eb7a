from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from ispcore.auth import services
from ispcore.auth.authenticate import authenticate
from ispcore.auth.models import ApiKey
from ispcore.auth.refusals import InvalidToken, TokenExpired
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role

NOW = timezone.now()


def make_key(provider: Tenant, **changes) -> tuple[ApiKey, str]:
    given = {"name": "billing export", "role": Role.SUPPORT, "created_by": None, "at": NOW, **changes}
    with tenant_context(provider.pk):
        return services.create_api_key(**given)


def refusal(secret: str, ip: str | None = "192.0.2.1") -> str:
    with pytest.raises((InvalidToken, TokenExpired)) as refused:
        authenticate(f"Bearer {secret}", ip=ip)
    return str(refused.value.detail)


def stored(provider: Tenant) -> ApiKey:
    with tenant_context(provider.pk):
        found: ApiKey = ApiKey.objects.get()
        return found


def test_a_key_speaks_for_its_tenant_and_role(provider):
    key, secret = make_key(provider)

    principal = authenticate(f"bearer  {secret}", ip="192.0.2.1")

    assert principal.key == f"key:{key.pk}"
    assert principal.user is None
    assert principal.grants == {provider.pk: "support"}
    assert not principal.every_tenant


def test_only_a_hash_is_stored(provider):
    key, secret = make_key(provider)

    prefix, key_id, hidden = secret.split("_")
    assert (prefix, key_id, len(hidden)) == ("ispk", key.prefix, 64)
    assert hidden not in str(vars(stored(provider)))


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
    ],
)
def test_anything_but_the_whole_key_is_refused(provider, spoil):
    _, secret = make_key(provider)

    assert refusal(spoil(secret)) in ("The API key is not valid.", "The token is of no known kind.")
    assert stored(provider).last_used_at is None


def test_a_revoked_key_is_refused_and_stays_so(provider):
    key, secret = make_key(provider)
    with tenant_context(provider.pk):
        services.revoke_api_key(key_id=key.pk, at=NOW)
        again = services.revoke_api_key(key_id=key.pk, at=NOW + timedelta(days=1))

    assert again.revoked_at == NOW
    assert refusal(secret) == "The API key was revoked."


def test_an_expired_key_is_told_so(provider):
    _, secret = make_key(provider, at=NOW - timedelta(days=2), expires_at=NOW - timedelta(days=1))

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
def test_a_key_is_bound_to_its_networks(provider, ip, allowed):
    _, secret = make_key(provider, allowed_ips=["192.0.2.0/24", "2001:db8::/32", "198.51.100.9"])

    if allowed:
        assert authenticate(f"Bearer {secret}", ip=ip).grants
    else:
        assert refusal(secret, ip) == "The API key may not be used from this address."
        assert stored(provider).last_used_at is None


def test_a_key_of_a_provider_switched_off_may_nothing(provider):
    _, secret = make_key(provider)
    Tenant.objects.update(is_active=False)

    assert authenticate(f"Bearer {secret}", ip=None).grants == {}


def test_the_last_use_is_written_at_most_every_five_minutes(provider, django_assert_num_queries, monkeypatch):
    _, secret = make_key(provider)
    authenticate(f"Bearer {secret}", ip=None)
    first = stored(provider).last_used_at
    assert first is not None

    authenticate(f"Bearer {secret}", ip=None)
    assert stored(provider).last_used_at == first

    later = first + timedelta(minutes=5)
    monkeypatch.setattr(timezone, "now", lambda: later)
    authenticate(f"Bearer {secret}", ip=None)
    assert stored(provider).last_used_at == later


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"role": Role.CUSTOMER}, "validation_error", "role"),
        ({"role": "root"}, "validation_error", "role"),
        ({"allowed_ips": ["10.0.0.0/33"]}, "validation_error", "allowed_ips"),
        ({"expires_at": NOW}, "validation_error", "expires_at"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(provider, changes, code, field):
    with pytest.raises(services.DomainError) as refused:
        make_key(provider, **changes)

    assert (refused.value.code, refused.value.field, refused.value.status) == (code, field, 422)
    with tenant_context(provider.pk):
        assert not ApiKey.objects.exists()


def test_another_tenants_key_cannot_be_seen_or_revoked(provider):
    key, secret = make_key(provider)
    other = Tenant.objects.create(slug="south", name="South Fibre")

    with tenant_context(other.pk), pytest.raises(services.NoSuchApiKey):
        services.revoke_api_key(key_id=key.pk, at=NOW)

    assert authenticate(f"Bearer {secret}", ip=None).grants == {provider.pk: "support"}


def test_without_a_tenant_the_database_shows_only_the_key_that_is_named(provider):
    first, _ = make_key(provider)
    make_key(provider, name="second")
    rows = ApiKey._base_manager

    assert rows.count() == 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.api_key_prefix', %s, true)", [first.prefix])
        assert [key.pk for key in rows.all()] == [first.pk]
        assert rows.update(role=Role.ADMINISTRATOR) == 0


def test_the_database_refuses_a_role_that_is_not_for_keys(provider):
    key, _ = make_key(provider)

    with pytest.raises(IntegrityError, match="api_key_role_known"), tenant_context(provider.pk):
        ApiKey.objects.filter(pk=key.pk).update(role="customer")


def test_making_and_revoking_leave_a_history_and_using_does_not(provider):
    key, secret = make_key(provider)
    authenticate(f"Bearer {secret}", ip=None)
    with tenant_context(provider.pk):
        services.revoke_api_key(key_id=key.pk, at=NOW)

        labels = key.history.order_by("pgh_id").values_list("pgh_label", flat=True)
        assert list(labels) == ["created", "changed"]
