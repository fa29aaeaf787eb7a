"""Which role may do what, asked of every route: a route that is not listed here fails the first test."""

from uuid import uuid4

import pytest

from hardware.models import Olt
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.roles import GRANTS, Role, allows
from tests.api.described import find_operation
from tests.api.routes import operations

OPEN = "open to anybody"
ANY = "any role"

PERMISSIONS = {
    ("post", "auth/token"): OPEN,
    ("get", "me"): ANY,
    ("get", "tasks"): "jobs.view",
    ("get", "tasks/{pk}"): "jobs.view",
    ("post", "tasks/{pk}/cancel"): "jobs.change",
    ("post", "exports"): "files.view",
    ("get", "files"): "files.view",
    ("get", "files/{pk}"): "files.view",
    ("get", "files/{pk}/content"): "files.view",
    ("post", "aaa/coa"): "aaa.operate",
    ("post", "aaa/disconnect"): "aaa.operate",
    ("get", "aaa/actions"): "aaa.view",
    ("get", "aaa/actions/{pk}"): "aaa.view",
    ("get", "aaa/accounts"): "aaa.view",
    ("post", "aaa/accounts"): "aaa.manage",
    ("get", "aaa/accounts/{pk}"): "aaa.view",
    ("patch", "aaa/accounts/{pk}"): "aaa.manage",
    ("delete", "aaa/accounts/{pk}"): "aaa.manage",
    ("get", "aaa/accounts/{pk}/status"): "aaa.view",
    ("post", "aaa/accounts/{pk}/reveal-password"): "aaa.reveal",
    ("get", "aaa/top-ups"): "aaa.view",
    ("post", "aaa/top-ups"): "aaa.manage",
    ("get", "aaa/top-ups/{pk}"): "aaa.view",
    ("delete", "aaa/top-ups/{pk}"): "aaa.manage",
    ("get", "aaa/sessions"): "aaa.view",
    ("get", "aaa/sessions/{pk}"): "aaa.view",
    ("get", "aaa/auth-attempts"): "aaa.view",
    ("get", "aaa/usage"): "aaa.view",
    ("get", "aaa/settings"): "aaa.view",
    ("patch", "aaa/settings"): "aaa.change",
    ("get", "aaa/nas/{pk}/health"): "aaa.view",
    ("get", "aaa/voucher-batches"): "aaa.view",
    ("post", "aaa/voucher-batches"): "aaa.add",
    ("get", "aaa/voucher-batches/{pk}"): "aaa.view",
    ("delete", "aaa/voucher-batches/{pk}"): "aaa.delete",
    ("post", "aaa/voucher-batches/{pk}/revoke"): "aaa.change",
    ("get", "aaa/vouchers"): "aaa.view",
    ("get", "aaa/vouchers/{pk}"): "aaa.view",
    ("post", "aaa/vouchers/{pk}/revoke"): "aaa.change",
    ("post", "aaa/vouchers/redeem"): "aaa.manage",
    ("get", "services/{pk}/radius/status"): "aaa.view",
    ("get", "services/{pk}/radius/usage"): "aaa.view",
    ("get", "aaa/policies"): "aaa.view",
    ("post", "aaa/policies"): "aaa.add",
    ("get", "aaa/policies/{pk}"): "aaa.view",
    ("patch", "aaa/policies/{pk}"): "aaa.change",
    ("delete", "aaa/policies/{pk}"): "aaa.delete",
    ("get", "aaa/services"): "aaa.view",
    ("post", "aaa/services"): "aaa.add",
    ("get", "aaa/services/{pk}"): "aaa.view",
    ("patch", "aaa/services/{pk}"): "aaa.change",
    ("delete", "aaa/services/{pk}"): "aaa.delete",
    ("get", "aaa/virtual-servers"): "aaa.view",
    ("post", "aaa/virtual-servers"): "aaa.add",
    ("get", "aaa/virtual-servers/{pk}"): "aaa.view",
    ("patch", "aaa/virtual-servers/{pk}"): "aaa.change",
    ("delete", "aaa/virtual-servers/{pk}"): "aaa.delete",
    ("get", "aaa/nas"): "aaa.view",
    ("post", "aaa/nas"): "aaa.add",
    ("get", "aaa/nas/{pk}"): "aaa.view",
    ("patch", "aaa/nas/{pk}"): "aaa.change",
    ("delete", "aaa/nas/{pk}"): "aaa.delete",
    ("post", "hardware/olt/discover"): "hardware.operate",
    ("post", "hardware/olt/sync"): "hardware.operate",
    ("post", "hardware/olt/onu/status"): "hardware.operate",
    ("post", "hardware/olt/onu/signal"): "hardware.operate",
    ("post", "hardware/olt/pon/stats"): "hardware.operate",
    ("get", "hardware/outages"): "hardware.view",
    ("get", "hardware/outages/{pk}"): "hardware.view",
    ("patch", "hardware/outages/{pk}"): "hardware.change",
    ("get", "hardware/outages/{pk}/members"): "hardware.view",
    ("post", "hardware/outages/{pk}/confirm"): "hardware.change",
    ("post", "hardware/outages/{pk}/close"): "hardware.change",
    ("get", "hardware/signal-limits"): "hardware.view",
    ("post", "hardware/signal-limits"): "hardware.add",
    ("get", "hardware/signal-limits/{pk}"): "hardware.view",
    ("put", "hardware/signal-limits/{pk}"): "hardware.change",
    ("patch", "hardware/signal-limits/{pk}"): "hardware.change",
    ("delete", "hardware/signal-limits/{pk}"): "hardware.delete",
    ("get", "services/{pk}/device/status"): "hardware.view",
    ("get", "services/{pk}/device/status/live"): "hardware.operate",
    ("post", "services/{pk}/ping"): "hardware.operate",
    ("get", "ping/{pk}"): "hardware.view",
    ("get", "hardware/olts"): "hardware.view",
    ("post", "hardware/olts"): "hardware.add",
    ("get", "hardware/olts/{pk}"): "hardware.view",
    ("put", "hardware/olts/{pk}"): "hardware.change",
    ("patch", "hardware/olts/{pk}"): "hardware.change",
    ("delete", "hardware/olts/{pk}"): "hardware.delete",
    ("get", "hardware/onus"): "hardware.view",
    ("get", "hardware/onus/{pk}"): "hardware.view",
    ("get", "hardware/onus/{pk}/readings"): "hardware.view",
    ("post", "hardware/onus/{pk}/management-address"): "hardware.change",
    ("delete", "hardware/onus/{pk}/management-address"): "hardware.change",
    ("get", "hardware/pon-ports"): "hardware.view",
    ("get", "hardware/pon-ports/{pk}"): "hardware.view",
    ("post", "hardware/olts/{pk}/refresh-waiting"): "hardware.operate",
    ("post", "hardware/olt/onu/authorize"): "hardware.operate",
    ("post", "hardware/olt/onu/unauthorize"): "hardware.operate",
    ("post", "hardware/onus/{pk}/reboot"): "hardware.operate",
    ("get", "hardware/waiting-onus"): "hardware.view",
    ("get", "hardware/waiting-onus/{pk}"): "hardware.view",
    ("get", "hardware/onu-presets"): "hardware.view",
    ("post", "hardware/onu-presets"): "hardware.add",
    ("get", "hardware/onu-presets/{pk}"): "hardware.view",
    ("put", "hardware/onu-presets/{pk}"): "hardware.change",
    ("patch", "hardware/onu-presets/{pk}"): "hardware.change",
    ("delete", "hardware/onu-presets/{pk}"): "hardware.delete",
    ("get", "hardware/provisioning-jobs"): "hardware.view",
    ("get", "hardware/provisioning-jobs/{pk}"): "hardware.view",
    ("post", "hardware/provisioning-jobs/{pk}/resume"): "hardware.operate",
    ("post", "hardware/provisioning-jobs/{pk}/roll-back"): "hardware.operate",
    ("get", "hardware/discovery-runs"): "hardware.view",
    ("get", "hardware/discovery-runs/{pk}"): "hardware.view",
    ("get", "ipam/vrfs"): "ipam.view",
    ("post", "ipam/vrfs"): "ipam.add",
    ("get", "ipam/vrfs/{pk}"): "ipam.view",
    ("patch", "ipam/vrfs/{pk}"): "ipam.change",
    ("delete", "ipam/vrfs/{pk}"): "ipam.delete",
    ("get", "ipam/subnets"): "ipam.view",
    ("post", "ipam/subnets"): "ipam.add",
    ("get", "ipam/subnets/{pk}"): "ipam.view",
    ("patch", "ipam/subnets/{pk}"): "ipam.change",
    ("delete", "ipam/subnets/{pk}"): "ipam.delete",
    ("get", "ipam/pools"): "ipam.view",
    ("post", "ipam/pools"): "ipam.add",
    ("get", "ipam/pools/{pk}"): "ipam.view",
    ("patch", "ipam/pools/{pk}"): "ipam.change",
    ("delete", "ipam/pools/{pk}"): "ipam.delete",
    ("get", "ipam/subnets/{pk}/map"): "ipam.view",
    ("get", "ipam/subnets/{pk}/utilisation"): "ipam.view",
    ("get", "ipam/cgnat-rules"): "ipam.view",
    ("post", "ipam/cgnat-rules"): "ipam.add",
    ("get", "ipam/cgnat-rules/{pk}"): "ipam.view",
    ("delete", "ipam/cgnat-rules/{pk}"): "ipam.delete",
    ("post", "ipam/cgnat-rules/{pk}/end"): "ipam.change",
    ("post", "ipam/cgnat/lookup"): "ipam.reveal",
    ("get", "services/{pk}/cgnat"): "ipam.view",
    ("get", "ipam/imports"): "ipam.view",
    ("post", "ipam/imports"): "ipam.add",
    ("get", "ipam/imports/{pk}"): "ipam.view",
    ("delete", "ipam/imports/{pk}"): "ipam.add",
    ("post", "ipam/imports/{pk}/check"): "ipam.add",
    ("post", "ipam/imports/{pk}/run"): "ipam.add",
    ("get", "ipam/imports/{pk}/errors"): "ipam.view",
    ("get", "ipam/reconciliations"): "ipam.view",
    ("post", "ipam/reconciliations"): "ipam.add",
    ("get", "ipam/reconciliations/{pk}"): "ipam.view",
    ("post", "ipam/reconciliations/{pk}/repair"): "ipam.change",
    ("get", "ipam/drifts"): "ipam.view",
    ("get", "ipam/drifts/{pk}"): "ipam.view",
    ("post", "ipam/drifts/{pk}/repair"): "ipam.change",
    ("get", "ipam/waiting-services"): "ipam.view",
    ("get", "ipam/addresses"): "ipam.view",
    ("get", "ipam/addresses/{pk}"): "ipam.view",
    ("patch", "ipam/addresses/{pk}"): "ipam.change",
    ("post", "ipam/addresses/{pk}/unreserve"): "ipam.change",
    ("post", "ipam/allocate"): "ipam.change",
    ("post", "ipam/release"): "ipam.change",
    ("post", "ipam/reserve"): "ipam.change",
    ("get", "billing/reconciliations"): "billing.view",
    ("post", "billing/reconciliations"): "billing.add",
    ("get", "billing/reconciliations/{pk}"): "billing.view",
    ("get", "billing/bank-lines"): "billing.view",
    ("get", "billing/bank-lines/{pk}"): "billing.view",
    ("post", "billing/bank-lines/{pk}/pair"): "billing.change",
    ("post", "billing/bank-lines/{pk}/ignore"): "billing.change",
    ("post", "billing/bank-lines/{pk}/unpair"): "billing.change",
    ("get", "subscribers"): "subscribers.view",
    ("post", "subscribers"): "subscribers.add",
    ("get", "subscribers/{pk}"): "subscribers.view",
    ("put", "subscribers/{pk}"): "subscribers.change",
    ("patch", "subscribers/{pk}"): "subscribers.change",
    ("delete", "subscribers/{pk}"): "subscribers.delete",
    ("post", "subscribers/{pk}/activate"): "subscribers.change",
    ("post", "subscribers/{pk}/suspend"): "subscribers.change",
    ("post", "subscribers/{pk}/verify"): "subscribers.view",
    ("post", "subscribers/bulk"): "subscribers.change",
    ("post", "services/bulk"): "subscribers.change",
    ("post", "subscribers/resolve"): "subscribers.view",
    ("get", "subscribers/search"): "subscribers.view",
    ("get", "subscribers/by-document/{pk}"): "subscribers.view",
    ("get", "subscribers/by-phone/{pk}"): "subscribers.view",
    ("get", "subscribers/by-service/{pk}"): "subscribers.view",
    ("get", "services"): "subscribers.view",
    ("post", "services"): "subscribers.add",
    ("get", "services/snapshot"): "subscribers.view",
    ("get", "services/{pk}"): "subscribers.view",
    ("put", "services/{pk}"): "subscribers.change",
    ("patch", "services/{pk}"): "subscribers.change",
    ("post", "services/{pk}/activate"): "subscribers.change",
    ("post", "services/{pk}/suspend"): "subscribers.change",
    ("post", "services/{pk}/resume"): "subscribers.change",
    ("post", "services/{pk}/terminate"): "subscribers.change",
    ("post", "services/{pk}/cancel"): "subscribers.change",
    ("post", "services/{pk}/change-plan"): "subscribers.change",
    ("delete", "services/{pk}/change-plan"): "subscribers.change",
    ("get", "services/{pk}/holds"): "subscribers.view",
    ("post", "services/{pk}/reveal-wifi-password"): "subscribers.reveal",
    ("get", "subscriber-settings"): "subscribers.view",
    ("patch", "subscriber-settings"): "subscribers.change",
    ("get", "custom-fields"): "subscribers.view",
    ("post", "custom-fields"): "subscribers.add",
    ("get", "custom-fields/{pk}"): "subscribers.view",
    ("patch", "custom-fields/{pk}"): "subscribers.change",
    ("delete", "custom-fields/{pk}"): "subscribers.delete",
    ("get", "zones"): "subscribers.view",
    ("post", "zones"): "subscribers.add",
    ("get", "zones/{pk}"): "subscribers.view",
    ("put", "zones/{pk}"): "subscribers.change",
    ("patch", "zones/{pk}"): "subscribers.change",
    ("delete", "zones/{pk}"): "subscribers.delete",
    ("get", "internet-plans"): "subscribers.view",
    ("post", "internet-plans"): "subscribers.add",
    ("get", "internet-plans/{pk}"): "subscribers.view",
    ("put", "internet-plans/{pk}"): "subscribers.change",
    ("patch", "internet-plans/{pk}"): "subscribers.change",
    ("delete", "internet-plans/{pk}"): "subscribers.delete",
    ("get", "products"): "subscribers.view",
    ("post", "products"): "subscribers.add",
    ("get", "products/{pk}"): "subscribers.view",
    ("put", "products/{pk}"): "subscribers.change",
    ("patch", "products/{pk}"): "subscribers.change",
    ("delete", "products/{pk}"): "subscribers.delete",
    ("get", "premises"): "subscribers.view",
    ("post", "premises"): "subscribers.add",
    ("get", "premises/{pk}"): "subscribers.view",
    ("put", "premises/{pk}"): "subscribers.change",
    ("patch", "premises/{pk}"): "subscribers.change",
    ("delete", "premises/{pk}"): "subscribers.delete",
    ("get", "imports"): "subscribers.view",
    ("post", "imports"): "subscribers.add",
    ("get", "imports/{pk}"): "subscribers.view",
    ("patch", "imports/{pk}"): "subscribers.add",
    ("delete", "imports/{pk}"): "subscribers.add",
    ("post", "imports/{pk}/check"): "subscribers.add",
    ("post", "imports/{pk}/run"): "subscribers.add",
    ("get", "imports/{pk}/errors"): "subscribers.view",
    ("get", "imports/{pk}/errors/file"): "subscribers.view",
    ("get", "billing-profiles"): "subscribers.view",
    ("post", "billing-profiles"): "subscribers.add",
    ("get", "billing-profiles/{pk}"): "subscribers.view",
    ("put", "billing-profiles/{pk}"): "subscribers.change",
    ("patch", "billing-profiles/{pk}"): "subscribers.change",
    ("delete", "billing-profiles/{pk}"): "subscribers.delete",
}
GUARDED = [(verb, path, name) for (verb, path), name in PERMISSIONS.items() if name not in (OPEN, ANY)]


def test_every_operation_is_listed():
    assert set(PERMISSIONS) == set(operations())


def may(role: Role, permission: str) -> bool:
    return permission == ANY or allows(role, *permission.split("."))


@pytest.mark.django_db
@pytest.mark.parametrize("role", Role)
def test_each_role_may_what_the_table_says_and_no_more(role, api_as, tenant):
    api = api_as(role)
    wrong = []

    for (verb, path), permission in PERMISSIONS.items():
        if permission == OPEN:
            continue
        response = api.send(verb, path.replace("{pk}", str(uuid4())), b"", "application/json")
        refused = response.status_code == 403 and response.json()["error"]["code"] == "permission_denied"
        if refused == may(role, permission) or response.status_code == 401:
            wrong.append((verb, path, permission, response.status_code))

    assert wrong == []
    with tenant_context(tenant.pk):
        assert not Olt.objects.exists()
        assert not Job.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(("verb", "path", "permission"), GUARDED)
def test_nobody_comes_in_without_a_credential(verb, path, permission, anonymous):
    response = anonymous.send(verb, path.replace("{pk}", str(uuid4())), b"{}", "application/json")

    assert (response.status_code, response.json()["error"]["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize(("verb", "path", "permission"), GUARDED)
def test_the_document_names_the_roles(verb, path, permission):
    operation = find_operation(verb, path) or {}

    assert operation["x-roles"] == [role.value for role in Role if may(role, permission)]
    assert "**Roles:** Administrator" in operation["description"]


def test_a_customer_is_granted_nothing_of_the_staffs():
    assert GRANTS[Role.CUSTOMER] == {}


@pytest.mark.parametrize(
    ("role", "permission", "allowed"),
    [
        (Role.ADMINISTRATOR, "hardware.delete", True),
        (Role.NETWORK_OPERATIONS, "hardware.operate", True),
        (Role.NETWORK_OPERATIONS, "jobs.change", True),
        (Role.STAFF_MEMBER, "hardware.view", True),
        (Role.STAFF_MEMBER, "hardware.operate", False),
        (Role.SUBSCRIBER_ACCOUNTS, "hardware.view", False),
        (Role.SUPPORT, "hardware.change", False),
        (Role.CUSTOMER, "jobs.view", False),
        (None, "jobs.view", False),
        ("nonsense", "jobs.view", False),
    ],
)
def test_the_table_itself(role, permission, allowed):
    assert allows(role, *permission.split(".")) is allowed
