"""Who is online, and who was."""

import ipaddress
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from aaa.admin import feeds
from aaa.admin.actions import rows_of, steer
from aaa.admin.filters import NasFilter, PlanFilter, PolicyFilter, PoolFilter
from aaa.admin.words import CONTEXT_TONES, both_ways, customer_link, data, ended_words, speed
from aaa.models import Account, Context, Nas, PastSession, Session, SessionAction
from aaa.models.fields import station_key
from aaa.selectors import open_by_nas
from ispcore.admin import links, navigation
from ispcore.admin.actions import action
from ispcore.admin.base import ReadOnlyAdmin
from ispcore.admin.dashboard import Bar, Part, share
from ispcore.admin.formats import DASH, age, duration, figures, moment, pill
from ispcore.admin.site import register
from ispcore.totals import total_of

NASES_SHOWN = 8
ACTIONS_SHOWN = 10
# Without an account, whose sessions an index finds, no more than this is looked through.
LOOKED_BACK = timedelta(days=31)


@register(Session)
class SessionAdmin(ReadOnlyAdmin):
    """Sessions that run, the newest first; pages and counts cost the same however many there are."""

    list_display = ("who", "customer", "nas_name", "address", "device", "online_for", "used", "terms")
    list_filter = (NasFilter, PolicyFilter, PlanFilter, PoolFilter, "context")
    search_fields = ("username",)
    search_help_text = "The beginning of a user name, an IP address, or a device's MAC address"
    ordering = ("-started_at", "-id")
    sortable_by = ()
    actions = ("disconnect", "apply_again")
    object_actions = ("apply_again", "disconnect")
    list_before_template = "admin/aaa/session_counts.html"
    change_form_outer_before_template = "admin/aaa/session.html"
    fieldsets = ((None, {"fields": ()}),)
    empty_title = "Nobody is online"
    empty_help = (
        "A session appears when a NAS reports it: register the NAS, give customers accounts, and switch on RADIUS "
        "accounting. Each session then shows its data, its speed and a Disconnect button."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        related = ("nas", "account__policy", "account__throttle_policy", "account__subscription__subscriber")
        return super().get_queryset(request).select_related(*related)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Session], search_term: str
    ) -> tuple[QuerySet[Session], bool]:
        """Narrow to what runs, and to the term. The list and the palette both come through here."""
        queryset = queryset.filter(stopped_at=None)
        term = search_term.strip()
        return (queryset.filter(matching(term)) if term else queryset), False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.ended_view)
        return [path("ended/", view, name="aaa_session_ended"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(
            request, {**(extra_context or {}), "by_nas": lambda: counts_by_nas(request)}
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if session := kwargs.get("obj"):
            context |= {
                "session": facts_of(session),
                "actions_done": rows_of(SessionAction.objects.filter(session_id=session.pk), ACTIONS_SHOWN),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def ended_view(self, request: HttpRequest) -> HttpResponse:
        """List sessions that are over, newest end first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        username, nas = (
            request.GET.get("user", "").strip(),
            links.named(Nas.objects.all(), request.GET.get("nas")),
        )
        ended = Session.objects.filter(stopped_at__isnull=False)
        past = PastSession.objects.all()
        sources: list[QuerySet[Any]] = []
        for rows in (ended, past):
            if username:
                rows = rows.filter(
                    account__in=Account.objects.filter(username_key=username.lower()).values("pk")
                )
            else:
                rows = rows.filter(stopped_at__gte=timezone.now() - LOOKED_BACK)
            sources.append((rows.filter(nas=nas) if nas else rows).select_related("nas", "account"))
        page = feeds.newest(request, sources, moment="stopped_at")
        context = {
            **self.admin_site.each_context(request),
            "title": "Ended sessions",
            "rows": [ended_row(session) for session in page.rows],
            "page": page,
            "username": username,
            "nas": nas,
            "nases": Nas.objects.order_by("name").values_list("pk", "name")[:200],
            "days": LOOKED_BACK.days,
            "is_narrowed": bool(username or nas),
        }
        return TemplateResponse(request, "admin/aaa/ended.html", context)

    @action(
        description="Disconnect",
        permissions=["operate"],
        confirm="The NAS is asked to end the session. Most routers dial in again at once, and get what the account "
        "has then.",
        icon="link_off",
        danger=True,
        available=lambda session: session.stopped_at is None,
    )
    def disconnect(self, request: HttpRequest, queryset: QuerySet[Session]) -> HttpResponse | None:
        return steer(request, queryset, ends=True)

    @action(
        description="Apply speed again",
        permissions=["operate"],
        confirm="The NAS is told the speed of the account once more, without ending the session. One that cannot do "
        "that is asked to end it, so that the next log-in brings the speed.",
        button="Apply it",
        icon="speed",
        available=lambda session: session.stopped_at is None,
    )
    def apply_again(self, request: HttpRequest, queryset: QuerySet[Session]) -> HttpResponse | None:
        return steer(request, queryset, ends=False)

    @admin.display(description="User name")
    def who(self, obj: Session) -> str:
        return obj.username

    @admin.display(description="Customer")
    def customer(self, obj: Session) -> str:
        return customer_link(obj.account)

    @admin.display(description="NAS")
    def nas_name(self, obj: Session) -> str:
        return obj.nas.name if obj.nas else DASH

    @admin.display(description="Address")
    def address(self, obj: Session) -> str:
        return obj.framed_ip or obj.framed_ipv6_prefix or obj.delegated_prefix or DASH

    @admin.display(description="Device")
    def device(self, obj: Session) -> str:
        return obj.station or DASH

    @admin.display(description="Online")
    def online_for(self, obj: Session) -> str:
        return format_html('<span title="since {}">{}</span>', _clock(obj.started_at), _age(obj.started_at))

    @admin.display(description="Data so far")
    def used(self, obj: Session) -> str:
        return format_html(
            '<span class="isp-nowrap">↓ {}</span> <span class="isp-nowrap">↑ {}</span>',
            data(obj.out4_bytes + obj.out6_bytes), data(obj.in4_bytes + obj.in6_bytes),
        )  # fmt: skip

    @admin.display(description="Speed")
    def terms(self, obj: Session) -> str:
        return format_html("{} {}", speed_of(obj), marks_of(obj))


def matching(term: str) -> Q:
    """Return the condition of sessions of an address, a device, or user names that begin so."""
    try:
        return Q(framed_ip=str(ipaddress.ip_address(term)))
    except ValueError:
        pass
    key = station_key(term)
    if len(key) == 12 and key != term.lower():
        return Q(station_key=key)
    names = Account.objects.filter(username_key__prefix=term.lower()).order_by()
    return Q(account__in=names.values("pk"))


def counts_by_nas(request: HttpRequest) -> dict[str, Any]:
    """Draw open sessions by NAS, the fullest first; of very many the counts may be a minute old."""
    counted = open_by_nas()
    total = sum(count for _, count in counted)
    names = dict(
        Nas.objects.filter(pk__in=[nas for nas, _ in counted[:NASES_SHOWN] if nas]).values_list("pk", "name")
    )
    sessions = reverse("admin:aaa_session_changelist")
    bars = [
        Bar(
            names.get(nas, "A NAS that is gone"),
            figures(count),
            [Part("Online", count, share(count, total), "good")],
            url=f"{sessions}?nas={nas}" if nas else "",
        )
        for nas, count in counted[:NASES_SHOWN]
    ]
    return {
        "total": figures(total),
        "count": total,
        "bars": bars,
        "more": max(0, len(counted) - NASES_SHOWN),
    }


def total_open() -> int:
    return total_of(Session.objects.filter(stopped_at=None))[0]


def speed_of(session: Session) -> str:
    """Say the speed a session has, in the words of its account's policy."""
    account = session.account
    if account is None:
        return "no account of yours"
    return speed(account.throttle_policy if session.context == Context.THROTTLED else account.policy)


def marks_of(session: Session) -> str:
    """Mark what staff should see at once: other terms than the usual, or a change that has not arrived."""
    context = Context(session.context)
    terms = pill(str(context.label), CONTEXT_TONES[context]) if context != Context.ACTIVE else ""
    return format_html("{}{}", terms, "" if is_as_wanted(session) else pill("change on its way", "info"))


def is_as_wanted(session: Session) -> bool:
    return (
        session.stopped_at is not None
        or session.account is None
        or session.account.wanted in ("", session.applied)
    )


def row_of(session: Session) -> dict[str, Any]:
    """Return a live session as strips on other pages show it."""
    return {
        "url": reverse("admin:aaa_session_change", args=[session.pk]),
        "disconnect_url": reverse("admin:aaa_session_action", args=[session.pk, "disconnect"]),
        "apply_url": reverse("admin:aaa_session_action", args=[session.pk, "apply_again"]),
        "username": session.username,
        "nas": session.nas.name if session.nas else "a NAS that is gone",
        "address": session.framed_ip
        or session.framed_ipv6_prefix
        or session.delegated_prefix
        or "no address told",
        "device": session.station,
        "for": _age(session.started_at),
        "used": both_ways(session.out4_bytes + session.out6_bytes, session.in4_bytes + session.in6_bytes),
        "marks": marks_of(session),
    }


def account_link(account: Account | None) -> str:
    return links.link(links.url_of("account", account.pk), account.username) if account else DASH


def facts_of(session: Session) -> dict[str, Any]:
    """Return what a session's page says."""
    down, up = session.out4_bytes + session.out6_bytes, session.in4_bytes + session.in6_bytes
    nas = session.nas
    shown = [
        ("Account", account_link(session.account)),
        ("Customer", customer_link(session.account)),
        ("NAS", links.link(links.url_of("nas", nas.pk), nas.name) if nas else DASH),
        ("Port", session.nas_port_id or DASH),
        ("Device", session.station or DASH),
        ("IPv4 address", session.framed_ip or DASH),
        ("IPv6 prefix of the link", session.framed_ipv6_prefix or DASH),
        ("Delegated IPv6 prefix", session.delegated_prefix or DASH),
        ("Speed", speed_of(session)),
        ("Download", data(down)),
        ("Upload", data(up)),
        ("Of these IPv6", both_ways(session.out6_bytes, session.in6_bytes)),
        ("Began", moment(session.started_at)),
        ("Last report", moment(session.last_seen_at)),
        ("Mean download", mean_rate(down, session.session_seconds)),
        ("Session id on the NAS", session.acct_session_id),
    ]  # fmt: skip
    if session.stopped_at:
        shown.append(("Ended", moment(session.stopped_at)))
    return {
        "username": session.username,
        "light": "plain" if session.stopped_at else "good",
        "words": ended_words(session) if session.stopped_at else f"Online for {_age(session.started_at)}",
        "marks": marks_of(session),
        "is_as_wanted": is_as_wanted(session),
        "facts": shown,
    }


def mean_rate(count: int, seconds: int) -> str:
    return f"{count * 8 / seconds / 1e6:.2f} Mbit/s" if seconds > 0 else DASH


def ended_row(session: Any) -> dict[str, Any]:
    account = session.account
    return {
        "username": session.username,
        "url": links.url_of("account", account.pk) if account else "",
        "nas": session.nas.name if session.nas else "a NAS that is gone",
        "address": session.framed_ip or session.framed_ipv6_prefix or DASH,
        "device": session.station or DASH,
        "began": moment(session.started_at),
        "ended": moment(session.stopped_at),
        "lasted": duration(max(0, (session.stopped_at - session.started_at).total_seconds())),
        "used": both_ways(session.out4_bytes + session.out6_bytes, session.in4_bytes + session.in6_bytes),
        "why": ended_words(session),
    }


def _age(at: Any) -> str:
    """Say for how long, to be read after 'online for'."""
    return age(at).removesuffix(" ago").replace("just now", "under a minute")


def _clock(at: Any) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M}"


links.add("session", "admin:aaa_session_change")
navigation.add_list("Access", 10, "Live sessions", Session, icon="podcasts")
navigation.add(
    "Access",
    60,
    "Ended sessions",
    url_name="admin:aaa_session_ended",
    icon="history",
    allowed="aaa.view_session",
)
