"""A customer's tickets: listed, opened, read and answered."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from ispcore.errors import DomainError
from ispcore.files.services import download
from ispcore.tenants.models import Tenant
from support.models import PortalAccount, Subject, TicketStatus
from support.pages.frame import customers_page, show, to
from support.pages.own import MOST_LINES
from support.services.portal import own
from support.services.tickets import Upload
from support.services.tickets.opening import DuplicateTicket, ZoneTicketLimitReached

PER_PAGE = 25
MOST_SUBJECTS = 100
# What a customer reads of a status; "waiting" is about them.
STATUSES = {
    TicketStatus.OPEN: ("wait", "Received"),
    TicketStatus.IN_PROGRESS: ("wait", "We are on it"),
    TicketStatus.WAITING: ("bad", "We wait for your answer"),
    TicketStatus.RESOLVED: ("good", "Resolved"),
    TicketStatus.CLOSED: ("plain", "Closed"),
}


@require_safe
@customers_page
def listed(request: HttpRequest, tenant: Tenant, account: PortalAccount) -> HttpResponse:
    """List tickets, newest first."""
    rows = own.tickets_of(account.subscriber_id)
    with suppress(KeyError, ValueError):  # Without it, the first page.
        rows = rows.filter(pk__lt=UUID(request.GET["before"]))
    found = list(rows[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    context: dict[str, Any] = {
        "tickets": [(each, STATUSES[TicketStatus(each.status)]) for each in shown],
        "older": shown[-1].pk if len(found) > PER_PAGE else None,
    }
    return show(request, "tickets", tenant, here="tickets", **context)


@require_http_methods(["GET", "HEAD", "POST"])
@customers_page
def new(request: HttpRequest, tenant: Tenant, account: PortalAccount) -> HttpResponse:
    """Open a ticket."""
    if request.method != "POST":
        return _form(request, tenant, account)
    text = request.POST.get("text", "").strip()
    try:
        subject_id = UUID(request.POST.get("subject", ""))
        line = request.POST.get("service", "")
        line_id = UUID(line) if line else None
    except ValueError:
        return _form(request, tenant, account, problem="Choose what it is about.", status=422)
    if not text:
        return _form(request, tenant, account, problem="Tell us what happens.", status=422)
    try:
        ticket = own.open_ticket(
            customer_id=account.subscriber_id,
            subject_id=subject_id,
            line_id=line_id,
            text=text,
            at=timezone.now(),
            files=_uploads(request),
        )
    except DuplicateTicket as refusal:
        known = own.tickets_of(account.subscriber_id).filter(number=refusal.details["number"]).first()
        problem = "You have an open ticket about the same. Please add to it."
        return _form(request, tenant, account, problem=problem, status=409, known=known)
    except ZoneTicketLimitReached:
        problem = (
            "We know of several faults where you live and work on them. Is yours another? Please call us."
        )
        return _form(request, tenant, account, problem=problem, status=409)
    except DomainError as refusal:
        return _form(request, tenant, account, problem=str(refusal), status=refusal.status)
    return to(tenant, "portal-ticket", ticket_id=ticket.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@customers_page
def ticket(request: HttpRequest, tenant: Tenant, account: PortalAccount, ticket_id: UUID) -> HttpResponse:
    """Show the conversation, without what staff keep to themselves, and take an answer."""
    problem, status = "", 200
    if request.method == "POST":
        try:
            own.answer(
                customer_id=account.subscriber_id,
                ticket_id=ticket_id,
                text=request.POST.get("text", ""),
                at=timezone.now(),
                files=_uploads(request),
            )
            done = to(tenant, "portal-ticket", ticket_id=ticket_id)
            done["Location"] += "#answer"
            return done
        except own.NotYours:
            raise
        except DomainError as refusal:
            problem, status = str(refusal), refusal.status
    found = own.find_ticket(account.subscriber_id, ticket_id)
    context: dict[str, Any] = {
        "ticket": found,
        "state": STATUSES[TicketStatus(found.status)],
        "comments": own.public_comments(found),
        "is_closed": found.status == TicketStatus.CLOSED,
        "is_resolved": found.status == TicketStatus.RESOLVED,
        "problem": problem,
        "text": request.POST.get("text", "") if problem else "",
    }
    return show(request, "ticket", tenant, status=status, here="tickets", **context)


@require_safe
@customers_page
def attachment(
    request: HttpRequest, tenant: Tenant, account: PortalAccount, attachment_id: UUID
) -> HttpResponseBase:
    """Send a file of a comment the customer may read."""
    return download(own.find_attachment(account.subscriber_id, attachment_id).file)


def _form(
    request: HttpRequest,
    tenant: Tenant,
    account: PortalAccount,
    *,
    problem: str = "",
    status: int = 200,
    known: Any = None,
) -> HttpResponse:
    subjects = Subject.objects.filter(is_active=True).order_by("position", "name")[:MOST_SUBJECTS]
    given = request.POST or request.GET
    context = {
        "subjects": subjects,
        "lines": own.lines_of(account.subscriber_id)[:MOST_LINES],
        "problem": problem,
        "known": reverse("portal-ticket", args=[tenant.slug, known.pk]) if known else "",
        "given": {name: given.get(name, "") for name in ("subject", "service", "text")},
    }
    return show(request, "new_ticket", tenant, status=status, here="tickets", **context)


def _uploads(request: HttpRequest) -> list[Upload]:
    return [Upload(each.name or "", each.chunks()) for each in request.FILES.getlist("files") if each.size]
