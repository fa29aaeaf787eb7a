"""Tenancy is closed twice: by the manager, and underneath it by row-level security."""

import uuid
from collections.abc import Callable

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from hardware.models import Olt, Onu, PonPort
from ispcore.audit import TenantEventModel
from ispcore.tenants.base import TenantManager
from ispcore.tenants.checks import UnsafeRole, check_role
from ispcore.tenants.context import TenantNotSet, current_tenant_id, tenant_context
from ispcore.tenants.fields import TenantForeignKey, UncheckedTenantKey
from ispcore.tenants.models import Membership, Tenant, User
from ispcore.tenants.roles import Role
from tests.factories import OltFactory, OnuFactory

# Seen by every tenant or by none: who they are and how people log in.
DIRECTORY = {
    "jobs.ScheduledRun",
    "tenants.Tenant",
    "tenants.User",
    "ispauth.RefreshToken",
    "ispauth.ExternalIdentity",
    "ispauth.Authenticator",
    "ispauth.IssuerLogOut",
}

TENANT_MODELS = [
    model for model in apps.get_models() if any(field.name == "tenant" for field in model._meta.local_fields)
]
HOUSE_APPS = {
    "tenants",
    "ispauth",
    "api",
    "events",
    "jobs",
    "files",
    "subscribers",
    "ipam",
    "hardware",
    "aaa",
    "billing",
    "support",
}


@pytest.mark.django_db
@pytest.mark.parametrize("model", TENANT_MODELS, ids=lambda model: model._meta.label)
class TestEveryTenantTable:
    def test_forces_row_level_security(self, model: type[models.Model]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass",
                [model._meta.db_table],
            )
            assert cursor.fetchone() == (True, True)

    def test_is_not_owned_by_the_runtime_role(self, model: type[models.Model]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relowner::regrole::text FROM pg_class WHERE oid = %s::regclass",
                [model._meta.db_table],
            )
            assert cursor.fetchone() == ("isp_owner",)

    def test_has_indexes_that_begin_with_the_tenant(self, model: type[models.Model]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT i.relname, a.attname
                FROM pg_index x
                JOIN pg_class i ON i.oid = x.indexrelid
                JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
                WHERE x.indrelid = %s::regclass AND NOT x.indisprimary
                """,
                [model._meta.db_table],
            )
            leading = {column for name, column in cursor.fetchall() if "pgh_" not in name}
        strays = {(model._meta.db_table, column) for column in leading - {"tenant_id", "pgh_obj_id"}}
        assert strays <= LOOKED_UP_BEFORE_A_TENANT_IS_KNOWN

    def test_ties_its_foreign_keys_to_the_same_tenant(self, model: type[models.Model]) -> None:
        wanted = {
            field.column
            for field in model._meta.local_fields
            if isinstance(field, TenantForeignKey) and not isinstance(field, UncheckedTenantKey)
        }
        if issubclass(model, TenantEventModel):
            wanted = set()  # A history outlives what its rows name.
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT a.attname FROM pg_constraint c
                JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[2]
                WHERE c.conrelid = %s::regclass AND c.contype = 'f' AND array_length(c.conkey, 1) = 2
                """,
                [model._meta.db_table],
            )
            assert {name for (name,) in cursor.fetchall()} == wanted


# Each for the reason its model gives.
LOOKED_UP_BEFORE_A_TENANT_IS_KNOWN = {
    ("tenants_membership", "user_id"),
    ("ispauth_apikey", "prefix"),
    ("aaa_nas", "address"),
}


def test_every_model_of_the_house_belongs_to_a_tenant_or_to_the_directory() -> None:
    house = {m._meta.label for m in apps.get_models() if m._meta.app_label in HOUSE_APPS}

    assert house - {m._meta.label for m in TENANT_MODELS} == DIRECTORY


def test_foreign_keys_between_tenant_tables_are_tenant_foreign_keys() -> None:
    plain = [
        f"{model._meta.label}.{field.name}"
        for model in TENANT_MODELS
        for field in model._meta.local_fields
        if isinstance(field, models.ForeignKey)
        and not isinstance(field, TenantForeignKey)
        and field.related_model in TENANT_MODELS
        and not field.name.startswith("pgh_")
    ]

    assert plain == []


@pytest.mark.django_db
def test_runs_as_a_role_that_row_level_security_binds() -> None:
    check_role()


@pytest.mark.django_db
def test_a_query_without_a_tenant_is_refused(tenant: Tenant) -> None:
    with pytest.raises(TenantNotSet):
        list(Olt.objects.all())
    with pytest.raises(TenantNotSet):
        Olt.objects.exists()
    with pytest.raises(TenantNotSet):
        Olt.objects.create(name="x", vendor="huawei", ip="192.0.2.1", community="c")


@pytest.mark.django_db
def test_a_query_around_the_manager_sees_nothing_without_a_tenant(tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        OltFactory()

    assert Olt._base_manager.count() == 0


@pytest.mark.django_db
def test_another_tenants_rows_are_out_of_reach(tenant: Tenant, other_tenant: Tenant) -> None:
    with tenant_context(other_tenant.pk):
        theirs = OltFactory()

    with tenant_context(tenant.pk):
        assert not Olt.objects.exists()
        assert Olt._base_manager.filter(pk=theirs.pk).update(name="stolen") == 0
        assert Olt._base_manager.filter(pk=theirs.pk).delete() == (0, {})

    with tenant_context(other_tenant.pk):
        assert Olt.objects.get().name == theirs.name


@pytest.mark.django_db
def test_a_row_cannot_be_written_for_another_tenant(tenant: Tenant, other_tenant: Tenant) -> None:
    with (
        tenant_context(tenant.pk),
        pytest.raises(Exception, match="row-level security"),
        transaction.atomic(),
    ):
        OltFactory(tenant_id=other_tenant.pk)

    for each in (tenant, other_tenant):
        with tenant_context(each.pk):
            assert not Olt.objects.exists()


@pytest.mark.django_db
def test_a_foreign_key_cannot_point_into_another_tenant(tenant: Tenant, other_tenant: Tenant) -> None:
    with tenant_context(other_tenant.pk):
        theirs = OltFactory()

    with tenant_context(tenant.pk):
        with pytest.raises(IntegrityError, match="same_tenant"), transaction.atomic():
            make_an_onu_of(theirs)
        assert not Onu.objects.exists()


def make_an_onu_of(olt: Olt) -> None:
    OnuFactory(olt_id=olt.pk, olt=None)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.django_db
def test_contexts_nest_and_end(tenant: Tenant, other_tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        OltFactory(name="Mine")
        with tenant_context(other_tenant.pk):
            assert current_tenant_id() == other_tenant.pk
            OltFactory(name="Theirs")
        assert current_tenant_id() == tenant.pk
        assert [olt.name for olt in Olt.objects.all()] == ["Mine"]
        assert Olt._base_manager.count() == 1

    with pytest.raises(TenantNotSet):
        current_tenant_id()


@pytest.mark.django_db
def test_an_error_inside_restores_the_outer_tenant(tenant: Tenant, other_tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        with pytest.raises(IntegrityError), tenant_context(other_tenant.pk):
            OltFactory(vendor="nobody")
        assert Olt._base_manager.count() == 0
        OltFactory()
        assert Olt._base_manager.count() == 1


@pytest.mark.django_db
def test_memberships_are_shown_to_their_tenant_only(
    tenant: Tenant, other_tenant: Tenant, make_user: Callable[..., User]
) -> None:
    make_user("both", {tenant: Role.SUPPORT, other_tenant: Role.ADMINISTRATOR})

    with tenant_context(tenant.pk):
        assert [m.role for m in Membership.objects.all()] == [Role.SUPPORT]
    assert Membership.objects.count() == 0


@pytest.mark.django_db
def test_history_and_audit_cannot_be_rewritten(tenant: Tenant) -> None:
    for table in ("hardware_olthistory", "tenants_auditentry"):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT has_table_privilege('isp_app', %s, 'UPDATE'), has_table_privilege('isp_app', %s, 'DELETE')",
                [table, table],
            )
            assert cursor.fetchone() == (False, False)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "table", ["hardware_reading", "aaa_pastsession", "aaa_hourlyusage", "aaa_authattempt"]
)
def test_partitions_cannot_be_read_around_their_parent(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT bool_or(has_table_privilege('isp_app', inhrelid, 'SELECT')), count(*) >= 4 "
            "FROM pg_inherits WHERE inhparent = %s::regclass",
            [table],
        )
        assert cursor.fetchone() == (False, True)


@pytest.mark.django_db(databases=["default", "platform"], transaction=True)
def test_the_platform_role_reads_across_tenants_and_writes_nothing(
    tenant: Tenant, other_tenant: Tenant
) -> None:
    for each in (tenant, other_tenant):
        with tenant_context(each.pk):
            OltFactory()

    assert Olt._base_manager.using("platform").count() == 2
    with pytest.raises(Exception, match=r"read-only|permission denied"):
        Olt._base_manager.using("platform").update(name="x")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("postgres", True, True, True), "is a superuser"),
        (("isp_owner", False, True, True), "bypasses row-level security"),
        (("odd", False, False, True), "owns the tables"),
    ],
)
def test_an_unsafe_role_is_refused(
    row: tuple[object, ...], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, *attributes = row
    literals = ", ".join(str(attribute).lower() for attribute in attributes)
    monkeypatch.setattr("ispcore.tenants.checks.ROLE_SQL", f"SELECT '{name}', {literals}")

    with pytest.raises(UnsafeRole, match=reason):
        check_role()


def test_tenant_models_use_the_tenant_manager() -> None:
    plain = [
        m._meta.label
        for m in TENANT_MODELS
        if not isinstance(m._default_manager, TenantManager) and m not in (Membership,)
    ]

    assert plain == []


@pytest.mark.django_db
def test_an_unknown_id_and_a_foreign_id_look_alike(tenant: Tenant, other_tenant: Tenant) -> None:
    with tenant_context(other_tenant.pk):
        theirs = OltFactory()

    with tenant_context(tenant.pk):
        for pk in (theirs.pk, uuid.uuid4()):
            with pytest.raises(Olt.DoesNotExist):
                Olt.objects.get(pk=pk)
            assert PonPort.objects.filter(olt_id=pk).count() == 0


@pytest.mark.django_db
def test_who_gave_whom_which_role_is_kept(tenant: Tenant, make_user: Callable[..., User]) -> None:
    user = make_user("newcomer", {tenant: Role.SUPPORT})

    with tenant_context(tenant.pk):
        membership = Membership.objects.get(user=user)
        membership.role = Role.ADMINISTRATOR
        membership.save()
        versions = membership.history.order_by("pgh_id")  # type: ignore[attr-defined]
        history = list(versions.values_list("pgh_label", "role"))

    assert history == [("created", Role.SUPPORT), ("changed", Role.ADMINISTRATOR)]
