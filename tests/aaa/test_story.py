"""A subscriber's whole story on real parts: sign-up, log-in, usage, another plan, an unpaid bill, its payment, the end.

FreeRADIUS with our configuration answers the log-ins and takes the accounting, another FreeRADIUS is the NAS' side of
RFC 5176, a Celery worker carries the events and the actions, and everything staff do goes over the API.
"""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from aaa.models import Account, SessionAction
from billing.services.dunning import suspending
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.models import Subscription
from tests.aaa.nas_peer import ADDRESS, NasPeer
from tests.aaa.radius.client import Answer, NasClient
from tests.aaa.radius.server import Server
from tests.billing import owing
from tests.client import Api
from tests.workers import wait_until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "platform"])

# No clocks are set back or forward there: each day has 24 hours.
ZONE = "Africa/Johannesburg"
STATION = "02:00:5E:00:00:07"
ADMIN_RESET = 6  # RFC 2866 section 5.10
GIGAWORD = 2**32
GARDEN = {"down_kbps": 512, "up_kbps": 256, "address_list": "unpaid"}
PLAN = {"price": "29.90", "currency": "EUR"}


@dataclass
class Provider:
    """Staff of one provider at the API."""

    api: Api

    def get(self, path: str, **query: Any) -> Any:
        response = self.api.get(path, query)
        assert response.status_code == 200, response.content
        return response.json()["data"]

    def post(self, path: str, **body: Any) -> Any:
        response = self.api.post(path, body)
        assert response.status_code in (200, 201), response.content
        return response.json()["data"]

    def patch(self, path: str, **body: Any) -> Any:
        response = self.api.patch(path, body)
        assert response.status_code == 200, response.content
        return response.json()["data"]

    def refusal(self, path: str) -> tuple[int, str]:
        response = self.api.post(path)
        return response.status_code, response.json()["error"]["code"]


@dataclass
class Subscriber:
    """A device behind a NAS: it logs in and its NAS reports on it."""

    nas: NasClient
    username: str
    password: str
    session: dict[str, Any] = field(default_factory=dict)

    def log_in(self, password: str = "", station: str = STATION) -> Answer:
        answer = self.nas.log_in(
            self.username, password or self.password, chap=True, Calling_Station_Id=station
        )
        assert answer is not None
        return answer

    def begin(self, session_id: str, accept: Answer, address: str, **more: Any) -> None:
        self.session = {
            "session_id": session_id,
            "User_Name": self.username,
            "Calling_Station_Id": STATION,
            "NAS_Port_Id": "<pppoe-7>",
            "NAS_IP_Address": ADDRESS,
            "Framed_IP_Address": address,
            "Class": accept.get("Class"),
        }
        self.report("Start", **more)

    def report(self, kind: str, **more: Any) -> None:
        assert self.nas.account(kind, **self.session, **more) is not None


@pytest.fixture
def provider(api: Api) -> Provider:
    return Provider(api)


@pytest.fixture
def nas(freeradius: Server, peer: NasPeer, provider: Provider) -> NasClient:
    """A MikroTik that asks our server and takes CoA where the peer listens, which wants it signed and fresh."""
    client = NasClient(peer.secret, freeradius.auth_port, freeradius.acct_port)
    provider.post(
        "aaa/nas", name="BNG North", address=client.address, secret=client.secret, nas_type="mikrotik",
        coa_address=ADDRESS, coa_port=peer.strict_port, nas_ip_reported=ADDRESS,
    )  # fmt: skip
    return client


@pytest.fixture
def line(provider: Provider, worker: None) -> Any:
    """A line that was signed up and waits for its installation; its account was made with it."""
    radius_service = provider.post("aaa/services", name="PPPoE", framed_pool="homes")
    garden = provider.post("aaa/policies", name="Unpaid", **GARDEN)
    provider.patch(
        "aaa/settings",
        creates_accounts=True,
        username_template="{number}@north.example",
        service_profile_id=radius_service["id"],
        unpaid="garden",
        garden_policy_id=garden["id"],
        garden_pool="captive",
    )
    plan = provider.post(
        "internet-plans", code="F50", name="Fibre 50", down_kbps=50_000, up_kbps=10_000, **PLAN
    )
    profile = provider.post("billing-profiles", name="Monthly", currency="EUR", cycle_day=1, grace_days=0)
    customer = provider.post(
        "subscribers", full_name="Amal Haddad", status="active", billing_profile_id=profile["id"]
    )
    premise = provider.post("premises", address_line1="7 Harbour Road")
    return provider.post(
        "services", customer_id=customer["id"], product_id=plan["id"], premise_id=premise["id"]
    )


def test_from_sign_up_to_the_end(
    provider: Provider, nas: NasClient, peer: NasPeer, line: Any, tenant: Tenant
) -> None:
    service = f"services/{line['number']}"

    def account() -> Any:
        [found] = provider.get("aaa/accounts", subscription_id=line["id"])
        return found

    def actions() -> list[tuple[str, str, str, str]]:
        rows = provider.get("aaa/actions", account_id=account()["id"], ordering="created_at")
        return [(row["kind"], row["cause"], row["state"], row["outcome"]) for row in rows]

    def session() -> Any:
        [found] = provider.get("aaa/sessions", service_id=line["id"])
        return found

    def stands(blocked_reason: str) -> bool:
        with tenant_context(tenant.pk):
            return Account.objects.filter(subscription=line["id"], blocked_reason=blocked_reason).exists()

    def finished(count: int) -> bool:
        with tenant_context(tenant.pk):
            return SessionAction.objects.filter(finished_at__isnull=False).count() == count

    # Sign-up: the account comes with the line, and lets nobody in before the installation.
    wait_until(lambda: stands("pending_installation"))
    provider.patch(f"aaa/accounts/{account()['id']}", timezone=ZONE)
    revealed = provider.post(f"aaa/accounts/{account()['id']}/reveal-password")
    assert revealed["username"] == f"{line['number']}@north.example"
    home = Subscriber(nas, **revealed)
    too_early = home.log_in()
    assert too_early.rejected
    assert too_early.message == "Service not active yet"
    assert account()["blocked_reason"] == "pending_installation"

    activated = provider.post(f"{service}/activate")
    assert activated["status"] == "active"
    assert provider.refusal(f"{service}/activate") == (409, "transition_not_allowed")
    wait_until(lambda: stands(""))

    # Log-in.
    wrong = home.log_in("guessed")
    accept = home.log_in()
    assert wrong.rejected
    assert accept.accepted
    assert accept.get("Mikrotik-Rate-Limit") == "10M/50M"
    assert accept.get("Mikrotik-Address-List") is None
    assert accept.get("Framed-Pool") == "homes"
    assert accept.get("Acct-Interim-Interval") == 300

    # Accounting over two days: from an hour before midnight to two hours after it.
    second = timezone.now().astimezone(ZoneInfo(ZONE)).date() - timedelta(days=1)
    first = second - timedelta(days=1)
    midnight = int(datetime.combine(second, time(), ZoneInfo(ZONE)).timestamp())
    home.begin("81000001", accept, "192.0.2.7", Event_Timestamp=midnight - 3600)
    in_first_hours = {
        "Event_Timestamp": midnight + 3600,
        "Acct_Session_Time": 7200,
        "Acct_Input_Octets": 1_000_000_001,
        "Acct_Output_Octets": 8_000_000_000 - GIGAWORD,
        "Acct_Output_Gigawords": 1,
    }
    home.report("Interim-Update", **in_first_hours)
    last_counters = {
        "Acct_Input_Octets": 1_000_000_101,
        "Acct_Output_Octets": 500,
        "Acct_Output_Gigawords": 2,
    }
    home.report("Interim-Update", Event_Timestamp=midnight + 7200, Acct_Session_Time=10_800, **last_counters)
    home.report("Interim-Update", **in_first_hours)
    online = session()
    assert (online["context"], online["is_as_wanted"], online["session_seconds"]) == ("active", True, 10_800)
    assert online["nas_name"] == "BNG North"
    assert (
        home.log_in(station="02:00:5E:00:00:08").message == "Already connected as often as the account allows"
    )

    days = [
        {
            "date": str(first), "bytes_downloaded": 4_000_000_000, "bytes_uploaded": 500_000_000,
            "i_pv6_bytes_downloaded": 0, "i_pv6_bytes_uploaded": 0,
            "total_bytes_downloaded": 4_000_000_000, "total_bytes_uploaded": 500_000_000,
        },
        {
            "date": str(second), "bytes_downloaded": 2 * GIGAWORD + 500 - 4_000_000_000,
            "bytes_uploaded": 500_000_101, "i_pv6_bytes_downloaded": 0, "i_pv6_bytes_uploaded": 0,
            "total_bytes_downloaded": 2 * GIGAWORD + 500 - 4_000_000_000, "total_bytes_uploaded": 500_000_101,
        },
    ]  # fmt: skip
    assert provider.get(f"{service}/radius/usage") == days
    by_day = provider.get("aaa/usage", service_id=line["id"])
    assert (by_day["timezone"], by_day["is_exact"]) == (ZONE, True)
    assert [
        (row["start"], row["total_bytes_downloaded"], row["total_bytes_uploaded"]) for row in by_day["rows"]
    ] == [(day["date"], day["total_bytes_downloaded"], day["total_bytes_uploaded"]) for day in days]
    by_hour = provider.get("aaa/usage", account_id=account()["id"], step="hour")["rows"]
    assert [row["total_bytes_uploaded"] for row in by_hour] == [500_000_000, 500_000_001, 100]

    # Another plan reaches the live session.
    faster = provider.post(
        "internet-plans", code="F200", name="Fibre 200", down_kbps=200_000, up_kbps=40_000, **PLAN
    )
    changed = provider.post(f"{service}/change-plan", product_id=faster["id"])
    assert changed["state"] == "applied"
    wait_until(lambda: finished(1))
    assert actions() == [("coa", "plan_change", "done", "ack")]
    [coa] = peer.of("81000001")
    assert (coa["type"], coa["rate"], coa["user"]) == ("CoA-Request", "40M/200M", home.username)
    assert (session()["policy"], session()["is_as_wanted"]) == ("Fibre 200", True)

    # The bill is not paid: a night cuts the line, the session ends, and the next log-in leads into the walled garden.
    provider.post("billing/dunning/policies", business_days_only=False)
    with tenant_context(tenant.pk):
        now = timezone.now()
        bill = owing.invoice(
            Subscription.objects.get(pk=line["id"]).subscriber, due_on=now.date() - timedelta(days=40)
        )
        suspending.begin_night(on=now.date(), at=now)
    wait_until(lambda: finished(2))
    assert actions()[1:] == [("disconnect", "hold", "done", "ack")]
    assert peer.of("81000001")[-1]["type"] == "Disconnect-Request"
    assert provider.refusal(f"{service}/activate") == (409, "line_on_hold")
    home.report("Stop", Acct_Session_Time=10_800, Acct_Terminate_Cause=ADMIN_RESET, **last_counters)
    standing = provider.get(f"aaa/accounts/{account()['id']}/status")
    assert (standing["active"], standing["messages"], standing["sessions"]) == (
        False, ["Service suspended for non-payment"], 0,
    )  # fmt: skip

    accept = home.log_in()
    assert accept.accepted
    assert accept.get("Mikrotik-Rate-Limit") == "256k/512k"
    assert accept.get("Mikrotik-Address-List") == "unpaid"
    assert accept.get("Framed-Pool") == "captive"
    home.begin("81000002", accept, "198.18.0.7")
    assert (session()["context"], session()["is_as_wanted"]) == ("blocked", True)

    # It is paid: the garden's session ends, and the next log-in has the full rate again.
    provider.post(
        "billing/payments",
        subscriber_id=str(bill.subscriber_id), amount="31.00", currency="EUR", method="cash",
    )  # fmt: skip
    wait_until(lambda: finished(3))
    assert actions()[2:] == [("disconnect", "release", "done", "ack")]
    assert [entry["type"] for entry in peer.of("81000002")] == ["Disconnect-Request"]
    home.report("Stop", Acct_Session_Time=1, Acct_Terminate_Cause=ADMIN_RESET)
    accept = home.log_in()
    assert accept.accepted
    assert accept.get("Mikrotik-Rate-Limit") == "40M/200M"
    assert accept.get("Mikrotik-Address-List") is None
    assert accept.get("Framed-Pool") == "homes"
    home.begin("81000003", accept, "192.0.2.7")
    assert provider.get(f"aaa/accounts/{account()['id']}/status")["active"] is True

    # The line ends, and with it the session; a garden is for those who may come back.
    assert provider.post(f"{service}/terminate")["status"] == "terminated"
    wait_until(lambda: finished(4))
    assert actions()[3:] == [("disconnect", "hold", "done", "ack")]
    home.report("Stop", Acct_Session_Time=2, Acct_Terminate_Cause=ADMIN_RESET)
    assert home.log_in().message == "Service ended"

    # What is left to read. The same refusal within five minutes is one row.
    assert [
        (attempt["accepted"], attempt["reason"], attempt["times"])
        for attempt in reversed(provider.get("aaa/auth-attempts", account_id=account()["id"]))
    ] == [
        (False, "blocked", 2),
        (False, "password", 1),
        (True, "", 1),
        (False, "sessions", 1),
        (True, "", 1),
        (True, "", 1),
    ]
    assert {
        (ended["acct_session_id"], ended["context"], ended["ended_by"], ended["terminate_cause"])
        for ended in provider.get("aaa/sessions", history="true", service_id=line["id"])
    } == {
        ("81000001", "active", "stop", "Admin-Reset"),
        ("81000002", "blocked", "stop", "Admin-Reset"),
        ("81000003", "active", "stop", "Admin-Reset"),
    }
    assert provider.get(f"{service}/radius/usage") == days
    told = provider.get(f"{service}/radius/status")
    assert told["username"] == home.username
    assert (len(told["authentication_attempts"]), len(told["accounting"])) == (6, 3)
