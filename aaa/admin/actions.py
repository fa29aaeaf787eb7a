"""What was asked of NASes about live sessions, and what came of it."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from aaa.admin.words import ACTION_TONES, OUTCOME_TONES, error_cause
from aaa.models import ActionCause, ActionOutcome, ActionState, Session, SessionAction
from aaa.services import actions
from ispcore.admin import links, navigation
from ispcore.admin.base import ReadOnlyAdmin
from ispcore.admin.formats import DASH, choice_column, moment, pill, time_column
from ispcore.admin.site import register
from ispcore.tenants.models import User

OPEN = (ActionState.QUEUED, ActionState.SENT)


@register(SessionAction)
class SessionActionAdmin(ReadOnlyAdmin):
    """Changes and ends of live sessions, asked by staff, by programs, or by what happened to an account."""

    list_display = (
        "what",
        "account_name",
        "nas_name",
        "why",
        choice_column("state", "State", ACTION_TONES),
        "came_of_it",
        time_column("created_at", "Asked"),
    )
    list_filter = ("state", "outcome", "kind", "cause", ("nas", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("account", "nas", "requested_by")
    ordering = ("-created_at", "-id")
    sortable_by = ("created_at_with_age",)
    change_form_outer_before_template = "admin/aaa/action.html"
    fieldsets = ((None, {"fields": ()}),)
    empty_title = "Nothing was asked of a NAS yet"
    empty_help = (
        "When a plan changes, a service is suspended or somebody presses Disconnect, the NAS is told by RADIUS (CoA "
        "and Disconnect, RFC 5176). Each of these stands here, with what the NAS answered."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[SessionAction]:
        return super().get_queryset(request).select_related("account", "nas", "requested_by")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.state_view)
        return [path("<uuid:action_id>/state/", view, name="aaa_sessionaction_state"), *super().get_urls()]

    def state_view(self, request: HttpRequest, action_id: Any) -> HttpResponse:
        """Answer with the fragment that the page of an open action asks for each second."""
        found = self.get_queryset(request).filter(pk=action_id).first()
        if found is None or not self.has_view_permission(request, found):
            raise Http404
        return TemplateResponse(request, "admin/aaa/action.html", {"asked": asked(found)})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if found := kwargs.get("obj"):
            context |= {"asked": asked(found), "title": found.get_kind_display()}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="What", ordering="kind")
    def what(self, obj: SessionAction) -> str:
        return obj.get_kind_display()

    @admin.display(description="Account")
    def account_name(self, obj: SessionAction) -> str:
        return (
            links.link(links.url_of("account", obj.account_id), obj.account.username) if obj.account else DASH
        )

    @admin.display(description="NAS")
    def nas_name(self, obj: SessionAction) -> str:
        return obj.nas.name

    @admin.display(description="Why")
    def why(self, obj: SessionAction) -> str:
        return why(obj)

    @admin.display(description="What came of it")
    def came_of_it(self, obj: SessionAction) -> str:
        return came_of_it(obj)


def asked(found: SessionAction) -> dict[str, Any]:
    """Return what one action's page says."""
    session = Session.objects.filter(pk=found.session_id).first()
    account = found.account
    return {
        "pk": found.pk,
        "title": f"{found.get_kind_display()} of {found.account.username if found.account else 'a session'}",
        "state": pill(found.get_state_display(), ACTION_TONES[ActionState(found.state)]),
        "is_open": found.state in OPEN,
        "outcome": outcome_pill(found),
        "message": found.message,
        "facts": [
            ("Why", why(found)),
            ("Account", links.link(links.url_of("account", account.pk), account.username) if account else DASH),
            ("NAS", links.link(reverse("admin:aaa_nas_change", args=[found.nas_id]), found.nas.name)),
            ("Session", links.link(session_url(session), session.acct_session_id) if session else "over"),
            ("Error-Cause of the NAS", error_cause(found.error_cause)),
            ("Tries", found.attempts or "none yet"),
            ("Asked", moment(found.created_at)),
            ("Sent", moment(found.sent_at, empty="not yet")),
            ("Finished", moment(found.finished_at, empty="not yet")),
        ],
    }  # fmt: skip


def rows_of(found: QuerySet[SessionAction], limit: int) -> list[dict[str, Any]]:
    """Return the newest of some actions as tables on other pages show them."""
    return [
        {
            "url": reverse("admin:aaa_sessionaction_change", args=[each.pk]),
            "what": each.get_kind_display(),
            "who": each.account.username if each.account else "",
            "nas": each.nas.name,
            "why": why(each),
            "state": pill(each.get_state_display(), ACTION_TONES[ActionState(each.state)]),
            "outcome": came_of_it(each),
            "at": moment(each.created_at),
        }
        for each in found.select_related("account", "nas", "requested_by").order_by("-created_at")[:limit]
    ]


def why(found: SessionAction) -> str:
    if found.cause == ActionCause.STAFF and found.requested_by_id:
        return f"Asked by {found.requested_by}"
    return str(found.get_cause_display())


def outcome_pill(found: SessionAction) -> str:
    if not found.outcome:
        return ""
    return pill(found.get_outcome_display(), OUTCOME_TONES[ActionOutcome(found.outcome)])


def came_of_it(found: SessionAction) -> str:
    """Say the outcome with the cause the NAS gave."""
    if not found.outcome:
        return "on its way" if found.state in OPEN else DASH
    if found.error_cause is None:
        return outcome_pill(found)
    return format_html(
        '{} <span class="isp-muted">{}</span>', outcome_pill(found), error_cause(found.error_cause)
    )


def session_url(session: Session) -> str:
    return reverse("admin:aaa_session_change", args=[session.pk])


def steer(request: HttpRequest, sessions: QuerySet[Session], *, ends: bool) -> HttpResponse | None:
    """Ask for a Disconnect or a CoA of live sessions and lead to what comes of it."""
    ids = list(
        sessions.filter(stopped_at=None)
        .order_by("pk")
        .values_list("pk", flat=True)[: actions.MOST_SESSIONS + 1]
    )
    if len(ids) > actions.MOST_SESSIONS:
        messages.error(request, f"At most {actions.MOST_SESSIONS} sessions at once. Narrow the list first.")
        return None
    ask = actions.request_disconnect if ends else actions.request_coa
    user: Any = request.user
    made = ask(session_ids=ids, cause=ActionCause.STAFF, user_id=user.pk if isinstance(user, User) else None)
    if not made:
        messages.warning(request, "None of them is online on a NAS of yours any more: nothing was asked for.")
        return None
    if len(made) == 1:
        return redirect("admin:aaa_sessionaction_change", made[0])
    messages.success(request, f"Asked for {len(made)} sessions. What the NASes answer stands below.")
    return redirect("admin:aaa_sessionaction_changelist")


navigation.add_list("Access", 65, "CoA log", SessionAction, icon="outgoing_mail")
