"""What can be done to many rows, and what becomes of each: sorted by one query, done by the one row's service.

What a change is asked with (`asked`) is plain JSON, so that a job can keep it: `reason`, `until`, `note`,
`tags`, `to_plan_id`, `effective_on`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import (
    Case,
    CharField,
    Exists,
    F,
    Func,
    IntegerField,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.utils.dateparse import parse_datetime

from subscribers.models import (
    Hold,
    Plan,
    PlanChange,
    ServiceStatus,
    Subscriber,
    SubscriberStatus,
    Subscription,
)
from subscribers.services import catalogue, customers, holds, lines, plan_changes

MOST_TAGS = 20  # As the API's records have.

Asked = Mapping[str, Any]


class Effect(StrEnum):
    CHANGED = "changed"
    ALREADY = "already"
    REFUSED = "refused"


@dataclass(frozen=True)
class Ending:
    """What may become of a row. `will` and `did` follow a number: {are}, {have} and the like agree with it."""

    effect: Effect
    will: str
    did: str


@dataclass(frozen=True)
class Moment:
    """When, in whose name, and on which day where the provider is."""

    at: datetime
    on: date
    user_id: UUID | None


@dataclass(frozen=True)
class Change:
    """`sort` adds each row's `ending`, a key of `endings`; `apply` is called for those that are CHANGED."""

    name: str
    label: str
    model: type[Model]
    endings: Mapping[str, Ending]
    sort: Callable[[QuerySet[Any], Asked], QuerySet[Any]]
    apply: Callable[[UUID, Asked, Moment], object]


def changed(will: str, did: str) -> Ending:
    return Ending(Effect.CHANGED, will, did)


def already(words: str) -> Ending:
    return Ending(Effect.ALREADY, words, _past(words))


def refused(words: str) -> Ending:
    return Ending(Effect.REFUSED, words, _past(words))


def _past(words: str) -> str:
    for now, then in (
        ("{are}", "{were}"),
        ("{have}", "had"),
        ("{stay}", "stayed"),
        ("{they}", "{they_were}"),
    ):
        words = words.replace(now, then)
    return words


def change_named(name: str, model: type[Model]) -> Change:
    """Return the change of that name for customers or for lines."""
    return CHANGES[model][name]


def _cases(*cases: tuple[Q, str], otherwise: str) -> Case:
    whens = [When(condition, then=Value(ending)) for condition, ending in cases]
    return Case(*whens, default=Value(otherwise), output_field=CharField())


def _with_ending(rows: QuerySet[Any], *cases: tuple[Q, str], otherwise: str) -> QuerySet[Any]:
    sorted_rows: QuerySet[Any] = rows.annotate(ending=_cases(*cases, otherwise=otherwise))
    return sorted_rows


def _until(asked: Asked) -> datetime | None:
    return parse_datetime(asked["until"]) if asked.get("until") else None


# Customers


def _suspend_subscribers(rows: QuerySet[Any], asked: Asked) -> QuerySet[Any]:
    return _with_ending(
        rows,
        (Q(status=SubscriberStatus.ACTIVE), "suspended"),
        (Q(status=SubscriberStatus.SUSPENDED), "already"),
        (Q(status=SubscriberStatus.PROSPECT), "prospect"),
        otherwise="inactive",
    )


def _suspend_subscriber(key: UUID, asked: Asked, moment: Moment) -> object:
    return customers.suspend_subscriber(
        subscriber_id=key,
        at=moment.at,
        reason=asked["reason"],
        until=_until(asked),
        note=asked.get("note", ""),
        user_id=moment.user_id,
    )


def _activate_subscribers(rows: QuerySet[Any], asked: Asked) -> QuerySet[Any]:
    by_name = Hold.objects.filter(
        subscription__subscriber=OuterRef("pk"), released_at=None, reason__in=holds.DECIDED_BY_NAME
    )
    return _with_ending(
        rows.annotate(is_barred=Exists(by_name)),
        (Q(status=SubscriberStatus.ACTIVE), "already"),
        (Q(is_barred=True), "barred"),
        (Q(status=SubscriberStatus.SUSPENDED), "activated"),
        (Q(status=SubscriberStatus.PROSPECT), "prospect"),
        otherwise="returned",
    )


def _activate_subscriber(key: UUID, asked: Asked, moment: Moment) -> object:
    return customers.activate_subscriber(subscriber_id=key, at=moment.at, user_id=moment.user_id)


def _tags(asked: Asked) -> list[str]:
    return list(dict.fromkeys(tag.strip().lower() for tag in asked["tags"]))


def _add_tags_to(rows: QuerySet[Any], asked: Asked) -> QuerySet[Any]:
    tags = _tags(asked)
    total: Any = Func(F("tags"), function="cardinality", output_field=IntegerField())
    for tag in tags:
        total += Case(When(tags__contains=[tag], then=0), default=1, output_field=IntegerField())
    return _with_ending(
        rows.annotate(tag_total=total),
        (Q(tags__contains=tags), "already"),
        (Q(tag_total__gt=MOST_TAGS), "too_many"),
        otherwise="tagged",
    )


def _add_tags(key: UUID, asked: Asked, moment: Moment) -> object:
    kept = customers.lock_subscriber(key).tags
    return customers.update_subscriber(subscriber_id=key, tags=[*kept, *_tags(asked)])


def _remove_tags_from(rows: QuerySet[Any], asked: Asked) -> QuerySet[Any]:
    return _with_ending(rows, (Q(tags__overlap=_tags(asked)), "untagged"), otherwise="already")


def _remove_tags(key: UUID, asked: Asked, moment: Moment) -> object:
    gone = set(_tags(asked))
    kept = [tag for tag in customers.lock_subscriber(key).tags if tag not in gone]
    return customers.update_subscriber(subscriber_id=key, tags=kept)


# Lines

_NOT_RUNNING = {
    "waiting": refused("{are} not installed yet and {stay} as {they}"),
    "ended": refused("{have} ended and {stay} so"),
}
_WAITING = Q(status__in=(ServiceStatus.DRAFT, ServiceStatus.PENDING_INSTALLATION))


def _open_hold(**of: Any) -> Exists:
    return Exists(Hold.objects.filter(subscription=OuterRef("pk"), released_at=None, **of))


def _suspend_lines(rows: QuerySet[Any], asked: Asked) -> QuerySet[Any]:
    return _with_ending(
        rows.annotate(has_it=_open_hold(reason=asked["reason"])),
        (Q(status=ServiceStatus.ACTIVE), "suspended"),
        (Q(status=ServiceStatus.SUSPENDED, has_it=True), "already"),
        (Q(status=ServiceStatus.SUSPENDED), "held"),
        (_WAITING, "waiting"),
        otherwise="ended",
    )


def _suspend_line(key: UUID, asked: Asked, moment: Moment) -> object:
    return lines.open_hold(
        subscription_id=key,
        reason=asked["reason"],
        at=moment.at,
        until=_until(asked),
        note=asked.get("note", ""),
        user_id=moment.user_id,
    )


def _resume_lines(rows: QuerySet[Any], asked: Asked) -> QuerySet[Any]:
    others = Hold.objects.filter(subscription=OuterRef("pk"), released_at=None).exclude(
        reason=asked["reason"]
    )
    return _with_ending(
        rows.annotate(has_it=_open_hold(reason=asked["reason"]), has_other=Exists(others)),
        (Q(has_it=True, has_other=True), "still_held"),
        (Q(has_it=True), "resumed"),
        otherwise="already",
    )


def _resume_line(key: UUID, asked: Asked, moment: Moment) -> object:
    return lines.release_hold(
        subscription_id=key, reason=asked["reason"], at=moment.at, user_id=moment.user_id
    )


def _activate_lines(rows: QuerySet[Any], asked: Asked) -> QuerySet[Any]:
    return _with_ending(
        rows,
        (Q(status=ServiceStatus.PENDING_INSTALLATION), "activated"),
        (Q(status=ServiceStatus.ACTIVE), "already"),
        (Q(status=ServiceStatus.SUSPENDED), "on_hold"),
        (Q(status=ServiceStatus.DRAFT), "draft"),
        otherwise="ended",
    )


def _activate_line(key: UUID, asked: Asked, moment: Moment) -> object:
    return lines.activate_service(subscription_id=key, at=moment.at, user_id=moment.user_id)


def _change_plans(rows: QuerySet[Any], asked: Asked) -> QuerySet[Any]:
    plan = Plan.objects.filter(pk=asked["to_plan_id"]).first()
    if plan is None:
        raise lines.PlanUnknown
    on = date.fromisoformat(asked["effective_on"])
    is_sold = (plan.sold_from is None or plan.sold_from <= on) and (
        plan.sold_until is None or on < plan.sold_until
    )
    waiting = PlanChange.objects.filter(subscription=OuterRef("pk"), applied_at=None, cancelled_at=None)
    noted = waiting.filter(to_plan=plan, effective_on=on)
    zones = catalogue.zones_sold_in(plan_id=plan.pk)
    unsold = []
    if not is_sold:
        unsold = [(Q(pk__isnull=False), "unsold")]
    elif zones:
        unsold = [(Q(premise__zone=None) | ~Q(premise__zone__in=zones), "unsold")]
    return _with_ending(
        rows.annotate(has_noted=Exists(noted), has_waiting=Exists(waiting)),
        (Q(status__in=plan_changes.ENDED), "ended"),
        (Q(plan=plan), "already"),
        (Q(has_noted=True), "noted"),
        (Q(has_waiting=True), "waiting"),
        (~Q(plan__currency=plan.currency), "currency"),
        *unsold,
        otherwise="changed",
    )


def _change_plan(key: UUID, asked: Asked, moment: Moment) -> object:
    return plan_changes.change_plan(
        subscription_id=key,
        to_plan_id=UUID(asked["to_plan_id"]),
        effective_on=date.fromisoformat(asked["effective_on"]),
        on=moment.on,
        at=moment.at,
        user_id=moment.user_id,
    )


CHANGES: dict[type[Model], dict[str, Change]] = {
    Subscriber: {
        change.name: change
        for change in (
            Change(
                "suspend",
                "Suspend",
                Subscriber,
                {
                    "suspended": changed("will be suspended", "suspended"),
                    "already": already("{are} suspended already"),
                    "prospect": refused("{are} not {customers} yet and {stay} as {they}"),
                    "inactive": refused("{are} inactive and {stay} as {they}"),
                },
                _suspend_subscribers,
                _suspend_subscriber,
            ),
            Change(
                "activate",
                "Activate",
                Subscriber,
                {
                    "activated": changed("will come back from a suspension", "came back from a suspension"),
                    "prospect": changed("will become a customer", "became a customer"),
                    "returned": changed(
                        "will come back from being inactive", "came back from being inactive"
                    ),
                    "already": already("{are} active already"),
                    "barred": refused(
                        "{are} barred for abuse or fraud and {stay} so: activate such a customer alone"
                    ),
                },
                _activate_subscribers,
                _activate_subscriber,
            ),
            Change(
                "add_tags",
                "Add tags to",
                Subscriber,
                {
                    "tagged": changed("will be tagged", "tagged"),
                    "already": already("{have} the tags already"),
                    "too_many": refused(f"would have more than {MOST_TAGS} tags and {{stay}} as {{they}}"),
                },
                _add_tags_to,
                _add_tags,
            ),
            Change(
                "remove_tags",
                "Remove tags from",
                Subscriber,
                {
                    "untagged": changed("will lose the tags", "lost the tags"),
                    "already": already("{have} none of the tags"),
                },
                _remove_tags_from,
                _remove_tags,
            ),
        )
    },
    Subscription: {
        change.name: change
        for change in (
            Change(
                "suspend",
                "Suspend",
                Subscription,
                {
                    "suspended": changed("will be suspended", "suspended"),
                    "held": changed(
                        "{are} suspended for another reason and will have this one too",
                        "{were} suspended for another reason and {have} this one too",
                    ),
                    "already": already("{are} on hold for this reason already"),
                    **_NOT_RUNNING,
                },
                _suspend_lines,
                _suspend_line,
            ),
            Change(
                "resume",
                "Lift a hold of",
                Subscription,
                {
                    "resumed": changed("will run again", "{are} running again"),
                    "still_held": changed(
                        "will lose this hold and stay suspended for another reason",
                        "lost this hold and {stay} suspended for another reason",
                    ),
                    "already": already("{are} not on hold for this reason"),
                },
                _resume_lines,
                _resume_line,
            ),
            Change(
                "activate",
                "Activate",
                Subscription,
                {
                    "activated": changed("will be taken into operation", "taken into operation"),
                    "already": already("{are} active already"),
                    "on_hold": refused("{are} on hold and {stay} so: lift the hold instead"),
                    "draft": refused("{are} a draft and {stay} so"),
                    "ended": _NOT_RUNNING["ended"],
                },
                _activate_lines,
                _activate_line,
            ),
            Change(
                "change_plan",
                "Change the plan of",
                Subscription,
                {
                    "changed": changed(
                        "will change to this plan", "changed to this plan, or will on the day"
                    ),
                    "already": already("{have} this plan already"),
                    "noted": already("{have} this change noted already"),
                    "waiting": refused("{have} another change of plan waiting and {stay} as {they}"),
                    "currency": refused("{are} billed in another currency and {stay} as {they}"),
                    "unsold": refused("{are} where the plan is not sold on that day and {stay} as {they}"),
                    "ended": _NOT_RUNNING["ended"],
                },
                _change_plans,
                _change_plan,
            ),
        )
    },
}
