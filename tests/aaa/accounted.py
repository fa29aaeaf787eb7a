"""What the tests of accounting share: a session on a NAS that reports, and what came of it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from aaa.models import DailyUsage, Nas, Session
from ispcore.tenants.context import tenant_context
from tests.aaa.radius_role import Radius

GIB4 = 2**32
BEGAN = timezone.now().replace(microsecond=0) - timedelta(hours=2)


class Line:
    """One session on a NAS; `send` says how old it is, in seconds, and what its counters show."""

    def __init__(self, radius: Radius, nas: Nas, *, began: datetime = BEGAN, **always: Any) -> None:
        self.radius, self.nas, self.began = radius, nas, began
        self.always = {"klass": str(uuid4()), "session_id": "81000001", **always}

    def send(
        self, kind: str, age: int = 0, up: int | None = None, down: int | None = None, **extra: Any
    ) -> "Line":
        given: dict[str, Any] = {
            "at": self.began + timedelta(seconds=age),
            "session_time": age,
            **self.always,
        }
        for direction, octets in (("in", up), ("out", down)):
            if octets is not None:
                given[f"{direction}_octets"] = octets % GIB4
                if octets >= GIB4:
                    given[f"{direction}_giga"] = octets // GIB4
        assert self.radius.accounting(self.nas.pk, kind, **{**given, **extra}) == 1
        return self


def the_session(nas: Nas) -> Session:
    with tenant_context(nas.tenant_id):
        session: Session = Session.objects.get()
    return session


def totals(nas: Nas) -> tuple[int, int, int, int]:
    session = the_session(nas)
    return session.in4_bytes, session.out4_bytes, session.in6_bytes, session.out6_bytes


def usage(nas: Nas, model: Any = DailyUsage) -> tuple[int, int]:
    with tenant_context(nas.tenant_id):
        rows = list(model.objects.all())
    return (
        sum(row.in4_bytes + row.in6_bytes for row in rows),
        sum(row.out4_bytes + row.out6_bytes for row in rows),
    )


def change_nas(nas: Nas, **fields: Any) -> None:
    with tenant_context(nas.tenant_id):
        Nas.objects.filter(pk=nas.pk).update(**fields)
