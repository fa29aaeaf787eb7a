"""Why a customer is offline, caused for real and cured: a FreeRADIUS decides, an OLT is polled, staff ask over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from aaa.models import Account, ActionState, Nas, ServiceProfile, SessionAction
from ipam.models import Address
from ipam.services.lines import Settled, settle_line
from ispcore.events.tasks import relay
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import User
from subscribers.models import Plan
from tests.aaa.nas_peer import NasPeer
from tests.aaa.radius.server import NAS_SECONDS
from tests.admin.browsing import logged_in
from tests.factories import SubscriberFactory, SubscriptionFactory
from tests.support.homes import STRANGER
from tests.support.scenes import ADMIN_RESET, FINE, Scene
from tests.workers import wait_until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "platform"])

CHANGED = "what the router says now"
GIGABYTE = 10**9


def actions_are_over(scene: Scene, count: int) -> bool:
    with tenant_context(scene.tenant.pk):
        return SessionAction.objects.filter(finished_at__isnull=False).count() == count


def was_tried(scene: Scene) -> bool:
    """Tell whether the newest action was sent in vain and waits for its next turn."""
    with tenant_context(scene.tenant.pk):
        newest = SessionAction.objects.latest("created_at")
    return bool(newest.attempts and newest.state == ActionState.QUEUED)


class TestAccess:
    def test_from_never_to_online(self, scene: Scene) -> None:
        assert scene.told() == ("never_logged_in", "session", "")

        accept = scene.log_in()
        assert accept is not None
        assert accept.accepted
        assert scene.told()[0] == "unsure"  # Its session may be reported any moment.
        scene.wait(minutes=2)
        assert scene.told() == ("no_session", "session", "open_nas")
        scene.begin(accept)
        assert scene.told() == FINE

        scene.stop()
        assert scene.told() == ("not_logged_in", "session", "open_nas")
        assert scene.do()["verdict"] == "ok"  # The NAS is heard of: it is the router that is off.
        scene.go_online()
        assert scene.told() == FINE

    def test_wrong_password(self, scene: Scene) -> None:
        scene.refused(CHANGED)
        assert scene.told() == ("wrong_password", "radius", "change_account")

        scene.do(password=CHANGED)

        scene.go_online(CHANGED)
        assert scene.told() == FINE

    def test_locked_to_another_device(self, scene: Scene) -> None:
        with tenant_context(scene.tenant.pk):
            ServiceProfile.objects.update(mac_lock="learn")
        scene.go_online()
        scene.stop()
        assert scene.refused(station=STRANGER) == "This account belongs to another device"
        assert scene.told() == ("mac_locked", "radius", "forget_device")

        scene.do(calling_station_id="")

        assert scene.told() == ("refused_before", "radius", "open_account")
        scene.go_online(station=STRANGER)
        assert scene.told() == FINE

    def test_as_many_sessions_as_allowed(self, scene: Scene) -> None:
        scene.go_online(station=STRANGER)
        assert scene.refused() == "Already connected as often as the account allows"
        assert scene.told() == ("session_limit", "radius", "disconnect_session")
        session_id = scene.answer()["action"]["target_id"]

        assert scene.do(session_id=session_id)["done"] == 1

        scene.stop(ADMIN_RESET)
        scene.go_online()
        assert scene.told() == FINE

    def test_switched_off(self, scene: Scene) -> None:
        scene.desk.patch(scene.account_path, enabled=False)
        assert scene.refused() == "This account is switched off"
        assert scene.told() == ("account_disabled", "radius", "enable_account")

        scene.do(enabled=True)

        assert scene.told() == ("refused_before", "radius", "open_account")
        scene.go_online()
        assert scene.told() == FINE

    def test_expired(self, scene: Scene) -> None:
        yesterday = timezone.now() - timedelta(days=1)
        scene.desk.patch(scene.account_path, expire=yesterday.isoformat())
        assert scene.refused() == "This account has expired"
        assert scene.told() == ("account_expired", "radius", "change_account")

        scene.do(expire=None)

        scene.go_online()
        assert scene.told() == FINE

    def test_data_used_up(self, scene: Scene) -> None:
        with tenant_context(scene.tenant.pk):
            Plan.objects.filter(pk=scene.line.plan_id).update(cap_bytes=GIGABYTE)
        scene.desk.patch(scene.account_path, name="Jane")  # Settles the account by its plan.
        scene.go_online()
        assert scene.told() == FINE
        used = {"Acct_Input_Octets": 0, "Acct_Output_Octets": GIGABYTE + GIGABYTE // 5}
        scene.report("Interim-Update", **used)
        relay()  # What packets bring about has no caller that would wake the relay: the clock does.
        wait_until(lambda: actions_are_over(scene, 1))
        scene.stop(ADMIN_RESET, **used)
        assert scene.refused() == "Account credits depleted"
        assert scene.told() == ("quota_used", "radius", "add_top_up")
        assert "1.2 GB of 1.0 GB" in scene.answer()["verdict"]

        scene.do(account_id=str(scene.account.pk), bytes=GIGABYTE)

        scene.go_online()
        assert scene.told() == FINE

    def test_another_address_than_its_own(self, scene: Scene) -> None:
        scene.go_online(address="100.64.0.77")
        assert scene.told() == ("address_mismatch", "address", "disconnect_session")

        scene.do(session_id=scene.answer()["action"]["target_id"])

        scene.stop(ADMIN_RESET)
        scene.go_online()
        assert scene.told() == FINE

    def test_no_address_left(self, scene: Scene) -> None:
        with tenant_context(scene.tenant.pk):
            at = timezone.now()
            plan = scene.line.plan
            for other in SubscriptionFactory.create_batch(9, plan=plan, status="active"):
                assert settle_line(subscription_id=other.pk, at=at) == Settled.GIVEN
            subscriber = SubscriberFactory(status="active")
            last = SubscriptionFactory(plan=plan, subscriber=subscriber, status="active")
            assert settle_line(subscription_id=last.pk, at=at) == Settled.WAITING
            mine = Address.objects.get(subscription=scene.line)
            Account.objects.filter(pk=scene.account.pk).update(subscription=last)
        scene.line = last
        assert scene.told() == ("never_logged_in", "session", "")
        scene.go_online(address=mine.address)

        assert scene.told() == ("pool_full", "address", "open_pool")
        assert scene.do()["name"] == "homes of jane"


class TestTheNas:
    def test_switched_off_here(self, scene: Scene) -> None:
        scene.go_online()
        scene.stop()
        scene.desk.patch(f"aaa/nas/{scene.nas_id}", is_active=False)
        self.wait_until_ignored(scene)
        assert scene.told() == ("nas_unknown", "session", "open_nas")
        assert scene.do()["verdict"] == "inactive"

        scene.desk.patch(f"aaa/nas/{scene.nas_id}", is_active=True)

        self.come_back(scene)
        assert scene.told() == FINE

    def test_deleted(self, scene: Scene) -> None:
        scene.go_online()
        scene.stop()
        with tenant_context(scene.tenant.pk):
            nas = Nas.objects.get()
        scene.desk.call("DELETE", f"aaa/nas/{scene.nas_id}")
        self.wait_until_ignored(scene)
        assert scene.told() == ("nas_unknown", "session", "")

        scene.desk.post(
            "aaa/nas", name=nas.name, address=nas.address, secret=scene.nas.secret, nas_type="mikrotik"
        )

        self.come_back(scene)
        assert scene.told() == FINE

    def test_silent(self, scene: Scene) -> None:
        scene.go_online()
        scene.stop()
        scene.wait(hours=2)

        assert scene.told() == ("nas_silent", "session", "open_nas")
        assert scene.do()["verdict"] == "silent"
        scene.go_online()
        assert scene.told() == FINE

    def test_reports_no_more_on_the_session(self, scene: Scene) -> None:
        scene.go_online()
        scene.wait(minutes=16)
        scene.poll()
        assert scene.told() == ("session_stale", "session", "disconnect_session")

        scene.report("Interim-Update")

        assert scene.told() == FINE

    @staticmethod
    def wait_until_ignored(scene: Scene) -> None:
        """Dial until FreeRADIUS has learnt that nobody answers this NAS any more."""
        scene.nas.seconds = NAS_SECONDS / 4

        def is_ignored() -> bool:
            answer = scene.log_in()
            if answer is not None:
                scene.wait(seconds=1)
            return answer is None

        wait_until(is_ignored, seconds=20)

    @staticmethod
    def come_back(scene: Scene) -> None:
        found: list[Any] = []

        def is_heard() -> bool:
            found[:] = [scene.log_in()]
            return found[0] is not None

        wait_until(is_heard, seconds=20)
        scene.nas.seconds = 5
        scene.begin(found[0])


class TestHolds:
    def test_not_paid_paid_and_still_in_the_garden(self, scene: Scene, peer: NasPeer) -> None:
        desk = scene.desk
        garden = desk.post("aaa/policies", name="Unpaid", down_kbps=512, up_kbps=256, address_list="unpaid")
        desk.patch("aaa/settings", unpaid="garden", garden_policy_id=garden["id"], garden_pool="captive")
        # The NAS listens for CoA elsewhere than is written here.
        desk.patch(f"aaa/nas/{scene.nas_id}", coa_port=9)
        scene.go_online()
        scene.cut()
        scene.stop(ADMIN_RESET)
        scene.go_online(address="198.18.0.7")
        assert scene.told() == ("held_non_payment", "money", "record_payment")
        assert "31.00 EUR overdue" in scene.answer()["verdict"]

        scene.do(subscriber_id=str(scene.line.subscriber_id), amount="31.00", currency="EUR", method="cash")

        wait_until(scene.is_settled)
        assert scene.told() == ("garden_remains", "session", "disconnect_session")
        wait_until(lambda: was_tried(scene))
        desk.patch(f"aaa/nas/{scene.nas_id}", coa_port=peer.strict_port)
        assert scene.do(session_id=scene.answer()["action"]["target_id"])["done"] == 1
        assert [entry["type"] for entry in peer.of(scene.session["session_id"])] == ["Disconnect-Request"]
        scene.stop(ADMIN_RESET)
        scene.go_online()
        assert scene.told() == FINE

    def test_on_holiday(self, scene: Scene) -> None:
        scene.desk.post(f"services/{scene.line.number}/suspend", reason="vacation")
        wait_until(lambda: scene.is_settled("vacation"))
        assert scene.refused() == "Service suspended"
        assert scene.told() == ("held_vacation", "money", "lift_hold")

        scene.do(reason="vacation")

        wait_until(scene.is_settled)
        assert scene.told() == ("refused_before", "radius", "open_account")
        scene.go_online()
        assert scene.told() == FINE

    def test_ended(self, scene: Scene) -> None:
        scene.desk.post(f"services/{scene.line.number}/terminate")
        wait_until(lambda: scene.is_settled("terminated"))

        assert scene.refused() == "Service ended"
        assert scene.told() == ("ended", "account", "")


def test_staff_see_it_mend_it_and_look_again(
    scene: Scene, admin_user: User, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.desk.patch(scene.account_path, enabled=False)
    scene.refused()

    with logged_in(admin_user, live_server.url, monkeypatch) as page:
        page.goto(f"{live_server.url}/admin/subscribers/subscriber/{scene.line.subscriber_id}/change/")
        page.get_by_role("link", name="Diagnosis").click()
        verdict = page.get_by_label("Verdict")
        assert "The RADIUS account is switched off." in verdict.inner_text()
        verdict.get_by_role("link", name="Switch the account on").click()
        page.get_by_role("button", name="Switch on").click()
        page.wait_for_url("**/diagnosis/")
        assert "That is over: restart the router" in verdict.inner_text()
        scene.go_online()
        page.get_by_role("link", name="Look again").click()
        page.wait_for_function("document.querySelector('.isp-verdict').innerText.includes('in order')")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
