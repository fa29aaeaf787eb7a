"""A customer behind a real RADIUS server and a simulated OLT, and a helpdesk that asks over HTTP what is wrong."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPConnection
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from django.db.models import F
from django.utils import timezone

from aaa.models import Account, AuthAttempt, Nas, Session
from billing.services.dunning import suspending
from demo.olt import SimulatedOlt
from hardware.models import Olt, OltPolling, Onu, OnuEvent, Outage
from hardware.services import polling
from ispcore.auth import access_tokens
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from subscribers.models import Subscription
from tests.aaa.nas_peer import ADDRESS as NAS_ADDRESS
from tests.aaa.radius.client import Answer, NasClient
from tests.billing import owing
from tests.support.homes import ADDRESS, PASSWORD, ROUTER
from tests.workers import wait_until

LOS, DEACTIVATED, DYING_GASP = 1, 8, 13  # HUAWEI-XPON-MIB, last down cause.
ADMIN_RESET, LOST_CARRIER, USER_REQUEST = 6, 2, 1  # RFC 2866 section 5.10.
PLACE = (0, 0)
FINE = ("fine", "", "ping_service")

_session_numbers = count(0x81000001)


@dataclass
class Desk:
    """Staff at the API of a running server, with a token of their own."""

    url: str
    token: str

    @classmethod
    def of(cls, user: User, url: str) -> "Desk":
        return cls(url, access_tokens.mint(user_id=user.pk, at=timezone.now()))

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return what `data` of the answer holds; whatever is refused fails the test."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "Prefer": "wait=60",
        }
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=90)
        content = None if body is None else json.dumps(body)
        connection.request(method, f"/api/v1/{path}", content, headers)
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        assert response.status < 300, answer
        return json.loads(answer)["data"] if answer else None

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, **body: Any) -> Any:
        return self.call("POST", path, body)

    def patch(self, path: str, **body: Any) -> Any:
        return self.call("PATCH", path, body)


@dataclass
class Scene:
    """One line: its router dials in through a NAS, its ONU hangs on an OLT with three others on the port."""

    tenant: Tenant
    desk: Desk
    nas: NasClient
    nas_id: str
    simulator: SimulatedOlt
    olt: Olt
    onu: Onu
    line: Subscription
    account: Account
    session: dict[str, Any] = field(default_factory=dict)
    seconds: int = 0  # The session's age, as its NAS counts it.

    # What the helpdesk sees and does.

    def answer(self) -> Any:
        return self.desk.get(f"support/diagnosis/{self.line.number}")

    def told(self) -> tuple[str, str, str]:
        """Return the verdict's code, the step that is blamed and the action that is offered."""
        found = self.answer()
        blamed = [step["step"] for step in found["steps"] if step["is_blamed"]]
        assert len(blamed) < 2
        return found["verdict_code"], "".join(blamed), (found["action"] or {"code": ""})["code"]

    def do(self, **body: Any) -> Any:
        """Do what the diagnosis offers, where it says that it is done."""
        action = self.answer()["action"]
        assert action["is_allowed"]
        return self.desk.call(action["method"], action["path"], body or None)

    @property
    def account_path(self) -> str:
        return f"aaa/accounts/{self.account.pk}"

    def is_settled(self, blocked_reason: str = "") -> bool:
        """Tell whether access has followed what was decided."""
        with tenant_context(self.tenant.pk):
            rows = Account.objects.filter(pk=self.account.pk, settled_at__isnull=False)
            return rows.filter(blocked_reason=blocked_reason).exists()

    def cut(self) -> None:
        """Let a night of dunning cut the line for a bill of forty days ago."""
        self.desk.post("billing/dunning/policies", business_days_only=False)
        with tenant_context(self.tenant.pk):
            now = timezone.now()
            owing.invoice(self.line.subscriber, due_on=now.date() - timedelta(days=40))
            suspending.begin_night(on=now.date(), at=now)
        wait_until(lambda: self.is_settled("non_payment"))

    # What the customer's router and its NAS do.

    def log_in(self, password: str = PASSWORD, station: str = ROUTER) -> Answer | None:
        return self.nas.log_in(self.account.username, password, chap=True, Calling_Station_Id=station)

    def begin(self, accept: Answer, station: str = ROUTER, address: str = "") -> None:
        """Let the NAS report the session that an accepted log-in began."""
        self.session = {
            "session_id": f"{next(_session_numbers):x}",
            "User_Name": self.account.username,
            "Calling_Station_Id": station,
            "NAS_Port_Id": "<pppoe-7>",
            "NAS_IP_Address": NAS_ADDRESS,
            "Framed_IP_Address": address or accept.get("Framed-IP-Address") or ADDRESS,
            "Class": accept.get("Class"),
        }
        self.seconds = 0
        self.report("Start")

    def go_online(self, password: str = PASSWORD, station: str = ROUTER, address: str = "") -> Answer:
        accept = self.log_in(password, station)
        assert accept is not None
        assert accept.accepted, accept.message
        self.begin(accept, station, address)
        return accept

    def report(self, kind: str, **more: Any) -> None:
        assert self.nas.account(kind, **self.session, Acct_Session_Time=self.seconds, **more) is not None
        self.seconds += 10

    def stop(self, cause: int = USER_REQUEST, **more: Any) -> None:
        self.report("Stop", Acct_Terminate_Cause=cause, **more)

    def refused(self, password: str = PASSWORD, station: str = ROUTER) -> str:
        """Log in, be refused and return what the router is told."""
        reject = self.log_in(password, station)
        assert reject is not None
        assert reject.rejected
        return reject.message

    # What the fibre and its OLT do.

    def poll(self) -> None:
        """Read the OLT, and the optics of the customer's ONU, as the worker does when their turn has come."""
        at = timezone.now()
        with tenant_context(self.tenant.pk):
            OltPolling.objects.update(status_due_at=at, optics_due_at=at)
            Onu.objects.filter(pk=self.onu.pk).update(measured_at=None)
        assert polling.poll_olt(tenant_id=self.tenant.pk, olt_id=self.olt.pk, at=at)

    def darken(self, cause: int, onus: int = 1) -> None:
        """Take down the customer's ONU, and others of its port after it; their sessions end."""
        for number in range(onus):
            self.simulator.set_onu_online(0, number, online=False, down_cause=cause)
        if self.session:
            self.stop(LOST_CARRIER)

    def lighten(self, onus: int = 1) -> None:
        for number in range(onus):
            self.simulator.set_onu_online(0, number, online=True)

    def attenuate(self, rx_dbm: float) -> None:
        unit = self.simulator.onus[PLACE]
        unit.rx_dbm, unit.olt_rx_dbm = rx_dbm, rx_dbm - 1.5
        self.simulator.set_onu_online(*PLACE, online=True)

    # What only time does.

    def wait(self, **duration: float) -> None:
        """Let time pass: what packets and polls have left behind is so much older then."""
        ago = timedelta(**duration)
        moved: list[tuple[Any, tuple[str, ...]]] = [
            (Session, ("started_at", "last_event_at", "last_seen_at", "counted_at", "stopped_at")),
            (AuthAttempt, ("at", "last_at")),
            (Nas, ("last_auth_at", "last_acct_at")),
            (Olt, ("last_answer_at",)),
            (Onu, ("observed_at", "measured_at", "last_seen_at", "status_changed_at", "vanished_at")),
            (OnuEvent, ("at",)),
            (Outage, ("started_at", "confirmed_at", "resolved_at")),
        ]
        with tenant_context(self.tenant.pk):
            for model, columns in moved:
                model.objects.update(**{name: F(name) - ago for name in columns})
        self.seconds += int(ago.total_seconds())
