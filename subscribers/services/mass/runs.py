"""Telling what a change would do to many rows, and doing it: at once for some, as a job for many."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import OperationalError, transaction
from django.db.models import Case, Count, DateField, F, QuerySet, When, Window
from django.db.models.functions import Coalesce, RowNumber, TruncDate

from ispcore.errors import DomainError
from ispcore.files import services as files
from ispcore.files import tabular
from ispcore.files.models import FileChunk, StoredFile
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant
from subscribers.models import BillingProfile, Cycle, Plan, Subscriber, Subscription
from subscribers.services import plan_changes
from subscribers.services.mass.changes import Asked, Change, Effect, Moment, change_named
from subscribers.services.periods import local_date

MOST = 20_000
MOST_AT_ONCE = 200  # Rows done while a person waits: about a second of work.
BATCH = 100
SHOWN = 5  # Rows named for each outcome.
LISTED_REFUSALS = 100  # Kept in the job's result; all of them are in its file.
DEADLOCK = "40P01"  # PostgreSQL, appendix A, "deadlock_detected".
TRIES = 3
MODELS = {"subscribers": Subscriber, "services": Subscription}
KINDS = {model: of for of, model in MODELS.items()}
REFUSED = "refused"  # What a row's service refused although its state looked right.

_GRAMMAR: tuple[dict[str, str], dict[str, str]] = (
    {
        "are": "is",
        "were": "was",
        "have": "has",
        "stay": "stays",
        "they": "it is",
        "they_were": "it was",
        "customers": "a customer",
    },
    {
        "are": "are",
        "were": "were",
        "have": "have",
        "stay": "stay",
        "they": "they are",
        "customers": "customers",
    },
)


class TooMany(DomainError):
    code = "too_many_records"
    message = "{count} are more than the {most} that can be changed together; narrow the list."
    status = 422


class NothingChosen(DomainError):
    code = "nothing_chosen"
    message = "None of these exists any more; choose again."
    status = 422


class ChoiceGone(DomainError):
    code = "choice_gone"
    message = "Which records were chosen was kept for seven days and is gone; choose them again."


class EndsInThePast(DomainError):
    code = "ends_in_the_past"
    message = "The time until which this was to last has passed by now."
    field = "until"


@dataclass(frozen=True)
class Group:
    """The rows that share an outcome: how many, said in words, and the first of them."""

    outcome: str
    effect: Effect
    count: int
    words: str
    first: Sequence[Any] = ()


@dataclass(frozen=True)
class Money:
    """What a change of plan costs all its lines together until their periods end, before tax."""

    currency: str
    credit: Decimal
    charge: Decimal
    net: Decimal


@dataclass(frozen=True)
class Forecast:
    total: int
    groups: Sequence[Group]
    money: Sequence[Money] = ()

    @property
    def changed(self) -> int:
        return sum(group.count for group in self.groups if group.effect is Effect.CHANGED)


@dataclass(frozen=True)
class Refusal:
    id: str
    number: str
    name: str
    reason: str


@dataclass
class Tally:
    """What became of the rows: counts by outcome, and each refusal with its reason."""

    counts: Counter[str] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)

    def groups(self, change: Change) -> list[Group]:
        return told(change, self.counts)


def forecast(*, change: Change, rows: QuerySet[Any], asked: Asked) -> Forecast:
    """Tell what the change would do to these rows, in a fixed number of queries. Changes nothing.

    Raises TooMany, and PlanUnknown for a plan that is none.
    """
    total = rows.order_by().count()
    if total > MOST:
        raise TooMany(count=total, most=MOST)
    found = change.sort(change.model._default_manager.filter(pk__in=rows.order_by().values("pk")), asked)
    counts = dict(found.order_by().values_list("ending").annotate(Count("pk")))
    place = Window(RowNumber(), partition_by=F("ending"), order_by=F("pk").asc())
    shown = _named(found).annotate(place=place).filter(place__lte=SHOWN).order_by("pk")
    first: dict[str, list[Any]] = {}
    for row in shown:
        first.setdefault(row.ending, []).append(row)
    money: Sequence[Money] = ()
    if change.name == "change_plan" and counts.get("changed"):
        money = _money(found.filter(ending="changed"), asked)
    return Forecast(total=total, groups=told(change, counts, first), money=money)


def told(change: Change, counts: Mapping[str, int], first: Mapping[str, Any] | None = None) -> list[Group]:
    """Put counts into words, in the change's order: as a forecast with `first` rows, else as what was done."""
    groups = []
    for name, ending in change.endings.items():
        if count := counts.get(name, 0):
            words = (ending.did if first is None else ending.will).format(**_GRAMMAR[count != 1])
            groups.append(Group(name, ending.effect, count, words, (first or {}).get(name, ())))
    if count := counts.get(REFUSED, 0):
        words = "refused for a reason of {its}".format(its="its own" if count == 1 else "their own")
        groups.append(Group(REFUSED, Effect.REFUSED, count, words))
    if count := counts.get("gone", 0):
        groups.append(Group("gone", Effect.REFUSED, count, "not found"))
    return groups


def apply_now(
    *, change: Change, keys: Iterable[UUID], asked: Asked, at: datetime, user_id: UUID | None = None
) -> Tally:
    """Do it to at most `MOST_AT_ONCE` rows in the caller's transaction. Safe to repeat: by each row's state.

    A row that its service refuses is counted and named; the others are done. Raises TooMany.
    """
    chosen = sorted(set(keys))
    if len(chosen) > MOST_AT_ONCE:
        raise TooMany(count=len(chosen), most=MOST_AT_ONCE)
    with transaction.atomic():
        return _apply(change, chosen, asked, Moment(at=at, on=local_date(at), user_id=user_id))


def request_change(
    *, change: Change, keys: Iterable[UUID], asked: Asked, label: str, user_id: UUID | None = None
) -> Job:
    """Start a job that does it to at most `MOST` rows; the keys are kept as a file.

    Raises TooMany, NothingChosen, and PlanUnknown for a plan that is none.
    """
    chosen = sorted(set(keys))
    if len(chosen) > MOST:
        raise TooMany(count=len(chosen), most=MOST)
    if not chosen:
        raise NothingChosen
    change.sort(change.model._default_manager.none(), asked)  # Refuses now what would end the job.
    of = KINDS[change.model]  # type: ignore[index]
    with files.write_file(
        name=f"chosen {of}.csv", media_type=tabular.CSV_TYPE, app_label="subscribers", user_id=user_id
    ) as (file, stream):
        stream.write("".join(f"{key}\n" for key in ("id", *chosen)).encode())
    params = {"of": of, "change": change.name, "asked": dict(asked), "file_id": str(file.pk)}
    return jobs.enqueue(kind="subscribers.apply_to_many", params=params, label=label, user_id=user_id)


def apply_to_many(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Do a requested change batch by batch, each in one transaction that also notes how far it came.

    A worker that takes over goes on after the last batch, so that each row is done and counted once.
    """
    asked = run.params["asked"]
    change = change_named(run.params["change"], MODELS[run.params["of"]])
    with run.tenant():
        keys = _read_keys(run.params["file_id"])
        moment = Moment(at=at, on=local_date(at), user_id=run.user_id)
    done, tries = 0, 0
    while done < len(keys):
        try:
            with run.tenant():
                run.hold()
                done = _next_batch(run, change, keys, asked, moment)
        except OperationalError as error:
            # Somebody held the same rows in another order: nothing of this batch was done.
            tries += 1
            if getattr(error.__cause__, "sqlstate", "") != DEADLOCK or tries == TRIES:
                raise
        else:
            tries = 0
        run.progress(done, len(keys), "Changing them one by one")
    with run.tenant():
        state = _state(run)
    return {
        "of": run.params["of"],
        "change": change.name,
        "total": len(keys),
        "counts": state["counts"],
        "refusals": state["refusals"],
        "refusals_file_id": _write_refusals(run, state, change),
    }


def _next_batch(run: jobs.Run, change: Change, keys: list[UUID], asked: Asked, moment: Moment) -> int:
    state = _state(run)
    done: int = state["done"]
    batch = keys[done : done + BATCH]
    if not batch:
        return done
    tally = _apply(change, batch, asked, moment)
    if tally.refusals:
        if state["pieces_id"] is None:
            # Never completed, so never shown: the file's rows, until all of them are known.
            pieces = StoredFile.objects.create(
                name="refusals", media_type="application/jsonl", app_label="subscribers"
            )
            state["pieces_id"] = str(pieces.pk)
        lines = "".join(json.dumps(list(asdict(each).values())) + "\n" for each in tally.refusals)
        FileChunk.objects.create(file_id=state["pieces_id"], index=done, content=lines.encode())
    room = LISTED_REFUSALS - len(state["refusals"])
    state["refusals"] += [asdict(each) for each in tally.refusals[: max(0, room)]]
    state["counts"] = dict(Counter(state["counts"]) + tally.counts)
    state["done"] = done + len(batch)
    job = Job.objects.get(pk=run.job_id)
    Job.objects.filter(pk=run.job_id).update(params={**job.params, "state": state})
    return int(state["done"])


def _state(run: jobs.Run) -> dict[str, Any]:
    begun: dict[str, Any] = {"done": 0, "counts": {}, "refusals": [], "pieces_id": None}
    params = Job.objects.values_list("params", flat=True).get(pk=run.job_id)
    return {**begun, **params.get("state", {})}


def _apply(change: Change, keys: Sequence[UUID], asked: Asked, moment: Moment) -> Tally:
    until = asked.get("until")
    if until and datetime.fromisoformat(until) <= moment.at:
        raise EndsInThePast
    found = change.model._default_manager.filter(pk__in=keys)
    endings = dict(change.sort(found, asked).order_by().values_list("pk", "ending"))
    tally, reasons = Tally(), {}
    for key in keys:
        name = endings.get(key, "gone")
        ending = change.endings.get(name)
        if ending is not None and ending.effect is Effect.CHANGED:
            try:
                with transaction.atomic():
                    change.apply(key, asked, moment)
            except DomainError as refusal:
                name, reasons[key] = REFUSED, str(refusal)
        elif ending is None:
            reasons[key] = "Not found."
        elif ending.effect is Effect.REFUSED:
            reasons[key] = ending.did.format(**_GRAMMAR[0]).capitalize() + "."
        tally.counts[name] += 1
    names = {row.pk: row for row in _named(found.filter(pk__in=list(reasons)))} if reasons else {}
    tally.refusals = [_refusal(key, names.get(key), reason) for key, reason in reasons.items()]
    return tally


def _named(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.select_related("subscriber") if rows.model is Subscription else rows


def _refusal(key: UUID, row: Any, reason: str) -> Refusal:
    if row is None:
        return Refusal(str(key), "", "", reason)
    name = row.subscriber.full_name if isinstance(row, Subscription) else row.full_name
    return Refusal(str(key), str(row.number), name, reason)


def _money(rows: QuerySet[Any], asked: Asked) -> list[Money]:
    """Sum the prorations: lines with the same plan, profile and, where it matters, first day cost the same."""
    on = date.fromisoformat(asked["effective_on"])
    new = Plan.objects.get(pk=asked["to_plan_id"])
    zone = ZoneInfo(Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant_id()))
    began = TruncDate(Coalesce("provisioned_at", "created_at"), tzinfo=zone)
    kinds = list(
        rows.filter(provisioned_at__isnull=False)
        .order_by()
        .annotate(
            began_on=Case(
                When(subscriber__billing_profile__cycle=Cycle.ANNIVERSARY, then=began),
                default=None,
                output_field=DateField(),
            )
        )
        .values_list("plan_id", "subscriber__billing_profile_id", "began_on")
        .annotate(Count("pk"))
    )
    plans = Plan.objects.in_bulk({kind[0] for kind in kinds})
    profiles = BillingProfile.objects.in_bulk({kind[1] for kind in kinds if kind[1]})
    credit = charge = Decimal(0)
    for plan_id, profile_id, began_on, count in kinds:
        each = plan_changes.prorate(
            old=plans[plan_id],
            new=new,
            profile=profiles.get(profile_id),
            began_on=began_on or on,
            is_billed=True,
            on=on,
        )
        credit += each.credit * count
        charge += each.charge * count
    cents = Decimal("0.01")
    return [
        Money(new.currency, credit.quantize(cents), charge.quantize(cents), (charge - credit).quantize(cents))
    ]


def _read_keys(file_id: str) -> list[UUID]:
    file = StoredFile.objects.filter(pk=file_id).first()
    if file is None:
        raise ChoiceGone
    with files.open_file(file) as stream:
        rows = csv.reader(io.StringIO(stream.read().decode()))
        next(rows)
        return [UUID(row[0]) for row in rows]


def _write_refusals(run: jobs.Run, state: Mapping[str, Any], change: Change) -> str | None:
    if state["pieces_id"] is None:
        return None
    with (
        files.write_file(
            name=f"not done - {change.label.lower()}.csv",
            media_type=tabular.CSV_TYPE,
            app_label="subscribers",
            user_id=run.user_id,
            scope=run.tenant,
        ) as (file, stream),
        tabular.csv_writer(stream) as write_row,
    ):
        write_row(("ID", "Number", "Name", "Reason"))
        for row in _pieces(run, state["pieces_id"]):
            write_row(row)
    return str(file.pk)


def _pieces(run: jobs.Run, file_id: str) -> Iterator[list[str]]:
    after = -1
    while True:
        with run.tenant():
            chunk = FileChunk.objects.filter(file=file_id, index__gt=after).order_by("index").first()
        if chunk is None:
            return
        after = chunk.index
        for line in bytes(chunk.content).decode().splitlines():
            yield json.loads(line)
