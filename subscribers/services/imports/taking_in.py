"""Deciding what becomes of rows, and doing it, a batch at a time and in a fixed number of statements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from subscribers import normal
from subscribers.models import (
    DuplicateRule,
    OnDuplicate,
    Premise,
    ServiceStatus,
    Subscriber,
    SubscriberStatus,
    Subscription,
)
from subscribers.services import bulk, customers, duplicates, lines
from subscribers.services.imports import fields
from subscribers.services.imports.references import References
from subscribers.services.imports.rows import PREMISE_PARTS, Problem, Row, start_of_day

CREATED, UPDATED, SKIPPED, BAD = "created", "updated", "skipped", "bad"
CURRENT = (
    ServiceStatus.DRAFT,
    ServiceStatus.PENDING_INSTALLATION,
    ServiceStatus.ACTIVE,
    ServiceStatus.SUSPENDED,
)
# What is compared -> the field a person knows it by.
FIELD_OF = {
    "external_id": "external_id",
    "document_normal": "document_number",
    "email_lower": "email",
    "phone_e164": "phone",
}
assert set(FIELD_OF) == {"external_id", *(column for column, _ in duplicates.RULES.values())}
assert set(duplicates.RULES) == set(DuplicateRule)


@dataclass
class Decision:
    """What becomes of one row; `subscriber` is the new or changed record."""

    row: Row
    outcome: str = ""
    subscriber: Subscriber | None = None
    changed: set[str] = field(default_factory=set)
    line: Subscription | None = None
    orders: bool = False
    premise: Premise | None = None
    line_changes: dict[str, Any] = field(default_factory=dict)

    def refuse(self, field_key: str, message: str) -> None:
        self.row.refuse(field_key, message)
        self.outcome = BAD


class Claimant(NamedTuple):
    """What of a row is compared: a whole record would cost more than all the rest of a check."""

    external_id: str
    email_lower: str
    phone_e164: str
    document_normal: str
    status: str = SubscriberStatus.PROSPECT


Holders = dict[tuple[str, str], list[Subscriber]]


class Batch:
    """Some rows that share no claim among themselves: later ones do not depend on earlier ones."""

    def __init__(
        self, rows: Sequence[Row], *, on_duplicate: str, references: References, user_id: UUID | None
    ) -> None:
        self.rows, self.on_duplicate, self.references = rows, on_duplicate, references
        self.user_id = user_id
        self.decisions = [Decision(row) for row in rows]

    def decide(self) -> list[Decision]:
        """Say what would become of each row, by what is stored now. Writes nothing."""
        good = [each for each in self.decisions if not each.row.problems]
        for each in self.decisions:
            each.outcome = BAD if each.row.problems else ""
        holders = self._holders([each.row for each in good])
        self._decide(good, holders, locked=None)
        return self.decisions

    def take_in(self) -> list[Decision]:
        """Do it, inside the caller's transaction.

        A row that the database refuses against all checks does not cost the others: they are then done one by
        one.
        """
        try:
            with transaction.atomic():
                self._take_in()
        except IntegrityError:
            if len(self.rows) == 1:
                self.decisions[0].refuse("", "It conflicts with what is stored. Import this row again.")
                return self.decisions
            self.decisions = [each for row in self.rows for each in self._alone(row).take_in()]
        return self.decisions

    def _alone(self, row: Row) -> "Batch":
        return Batch([row], on_duplicate=self.on_duplicate, references=self.references, user_id=self.user_id)

    def _take_in(self) -> None:
        good = [each for each in self.decisions if not each.row.problems]
        for each in self.decisions:
            each.outcome = BAD if each.row.problems else ""
        # Rows before claims, as everybody else locks them; what appears in between is left for another time.
        locked: set[UUID] = set()
        if self.on_duplicate == OnDuplicate.UPDATE:
            found = self._holders([each.row for each in good])
            keys = {holder.pk for some in found.values() for holder in some}
            rows = Subscriber.objects.filter(pk__in=keys).order_by("pk").select_for_update(of=("self",))
            locked = set(rows.values_list("pk", flat=True))
        duplicates.take_all_turns()
        self._decide(good, self._holders([each.row for each in good]), locked=locked)
        for each in good:
            self._build(each)
        created = [each.subscriber for each in good if each.outcome == CREATED and each.subscriber]
        bulk.create_subscribers(created)
        updated = [each for each in good if each.outcome == UPDATED and each.changed and each.subscriber]
        bulk.save_subscribers(
            [each.subscriber for each in updated if each.subscriber],
            fields={name for each in updated for name in each.changed},
        )
        new = [each for each in good if each.outcome in (CREATED, UPDATED) and each.line and each.premise]
        bulk.create_services(
            [each.line for each in new if each.line], [each.premise for each in new if each.premise]
        )
        for each in good:
            if each.outcome == UPDATED and each.line and each.line_changes:
                lines.update_service(subscription_id=each.line.pk, **each.line_changes)
        with connection.cursor() as cursor:
            # A plan for checking keys that was made while the tables were empty reads all of them for each key.
            cursor.execute("DISCARD PLANS")
            # Keys are checked now, while a row can still be left out.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")

    # --- Deciding

    def _decide(self, good: list[Decision], holders: Holders, *, locked: set[UUID] | None) -> None:
        for each in good:
            self._match(each, holders, locked)
        targets = [each for each in good if each.outcome == UPDATED and each.subscriber]
        known = self._lines_of([each.subscriber.pk for each in targets if each.subscriber])
        for each in good:
            if each.outcome == CREATED:
                self._make(each)
            elif each.outcome == UPDATED:
                self._change(each, known)

    def _holders(self, rows: Iterable[Row]) -> Holders:
        """Read who has what the rows claim: one query per rule."""
        wanted: dict[str, set[str]] = {}
        for row in rows:
            for column, value in claims_of(row, self.references):
                wanted.setdefault(column, set()).add(value)
        found: Holders = {}
        for column, values in wanted.items():
            for holder in duplicates.holders_of(column, list(values)).order_by("pk"):
                found.setdefault((column, getattr(holder, column)), []).append(holder)
        return found

    def _match(self, each: Decision, holders: Holders, locked: set[UUID] | None) -> None:
        held = [(claim, holders[claim]) for claim in claims_of(each.row, self.references) if claim in holders]
        if not held:
            each.outcome = CREATED
            return
        (column, _), (first, *_) = held[0]
        if self.on_duplicate == OnDuplicate.SKIP:
            each.outcome = SKIPPED
        elif self.on_duplicate == OnDuplicate.REFUSE:
            each.refuse(FIELD_OF[column], f"{first.number} has the same {said(column)}.")
        else:
            self._match_one(each, held, locked)

    def _match_one(
        self,
        each: Decision,
        held: list[tuple[tuple[str, str], list[Subscriber]]],
        locked: set[UUID] | None,
    ) -> None:
        """Find the one record a row updates: that with its external id, else that by all rules."""
        target = held[0][1][0]
        for (column, _), some in held:
            if target.pk not in {holder.pk for holder in some}:
                each.refuse(
                    FIELD_OF[column],
                    f"{some[0].number} has the same {said(column)}, but the row is of {target.number}.",
                )
                return
        given = each.row.values.get("external_id")
        if given and target.external_id and target.external_id != given:
            each.refuse(
                "external_id",
                f"{target.number} is the same by its {said(held[0][0][0])}, with another external ID.",
            )
        elif locked is not None and target.pk not in locked:
            each.refuse("", f"{target.number} is being changed by somebody else. Import this row again.")
        else:
            each.outcome, each.subscriber = UPDATED, target

    def _make(self, each: Decision) -> None:
        row = each.row
        if not row.values.get("full_name"):
            each.refuse("full_name", "A name is needed.")
            return
        for definition in self.references.definitions:
            if definition.is_required and row.custom.get(definition.key) is None:
                each.refuse(fields.CUSTOM + definition.key, f"{definition.label} is required.")
        if each.outcome != BAD:
            self._order(each, None)

    def _build(self, each: Decision) -> None:
        """Make the records a row asks for; only now, for a check makes none."""
        row = each.row
        if each.outcome == CREATED:
            status = SubscriberStatus.ACTIVE if row.service else SubscriberStatus.PROSPECT
            each.subscriber = bulk.new(
                Subscriber,
                **{"status": status, **row.values},
                metadata=row.metadata,
                custom_fields={key: value for key, value in row.custom.items() if value is not None},
            )
            customers.normalise(each.subscriber, self.references.settings, keep_phone=True)
            each.subscriber.phone_e164 = row.phone_e164
        if each.outcome in (CREATED, UPDATED) and each.orders and each.subscriber and row.service:
            each.premise = bulk.new(Premise, zone_id=row.service.get("zone"), **_place(row, each.subscriber))
            each.line = self._line(row.service, each.subscriber, each.premise)

    def _change(self, each: Decision, known: dict[UUID, list[Subscription]]) -> None:
        row, subscriber = each.row, each.subscriber
        assert subscriber is not None
        values = {name: value for name, value in row.values.items() if name != "status"}
        if row.metadata:
            values["metadata"] = {**subscriber.metadata, **row.metadata}
        if row.custom:
            given = {key: value for key, value in row.custom.items() if value is not None}
            values["custom_fields"] = {**subscriber.custom_fields, **given}
        names = {*values, *customers.NORMALISED, "document_type"}
        before = {name: getattr(subscriber, name) for name in names}
        for name, value in values.items():
            setattr(subscriber, name, value)
        customers.normalise(subscriber, self.references.settings, keep_phone="phone" not in values)
        each.changed = {name for name, value in before.items() if getattr(subscriber, name) != value}
        if row.service is not None:
            self._match_line(each, subscriber, known.get(subscriber.pk, []))
        if each.outcome == UPDATED and not (each.changed or each.orders or each.line_changes):
            each.outcome = SKIPPED  # All of it is there already.

    def _lines_of(self, keys: list[UUID]) -> dict[UUID, list[Subscription]]:
        found: dict[UUID, list[Subscription]] = {}
        rows = Subscription.objects.filter(subscriber__in=keys, status__in=CURRENT) if keys else []
        for line in rows:
            found.setdefault(line.subscriber_id, []).append(line)
        return found

    def _match_line(self, each: Decision, subscriber: Subscriber, known: list[Subscription]) -> None:
        """Find the line a row speaks of: that with its ISP reference, else that with its plan; or order one."""
        service = each.row.service
        assert service is not None
        reference, plan = service.get("isp_reference", ""), service["plan"]
        same = [line for line in known if reference and line.isp_reference == reference]
        if not same:
            same = [
                line for line in known
                if line.plan_id == plan.pk and (not reference or not line.isp_reference)
            ]  # fmt: skip
        if not same:
            self._order(each, subscriber)
            return
        line = same[0]
        if line.plan_id != plan.pk:
            each.refuse("plan", f"Service {line.number} has another plan. Change it in the service's page.")
            return
        each.line = line
        for name in ("isp_reference", "wifi_name"):
            if name in service and getattr(line, name) != service[name]:
                each.line_changes[name] = service[name]
        if "wifi_password" in service and not line.wifi_password.matches(service["wifi_password"]):
            each.line_changes["wifi_password"] = service["wifi_password"]

    def _order(self, each: Decision, subscriber: Subscriber | None) -> None:
        """See whether the row's service can be ordered for a customer, or for a new one."""
        service = each.row.service
        if service is None:
            return
        running = service.get("service_status") == ServiceStatus.ACTIVE
        if subscriber is not None and subscriber.status == SubscriberStatus.INACTIVE:
            each.refuse("plan", f"{subscriber.number} is inactive; activate the subscriber first.")
        elif subscriber is not None and subscriber.status == SubscriberStatus.SUSPENDED and running:
            each.refuse("service_status", f"{subscriber.number} is suspended: no new service can be active.")
        elif not _place(each.row, subscriber).get("address_line1"):
            each.refuse(
                "premise_line1", "A service needs an address: the subscriber's, or one of its premise."
            )
        elif not running and not self.references.is_sold(service["plan"], service.get("zone")):
            each.refuse("plan", f"The plan {service['plan'].code} is not sold today at this premise.")
        elif not running and "provisioned_on" in service:
            each.refuse("provisioned_on", "Only an active service is in operation since a day.")
        else:
            each.orders = True

    def _line(self, service: dict[str, Any], subscriber: Subscriber, premise: Premise) -> Subscription:
        status = service.get("service_status", ServiceStatus.PENDING_INSTALLATION)
        since: date | None = service.get("provisioned_on")
        running = status == ServiceStatus.ACTIVE
        return bulk.new(
            Subscription,
            subscriber_id=subscriber.pk,
            plan_id=service["plan"].pk,
            premise_id=premise.pk,
            status=status,
            provisioned_at=(start_of_day(since, self.references) if since else self.references.now)
            if running
            else None,
            created_by_id=self.user_id,
            **{
                name: service.get(name, "")
                for name in ("isp_reference", "sales_agent", "wifi_name", "wifi_password")
            },
        )


def apart(rows: Iterable[Row], references: References) -> Iterable[list[Row]]:
    """Cut rows, in order, into runs in which no two claim the same: each run sees what the one before did."""
    run: list[Row] = []
    taken: set[tuple[str, str]] = set()
    for row in rows:
        claims = set() if row.problems else set(claims_of(row, references))
        if not taken.isdisjoint(claims):
            yield run
            run, taken = [], set()
        run.append(row)
        taken |= claims
    if run:
        yield run


def claims_of(row: Row, references: References) -> list[tuple[str, str]]:
    """Return what the row's customer would claim; worked out once per row."""
    if row.claims is None:
        claimant = Claimant(
            external_id=row.values.get("external_id", ""),
            email_lower=normal.email_lower(row.values.get("email", "")),
            phone_e164=row.phone_e164,
            document_normal=normal.document_normal(row.values.get("document_number", "")),
        )
        row.claims = duplicates.claims_of(claimant, references.settings, FIELD_OF)
    return row.claims


def said(column: str) -> str:
    """Name what is compared inside a sentence."""
    label = fields.label_of(FIELD_OF[column])
    return label if label.startswith("External") else label.lower()


def problems_in_words(problems: Sequence[Problem]) -> tuple[str, str]:
    """Return the field of the first problem, and all of them in one text."""
    texts = [
        f"{fields.label_of(each.field)}: {each.message}" if each.field else each.message for each in problems
    ]
    return problems[0].field[:60], " ".join(texts)[:300]


_ADDRESS = [f"address_{part}" if part.startswith("line") else part for part in PREMISE_PARTS]


def _place(row: Row, subscriber: Subscriber | None) -> dict[str, Any]:
    """Return the premise's address: the row's own, or that of the subscriber, who may be a new one."""
    if row.premise:
        return row.premise
    if subscriber is None:
        return {name: row.values.get(name, "") for name in _ADDRESS}
    return {name: getattr(subscriber, name) for name in _ADDRESS}
