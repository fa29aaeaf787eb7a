"""One change to many rows of a list: what it would do, by outcome, and then the doing, at once or as a job."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from ispcore.admin import links, results
from ispcore.admin.actions import ActionForm, Outcome, Preview, action
from ispcore.admin.formats import money
from ispcore.jobs.models import Job
from subscribers.models import Plan, Subscription
from subscribers.services import mass
from subscribers.services.mass.runs import MODELS, told

TONES = {mass.Effect.CHANGED: "good", mass.Effect.ALREADY: "plain", mass.Effect.REFUSED: "warning"}


def plain(data: dict[str, Any] | None) -> dict[str, Any]:
    """Turn a form's answers into what a change is asked with."""
    asked = dict(data or {})
    if isinstance(plan := asked.pop("to_plan", None), Plan):
        asked["to_plan_id"] = str(plan.pk)
    for name in ("until", "effective_on"):
        if asked.get(name):
            asked[name] = asked[name].isoformat()
    return asked


def many(
    name: str,
    *,
    description: str,
    confirm: str,
    button: str,
    danger: bool = False,
    form: type[ActionForm] | None = None,
    preview_on: Sequence[str] = (),
    first: Callable[[QuerySet], dict[str, Any]] | None = None,
) -> Callable[..., Any]:
    """Make a list action of the change called `name`; `first` gives the answers its form begins with."""

    def preview(
        admin: Any, request: HttpRequest, queryset: QuerySet, data: dict[str, Any] | None
    ) -> Preview | None:
        if data is None and preview_on and first is None:
            return None
        asked = plain(data) if data is not None or first is None else first(queryset)
        return shown(mass.forecast(change=mass.change_named(name, admin.model), rows=queryset, asked=asked))

    @action(
        description=description,
        permissions=["change"],
        confirm=confirm,
        button=button,
        danger=danger,
        form=form,
        preview=preview,
        preview_on=preview_on,
    )
    def run(
        admin: Any, request: HttpRequest, queryset: QuerySet, data: dict[str, Any] | None = None
    ) -> HttpResponse | None:
        return start(admin, request, queryset, mass.change_named(name, admin.model), plain(data))

    return run


def shown(forecast: mass.Forecast) -> Preview:
    """Put a forecast on a page."""
    return Preview(
        outcomes=[
            Outcome(
                count=group.count,
                words=group.words,
                tone=TONES[group.effect],
                rows=[_name(row) for row in group.first],
            )
            for group in forecast.groups
        ],
        facts=[
            fact
            for each in forecast.money
            for fact in (
                ("Credit, all together", money(each.credit, each.currency)),
                ("Charge, all together", money(each.charge, each.currency)),
                ("Net, before tax", money(each.net, each.currency)),
            )
        ],
        note="For the rest of each line's billing period." if forecast.money else "",
        is_useful=forecast.changed > 0,
    )


def start(
    admin: Any, request: HttpRequest, queryset: QuerySet, change: mass.Change, asked: dict[str, Any]
) -> HttpResponse | None:
    """Do it now when the rows are few, and tell what became of them; else start a job and lead to it."""
    keys = list(queryset.order_by().values_list("pk", flat=True)[: mass.MOST + 1])
    if len(keys) > mass.MOST:
        raise mass.TooMany(count=queryset.count(), most=mass.MOST)
    if len(keys) > mass.MOST_AT_ONCE:
        label = f"{change.label} {len(keys)} {admin.opts.verbose_name_plural}"
        job = mass.request_change(change=change, keys=keys, asked=asked, label=label, user_id=request.user.pk)
        return redirect("admin:jobs_job_change", job.pk)
    tally = mass.apply_now(change=change, keys=keys, asked=asked, at=timezone.now(), user_id=request.user.pk)
    groups = tally.groups(change)
    said = ", ".join(f"{group.count} {group.words}" for group in groups)
    is_done = any(group.effect is mass.Effect.CHANGED for group in groups)
    (messages.success if is_done else messages.warning)(request, f"{said or 'Nothing was chosen'}.")
    for refusal in (each for each in tally.refusals if _is_of_its_own(change, each)):
        messages.error(request, f"{refusal.name or refusal.id}: {refusal.reason}")
    return None


def _is_of_its_own(change: mass.Change, refusal: mass.Refusal) -> bool:
    known = {told(change, {name: 1})[0].words.capitalize() + "." for name in change.endings}
    return refusal.reason not in known


def _name(row: Any) -> str:
    return f"{row} ({row.subscriber.full_name})" if isinstance(row, Subscription) else row.full_name


def result(job: Job) -> str:
    """Show what became of each row of a job: counts by outcome, and the refusals with their reasons."""
    found = job.result or {}
    change = mass.change_named(found["change"], MODELS[found["of"]])
    groups = format_html_join(
        "",
        '<li class="isp-outcome isp-{}"><span><strong>{}</strong> {}</span></li>',
        ((TONES[group.effect], group.count, group.words) for group in told(change, found["counts"])),
    )
    counts = format_html('<ul class="isp-outcomes">{}</ul>', groups)
    if not found["refusals"]:
        return counts
    kind = "subscriber" if found["of"] == "subscribers" else "subscription"
    rows = format_html_join(
        "",
        '<tr><td data-label="Who">{}</td><td data-label="Why not">{}</td></tr>',
        (
            (links.link(links.url_of(kind, each["id"]), f"{each['name']} ({each['number']})"), each["reason"])
            if each["name"]
            else (each["id"], each["reason"])
            for each in found["refusals"]
        ),
    )
    table = format_html(
        '<h3>Not done</h3><div class="isp-scroll"><table class="isp-table isp-cards">'
        "<thead><tr><th>Who</th><th>Why not</th></tr></thead><tbody>{}</tbody></table></div>",
        rows,
    )
    refused = sum(
        group.count for group in told(change, found["counts"]) if group.effect is mass.Effect.REFUSED
    )
    more = ""
    if refused > len(found["refusals"]):
        more = f"These are the first {len(found['refusals'])} of {refused}; the file has all of them."
    file_id = found["refusals_file_id"]
    url = reverse("admin:download_file", args=[file_id]) if file_id else ""
    button = format_html(
        '<p class="isp-buttons"><a class="isp-button" href="{}">Download all that were not done (CSV)</a></p>',
        url,
    )
    return format_html(
        '{}{}<p class="isp-muted isp-small">{}</p>{}', counts, table, more, button if url else ""
    )


results.add("subscribers.apply_to_many", result)
