"""What RADIUS decided: asked of the functions that FreeRADIUS asks, and read back from their log by a diagnosis."""

from typing import Any

import pytest
from django.utils import timezone

from aaa.models import AccountState, ServiceProfile
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.services import lines
from support.services.diagnosis import ActionCode, Cause, StepName, diagnose
from tests.aaa.radius_role import Radius, radius_connection
from tests.support.causes import ALL_WELL, Told, lights, said, told
from tests.support.homes import ADDRESS, PASSWORD, ROUTER, STRANGER, Home, make_home


@pytest.mark.django_db(transaction=True)
class TestRefusals:
    """What RADIUS decided: asked of the functions that FreeRADIUS asks, and read back from their log."""

    @pytest.fixture
    def home(self, tenant: Tenant) -> Home:
        with tenant_context(tenant.pk):
            return make_home(online=False)

    @pytest.fixture
    def radius(self, home: Home) -> Any:
        with radius_connection() as connection:
            yield connection

    def change(self, home: Home, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(home.account, name, value)
        home.account.save()

    def told(self, home: Home) -> Told:
        with tenant_context(home.line.tenant_id):
            return told(diagnose(subscription_id=home.line.pk, at=timezone.now(), with_amounts=True))

    def log_in(self, radius: Radius, home: Home, station: str = ROUTER, password: str = PASSWORD) -> str:
        return str(radius.log_in(home.nas.pk, "jane", station, password=password)["reason"])

    def test_never_logged_in(self, home: Home) -> None:
        assert self.told(home) == (
            Cause.NEVER_LOGGED_IN, StepName.SESSION, None,
            "No log-in of this account ever arrived: the router is not set up, or dials in through a NAS that is not "
            "known here.",
        )  # fmt: skip

    def test_wrong_password(self, radius: Radius, home: Home) -> None:
        assert self.log_in(radius, home, password="wrong") == "password"

        assert self.told(home) == (
            Cause.WRONG_PASSWORD, StepName.RADIUS, ActionCode.CHANGE_ACCOUNT,
            "The customer's router logs in with a wrong password.",
        )  # fmt: skip

    def test_another_device_than_the_accounts(self, radius: Radius, home: Home, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            ServiceProfile.objects.update(mac_lock="learn")
            self.change(home, calling_station_id=ROUTER)
        assert self.log_in(radius, home, STRANGER) == "mac"

        assert self.told(home) == (
            Cause.MAC_LOCKED, StepName.RADIUS, ActionCode.FORGET_DEVICE,
            f"The account is locked to the device {ROUTER}, but {STRANGER} tries to log in.",
        )  # fmt: skip

    def test_a_device_forgotten_meanwhile(self, radius: Radius, home: Home, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            ServiceProfile.objects.update(mac_lock="learn")
            self.change(home, calling_station_id=ROUTER)
        self.log_in(radius, home, STRANGER)
        with tenant_context(tenant.pk):
            self.change(home, calling_station_id="")

        assert self.told(home) == (
            Cause.REFUSED_BEFORE, StepName.RADIUS, ActionCode.OPEN_ACCOUNT,
            "The last log-in was refused (another device than the account's). That is over: restart the router, so "
            "that it tries again.",
        )  # fmt: skip

    def test_as_many_sessions_as_allowed(self, radius: Radius, home: Home) -> None:
        assert self.log_in(radius, home, STRANGER) == ""
        radius.accounting(home.nas.pk, "Start", login="jane", station=STRANGER)
        assert self.log_in(radius, home, ROUTER) == "sessions"

        assert self.told(home) == (
            Cause.SESSION_LIMIT, StepName.RADIUS, ActionCode.DISCONNECT_SESSION,
            f"Refused: one session is allowed, and {STRANGER} has the place that {ROUTER} wants.",
        )  # fmt: skip

    def test_expired(self, radius: Radius, home: Home, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            self.change(home, expires_at=home.ago(days=1))
        assert self.log_in(radius, home) == "expired"

        assert self.told(home) == (
            Cause.ACCOUNT_EXPIRED, StepName.RADIUS, ActionCode.CHANGE_ACCOUNT,
            f"The RADIUS account expired on {said(home.ago(days=1))}.",
        )  # fmt: skip

    def test_data_used_up(self, radius: Radius, home: Home, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            AccountState.objects.update(allowance_bytes=50 * 10**9, used_bytes=50_200_000_000)
        assert self.log_in(radius, home) == "quota"

        assert self.told(home) == (
            Cause.QUOTA_USED, StepName.RADIUS, ActionCode.ADD_TOP_UP,
            "The data of this period is used up: 50.2 GB of 50.0 GB.",
        )  # fmt: skip

    def test_switched_off(self, radius: Radius, home: Home, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            self.change(home, enabled=False)
        assert self.log_in(radius, home) == "disabled"

        assert self.told(home) == (
            Cause.ACCOUNT_DISABLED, StepName.RADIUS, ActionCode.ENABLE_ACCOUNT,
            "The RADIUS account is switched off.",
        )  # fmt: skip

    def test_held_is_explained_by_the_hold(self, radius: Radius, home: Home, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            lines.open_hold(subscription_id=home.line.pk, reason="vacation", at=home.at)
            home.settle()
        assert self.log_in(radius, home) == "blocked"

        assert self.told(home)[:2] == (Cause.HELD_VACATION, StepName.MONEY)

    def test_let_in_with_a_session_is_in_order(self, radius: Radius, home: Home, tenant: Tenant) -> None:
        self.log_in(radius, home, password="wrong")
        assert self.log_in(radius, home) == ""
        radius.accounting(home.nas.pk, "Start", login="jane", station=ROUTER, framed_ip=ADDRESS)

        with tenant_context(tenant.pk):
            found = diagnose(subscription_id=home.line.pk, at=timezone.now(), with_amounts=True)

        assert (found.verdict_code, lights(found)) == (Cause.FINE, ALL_WELL)
