"""Tickets: the queues, and each ticket's page as a conversation with the customer's diagnosis beside it."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from django.utils import timezone

from ispcore.admin import links, navigation
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import BegunByForm, TenantModelAdmin
from ispcore.admin.formats import DASH, choice_column, pill, time_column
from ispcore.admin.site import register
from ispcore.errors import DomainError
from subscribers.admin.saving import saved
from support.admin import diagnosis, load_page
from support.admin.desk import PRIORITY_TONES
from support.admin.queues import PersonFilter, QueueFilter, TeamFilter, chips, in_queue, queue_of
from support.admin.ticket_forms import AssignForm, ChangeForm, CommentForm, MergeForm, MoveForm, NewTicketForm
from support.admin.ticket_page import (
    STATUS_TONES,
    due_words,
    facts_of,
    neighbours,
    shown,
    status_words,
    url_of,
)
from support.models import (
    UNRESOLVED,
    CannedAnswer,
    Priority,
    Ticket,
    TicketStatus,
)
from support.services import desk, tickets
from support.services.tickets.moving import ALLOWED

COMMENTS_SHOWN = 200
THEN = {"send": None, "wait": TicketStatus.WAITING, "resolve": TicketStatus.RESOLVED}


@register(Ticket)
class TicketAdmin(BegunByForm, TenantModelAdmin):
    """What customers ask for."""

    form = NewTicketForm
    title_of_new = "New ticket"
    add_fieldsets = (
        (None, {"fields": ("subject", "subscription", "subscriber", "title", "description", "force")}),
    )
    autocomplete_fields = ("subject", "subscription", "subscriber")
    list_display = (
        "number",
        "title",
        "state",
        choice_column("priority", "Priority", PRIORITY_TONES),
        "customer",
        "who",
        "due",
        time_column("created_at", "Opened"),
    )
    list_display_links = ("number", "title")
    list_filter = (QueueFilter, "status", "priority", TeamFilter, PersonFilter, "subject")
    # What is searched are the number and the customer's words: see get_search_results.
    search_fields = ("number",)
    search_help_text = "The ticket's number, or the beginnings of words of the customer"
    sortable_by = ("due", "created_at_with_age")
    actions = ("take",)
    object_actions = ("take", "assign_to", "move_to", "change_what", "reopen", "close", "merge_into")
    list_before_template = "admin/support/queues.html"
    change_form_outer_before_template = "admin/support/ticket.html"
    empty_title = "No ticket is here"
    empty_help = (
        "A ticket is one matter of one customer: what they said, what was answered, who takes care of it and by when. "
        "It has a subject of the catalogue, so begin with a few of those; then open one here, or let customers and "
        "integrations do it."
    )

    def get_urls(self) -> list[URLPattern]:
        return [*load_page.urls(self), *super().get_urls()]

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Show a queue as it is worked through, the first due first; all tickets newest first."""
        return ("due_at", "pk") if "queue" in request.GET else ("-pk",)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "queues": chips(request)})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Ticket]:
        # Read apart: a page deep in the list would join what it leaves out, and planning many joins takes longer still.
        return super().get_queryset(request).prefetch_related("subject", "subscriber", "assignee", "team")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Ticket], search_term: str
    ) -> tuple[QuerySet[Ticket], bool]:
        return (tickets.search_tickets(queryset, search_term) if search_term.strip() else queryset), False

    def has_steer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may work on tickets; the pages themselves only show."""
        return request.user.has_perm("support.change_ticket")

    def save_model(self, request: HttpRequest, obj: Ticket, form: Any, change: bool) -> None:
        given = form.cleaned_data
        made = tickets.open_ticket(
            subject_id=given["subject"].pk,
            subscription_id=given["subscription"].pk if given["subscription"] else None,
            subscriber_id=given["subscriber"].pk if given["subscriber"] else None,
            title=given["title"],
            description=given["description"],
            force=given["force"],
            user_id=request.user.pk,
            at=timezone.now(),
        )
        saved(obj, made)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Take an answer, the only thing there is to write here; without one, show the page as every other."""
        if object_id is not None and request.method == "POST":
            return self._say(request, object_id)
        return super().changeform_view(request, object_id, *args, **kwargs)

    def _say(self, request: HttpRequest, object_id: str) -> HttpResponse:
        ticket = self.get_object(request, object_id)
        if ticket is None:
            raise Http404
        if not self.has_steer_permission(request):
            raise PermissionDenied
        if chosen := links.named(CannedAnswer.objects.filter(is_active=True), request.POST.get("ready")):
            return self._with_ready_answer(request, object_id, ticket, chosen)
        form = CommentForm(request.POST)
        if not form.is_valid():
            request.answer = form  # type: ignore[attr-defined]
            return self._shown_again(request, object_id)
        at, user_id = timezone.now(), request.user.pk
        try:
            tickets.comment(
                ticket_id=ticket.pk,
                body=form.cleaned_data["body"],
                is_internal=form.cleaned_data["is_internal"],
                files=[
                    tickets.Upload(file.name or "", file.chunks()) for file in request.FILES.getlist("files")
                ],
                user_id=user_id,
                at=at,
            )
            if then := THEN.get(request.POST.get("then", "")):
                tickets.move(ticket_id=ticket.pk, to=then, user_id=user_id, at=at)
        except DomainError as refusal:
            form.add_error("body", str(refusal))
            request.answer = form  # type: ignore[attr-defined]
            return self._shown_again(request, object_id)
        messages.success(request, "Kept for colleagues." if form.cleaned_data["is_internal"] else "Answered.")
        return redirect(f"{request.path}?queue={queue_of(request)}")

    def _with_ready_answer(
        self, request: HttpRequest, object_id: str, ticket: Ticket, chosen: CannedAnswer
    ) -> HttpResponse:
        """Put a ready answer under what was typed, and write nothing."""
        said = [request.POST.get("body", "").strip(), desk.filled_in(chosen.body, ticket=ticket)]
        body = "\n\n".join(text for text in said if text)
        form = CommentForm(initial={"body": body, "is_internal": "is_internal" in request.POST})
        form.fields["body"].widget.attrs["autofocus"] = True
        request.answer = form  # type: ignore[attr-defined]
        return self._shown_again(request, object_id)

    def _shown_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        request.method = "GET"
        return super().changeform_view(request, object_id)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if ticket := kwargs.get("obj"):
            context |= self._page(request, ticket)
        return super().render_change_form(request, context, *args, **kwargs)

    def _page(self, request: HttpRequest, ticket: Ticket) -> dict[str, Any]:
        newest = list(tickets.conversation_of(ticket)[: COMMENTS_SHOWN + 1])
        queue = queue_of(request)
        before, after = neighbours(in_queue(Ticket.objects.all(), queue, request), ticket)
        is_over, may_steer = ticket.status == TicketStatus.CLOSED, self.has_steer_permission(request)
        answers = CannedAnswer.objects.filter(is_active=True).order_by("name")
        line = ticket.subscription
        return {
            "status_pill": pill(ticket.get_status_display(), STATUS_TONES[TicketStatus(ticket.status)]),
            "priority_pill": pill(ticket.get_priority_display(), PRIORITY_TONES[Priority(ticket.priority)]),
            "facts": facts_of(ticket),
            "said": [shown(comment) for comment in reversed(newest[:COMMENTS_SHOWN])],
            "has_older": len(newest) > COMMENTS_SHOWN,
            "answer_form": getattr(request, "answer", None) or CommentForm()
            if may_steer and not is_over
            else None,
            "may_wait": TicketStatus.WAITING in ALLOWED[TicketStatus(ticket.status)],
            "may_resolve": TicketStatus.RESOLVED in ALLOWED[TicketStatus(ticket.status)],
            "ready": [] if is_over else list(answers),
            "take_url": self._take_url(request, ticket) if may_steer else "",
            "before_url": f"{url_of(before)}?queue={queue}" if before else "",
            "after_url": f"{url_of(after)}?queue={queue}" if after else "",
            "diagnosed": diagnosis.context(request, line) if line else None,
        }

    def _take_url(self, request: HttpRequest, ticket: Ticket) -> str:
        if ticket.assignee_id == request.user.pk or ticket.status not in UNRESOLVED:
            return ""
        back = urlencode({"next": f"{url_of(ticket)}?queue={queue_of(request)}"})
        return f"{reverse('admin:support_ticket_action', args=[ticket.pk, 'take'])}?{back}"

    @action(
        description="Take it",
        permissions=["steer"],
        confirm="You are the one who takes care of it from now on.",
        icon="back_hand",
        available=lambda ticket: ticket.status in UNRESOLVED,
    )
    def take(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        at, me = timezone.now(), request.user.pk
        run_on_each(
            self,
            request,
            queryset,
            lambda ticket: tickets.assign(ticket_id=ticket.pk, assignee_id=me, user_id=me, at=at),
            done="Yours.",
        )

    @action(
        description="Assign…",
        permissions=["steer"],
        confirm="Who takes care of it?",
        button="Assign",
        icon="person_add",
        form=AssignForm,
        available=lambda ticket: ticket.status != TicketStatus.CLOSED,
    )
    def assign_to(self, request: HttpRequest, queryset: QuerySet[Ticket], data: dict[str, Any]) -> None:
        at = timezone.now()
        given: dict[str, Any] = {
            "assignee_id": links.id_in(data["assignee"]),
            "team_id": links.id_in(data["team"]),
        }
        run_on_each(
            self,
            request,
            queryset,
            lambda ticket: tickets.change_ticket(
                ticket_id=ticket.pk, user_id=request.user.pk, at=at, **given
            ),
            done="Assigned.",
        )

    @action(
        description="Status…",
        permissions=["steer"],
        confirm="Its clock stands while it waits for the customer; all else goes on counting.",
        button="Set",
        icon="swap_horiz",
        form=MoveForm,
        available=lambda ticket: ticket.status in UNRESOLVED,
    )
    def move_to(self, request: HttpRequest, queryset: QuerySet[Ticket], data: dict[str, Any]) -> None:
        to = TicketStatus(data["status"])
        self._move(request, queryset, to, f"{to.label}.")

    @action(
        description="Change…",
        permissions=["steer"],
        confirm="What it is about, and how urgent. Due times stay as they are.",
        button="Change",
        icon="edit",
        form=ChangeForm,
        available=lambda ticket: ticket.status != TicketStatus.CLOSED,
    )
    def change_what(self, request: HttpRequest, queryset: QuerySet[Ticket], data: dict[str, Any]) -> None:
        at = timezone.now()
        given = {
            "subject_id": links.id_in(data["subject"]),
            "title": data["title"],
            "priority": data["priority"],
        }

        def change(ticket: Ticket) -> Ticket:
            # What was left as it stood is not set by hand.
            changed = {name: value for name, value in given.items() if value != getattr(ticket, name)}
            return tickets.change_ticket(ticket_id=ticket.pk, user_id=request.user.pk, at=at, **changed)

        run_on_each(self, request, queryset, change, done="Changed.")

    @action(
        description="Open again",
        permissions=["steer"],
        confirm="The matter is not settled after all. Its clock goes on; the time it stood resolved is not counted.",
        icon="undo",
        available=lambda ticket: ticket.status == TicketStatus.RESOLVED,
    )
    def reopen(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._move(request, queryset, TicketStatus.OPEN, "Open again.")

    @action(
        description="Close",
        permissions=["steer"],
        confirm="It is filed away, and cannot be opened again; whoever writes then needs a new ticket.",
        icon="task_alt",
        danger=True,
        available=lambda ticket: ticket.status == TicketStatus.RESOLVED,
    )
    def close(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._move(request, queryset, TicketStatus.CLOSED, "Closed.")

    @action(
        description="Merge…",
        permissions=["steer"],
        confirm="This ticket is closed, and its conversation is shown in the other one.",
        button="Merge",
        icon="merge",
        form=MergeForm,
        available=lambda ticket: ticket.status != TicketStatus.CLOSED,
    )
    def merge_into(self, request: HttpRequest, queryset: QuerySet[Ticket], data: dict[str, Any]) -> None:
        at = timezone.now()
        into = Ticket.objects.filter(number=data["number"].strip().upper()).first()
        if into is None:
            messages.error(request, f"There is no ticket {data['number']}.")
            return
        run_on_each(
            self,
            request,
            queryset,
            lambda ticket: tickets.merge(
                ticket_id=ticket.pk, into_id=into.pk, user_id=request.user.pk, at=at
            ),
            done=f"Merged into {into.number}.",
        )

    def _move(self, request: HttpRequest, queryset: QuerySet[Ticket], to: TicketStatus, done: str) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset,
            lambda ticket: tickets.move(ticket_id=ticket.pk, to=to, user_id=request.user.pk, at=at),
            done=done,
        )

    @admin.display(description="State")
    def state(self, obj: Ticket) -> str:
        return pill(status_words(obj), STATUS_TONES[TicketStatus(obj.status)])

    @admin.display(description="Customer")
    def customer(self, obj: Ticket) -> str:
        return obj.subscriber.full_name if obj.subscriber else DASH

    @admin.display(description="Who")
    def who(self, obj: Ticket) -> str:
        return str(obj.assignee or obj.team or "nobody yet")

    @admin.display(description="Due", ordering="due_at")
    def due(self, obj: Ticket) -> str:
        return due_words(obj, at=timezone.now())


links.add("ticket", "admin:support_ticket_change")

navigation.add(
    "Support",
    10,
    "Tickets",
    url_name="admin:support_ticket_changelist",
    icon="support_agent",
    allowed="support.view_ticket",
)
