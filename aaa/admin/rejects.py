"""Log-ins that were refused: why, how often, and whose."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from aaa.admin import feeds
from aaa.admin.words import REASON_ADVICE, reason_words
from aaa.models import AuthAttempt, Nas, Reason
from aaa.selectors import WINDOW
from ispcore.admin import links, navigation
from ispcore.admin.dashboard import Bar, Part, share
from ispcore.admin.formats import moment, pill

if TYPE_CHECKING:
    from aaa.admin.accounts import AccountAdmin

# Without a user name, whose attempts an index finds, no more than this is looked through.
LOOKED_BACK = timedelta(days=31)
MAY_SEE = "aaa.view_authattempt"


def rejects_view(admin: "AccountAdmin", request: HttpRequest) -> HttpResponse:
    """List refused log-ins, newest first, by reason, NAS or user name."""
    if not request.user.has_perm(MAY_SEE):
        raise PermissionDenied
    now = timezone.now()
    username = request.GET.get("user", "").strip()
    nas = links.named(Nas.objects.all(), request.GET.get("nas"))
    reason = request.GET.get("reason", "")
    rows = AuthAttempt.objects.filter(accepted=False).select_related("nas", "account")
    rows = rows.filter(username_key=username.lower()) if username else rows.filter(at__gte=now - LOOKED_BACK)
    rows = rows.filter(nas=nas) if nas else rows
    rows = rows.filter(reason=reason) if reason in Reason.values else rows
    page = feeds.newest(request, [rows], moment="at")
    context = {
        **admin.admin_site.each_context(request),
        "title": "Rejects",
        "rows": [reject_row(attempt, now) for attempt in page.rows],
        "page": page,
        "username": username,
        "nas": nas,
        "nases": Nas.objects.order_by("name").values_list("pk", "name")[:200],
        "reason": reason,
        "reasons": Reason.choices,
        "by_reason": _by_reason(now),
        "days": LOOKED_BACK.days,
        "is_narrowed": bool(username or nas or reason in Reason.values),
    }
    return TemplateResponse(request, "admin/aaa/rejects.html", context)


def reject_row(attempt: AuthAttempt, now: datetime) -> dict[str, Any]:
    """Return one refusal as tables show it."""
    known = attempt.reason in Reason.values
    return {
        "last": moment(attempt.last_at),
        "username": attempt.username,
        "url": links.url_of("account", attempt.account_id) if attempt.account_id else "",
        "reason": pill(reason_words(attempt.reason), "danger"),
        "advice": REASON_ADVICE[Reason(attempt.reason)] if known else "",
        "times": attempt.times,
        "nas": attempt.nas.name if attempt.nas else "a NAS that is gone",
        "device": attempt.station or "not told",
    }


def _by_reason(now: datetime) -> dict[str, Any]:
    """Count the last hour's refusals by reason."""
    found = dict(
        AuthAttempt.objects.filter(at__gte=now - WINDOW, accepted=False)
        .order_by()
        .values_list("reason")
        .annotate(times=Sum("times"))
    )
    total = sum(found.values())
    url = reverse("admin:aaa_rejects")
    bars = [
        Bar(
            reason_words(reason),
            str(times),
            [Part("Refused", times, share(times, total), "danger")],
            url=f"{url}?reason={reason}" if reason in Reason.values else "",
        )
        for reason, times in sorted(found.items(), key=lambda each: -each[1])
    ]
    return {"bars": bars, "empty": "No log-in was refused in the last hour.", "total": total}


navigation.add("Access", 50, "Rejects", url_name="admin:aaa_rejects", icon="block", allowed=MAY_SEE)
