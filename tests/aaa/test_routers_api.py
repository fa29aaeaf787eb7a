"""NASes, policies, vouchers and settings over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from aaa.models import (
    AuthAttempt,
    Nas,
    Policy,
    PolicyReply,
    ServiceProfile,
)
from aaa.services import nas as nases
from ispcore.events.models import Event
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from tests.aaa.online import make_nas, make_session
from tests.client import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(admin_user: Any) -> Api:
    return Api(admin_user)


class TestNases:
    BODY = {"name": "BNG", "address": "198.51.100.7", "secret": "long-enough", "nas_type": "cisco"}

    def test_are_registered_without_showing_their_secret(self, api: Any, acting: Any) -> None:
        response = api.post("aaa/nas", self.BODY)

        shown = response.json()["data"]
        assert (response.status_code, shown["coa_port"], "secret" in shown) == (201, 1700, False)
        assert Nas.objects.get().secret.reveal() == "long-enough"
        changed = api.patch(f"aaa/nas/{shown['id']}", {"nas_type": "mikrotik"}).json()["data"]
        assert changed["coa_port"] == 3799

    def test_cannot_have_anothers_address_whosever_it_is(
        self, api: Any, acting: Any, other_tenant: Any
    ) -> None:
        with tenant_context(other_tenant.pk):
            make_nas(None, address="198.51.100.7")

        response = api.post("aaa/nas", self.BODY)

        assert (response.status_code, response.json()["error"]["code"]) == (409, "duplicate_nas_address")
        assert not Nas.objects.exists()

    def test_need_a_secret_worth_the_name(self, api: Any, acting: Any) -> None:
        for secret in ("short", "with space in it", "é" * 10, ""):
            assert api.post("aaa/nas", self.BODY | {"secret": secret}).status_code == 422

    @pytest.mark.parametrize(
        ("auth_minutes", "acct_minutes", "verdict"),
        [
            (None, None, "never_seen"), (1, 1, "ok"), (1, None, "no_accounting"), (1, 45, "no_accounting"),
            (90, 90, "silent"), (20, 1, "ok"),
        ],
    )  # fmt: skip
    def test_tell_how_they_are(
        self, auth_minutes: int | None, acct_minutes: int | None, verdict: str, api: Any, acting: Any
    ) -> None:
        now = timezone.now()
        nas = make_nas(
            None,
            last_auth_at=auth_minutes and now - timedelta(minutes=auth_minutes),
            last_acct_at=acct_minutes and now - timedelta(minutes=acct_minutes),
        )
        for accepted, times in ((True, 3), (False, 9)):
            AuthAttempt.objects.create(
                at=now, last_at=now, nas=nas, username="u", username_key="u", accepted=accepted, times=times
            )
        make_session(nas, None, "s1")

        shown = api.get(f"aaa/nas/{nas.pk}/health").json()["data"]

        assert (shown["verdict"], shown["accepts"], shown["rejects"], shown["reject_rate"], shown["open_sessions"]) == (
            verdict, 3, 9, 0.75, 1,
        )  # fmt: skip

    def test_carry_other_providers_realms(self, api: Any, acting: Any, other_tenant: Any) -> None:
        nas = make_nas(None)

        granted = nases.grant_realm(nas_id=nas.pk, realm="South.example", guest=other_tenant.slug)

        assert api.get(f"aaa/nas/{nas.pk}").json()["data"]["realms"] == [
            {"id": str(granted.pk), "realm": "south.example", "guest": other_tenant.name}
        ]
        with tenant_context(other_tenant.pk):
            mirror = Nas.objects.get()
            assert (mirror.mirror_of, mirror.address, mirror.nas_type) == (nas.pk, None, nas.nas_type)
            with pytest.raises(nases.NasIsAMirror):
                nases.change_nas(nas_id=mirror.pk, name="Mine")
        nases.change_nas(nas_id=nas.pk, nas_type="cisco")
        with tenant_context(other_tenant.pk):
            assert Nas.objects.get().nas_type == "cisco"
        with pytest.raises(nases.RealmTaken):
            nases.grant_realm(nas_id=nas.pk, realm="south.EXAMPLE", guest=other_tenant.slug)
        nases.withdraw_realm(nas_id=nas.pk, realm_id=granted.pk)
        with tenant_context(other_tenant.pk):
            assert not Nas.objects.exists()


class TestPolicies:
    def test_are_rendered_when_they_are_saved(self, api: Any, acting: Any) -> None:
        made = api.post("aaa/policies", {"name": "20/5", "down_kbps": 20_000, "up_kbps": 5_000}).json()[
            "data"
        ]
        api.patch(f"aaa/policies/{made['id']}", {"down_kbps": 30_000})

        replies = dict(PolicyReply.objects.values_list("nas_type", "r1"))
        assert (replies["mikrotik"], replies["accel_ppp"], replies["wispr"]) == (
            "5M/30M",
            "30000/5000",
            "30000000",
        )
        assert made["not_limited_on"] == {
            "cisco": ["cisco_policy_in", "cisco_policy_out"], "other": ["filter_id"],
        }  # fmt: skip
        assert Event.objects.filter(name="aaa.policy_changed").count() == 1

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"burst_down_kbps": 5}, "burst_down_kbps"),
            ({"down_kbps": 5, "guaranteed_down_kbps": 6}, "guaranteed_down_kbps"),
            ({"priority": 9}, "priority"),
        ],
    )
    def test_refuse_what_no_router_could_do(
        self, body: dict[str, int], field: str, api: Any, acting: Any
    ) -> None:
        response = api.post("aaa/policies", {"name": "Odd", **body})

        assert (response.status_code, response.json()["error"]["field"]) == (422, field)
        assert not Policy.objects.exists()


class TestVouchers:
    def test_are_asked_for_and_redeemed(self, api: Any, acting: Any) -> None:
        from aaa.models import Voucher, VoucherBatch
        from ispcore.vouchers.codes import hash_code

        profile = ServiceProfile.objects.create(name="Hotspot")
        body = {"name": "Café", "quantity": 3, "service_id": str(profile.pk), "valid_minutes": 60}

        asked = api.post("aaa/voucher-batches", body, Prefer="respond-async")
        batch = VoucherBatch.objects.get()
        Voucher.objects.create(batch=batch, code_hash=hash_code("ABCDEFGH23"), shown="ABCD")
        redeemed = api.post("aaa/vouchers/redeem", {"code": "abcd-efgh-23"})
        again = api.post("aaa/vouchers/redeem", {"code": "ABCDEFGH23"})

        assert (asked.status_code, Job.objects.get().kind) == (202, "aaa.make_vouchers")
        assert redeemed.json()["data"]["username"] == "ABCDEFGH23"
        assert (again.status_code, again.json()["error"]["code"]) == (409, "voucher_used")
        [shown] = api.get("aaa/voucher-batches").json()["data"]
        assert (shown["unused"], shown["used"], shown["sheet_id"]) == (0, 1, None)


class TestSettings:
    def test_are_each_tenants_own(self, api: Any, acting: Any, other_tenant: Any) -> None:
        before = api.get("aaa/settings").json()["data"]
        api.patch("aaa/settings", {"attempt_days": 90})

        assert (before["attempt_days"], before["unpaid"], before["username_template"]) == (
            60,
            "reject",
            "{number}",
        )
        assert api.get("aaa/settings").json()["data"]["attempt_days"] == 90
        with tenant_context(other_tenant.pk):
            from aaa.services.settings import radius_settings

            assert radius_settings().attempt_days == 60

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"unpaid": "garden"}, "garden_policy_id"),
            ({"creates_accounts": True}, "service_profile_id"),
            ({"username_template": "{nmae}"}, "username_template"),
            ({"messages": {"weather": "Rain"}}, "messages.weather"),
            ({"attempt_days": 1}, "attempt_days"),
        ],
    )
    def test_refuse_what_would_not_work(
        self, body: dict[str, Any], field: str, api: Any, acting: Any
    ) -> None:
        response = api.patch("aaa/settings", body)

        assert (response.status_code, response.json()["error"]["field"]) == (422, field)
        assert api.get("aaa/settings").json()["data"]["unpaid"] == "reject"
