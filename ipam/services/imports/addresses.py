"""What becomes of rows of addresses: decided and taken in a batch at a time, in a fixed number of statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from ipam.models import Address, AddressState, PoolKind
from ipam.models.fields import BITS
from ipam.selectors import ENDED
from ipam.services import layout, ranges, space
from ipam.services.imports.book import Book, Place
from ipam.services.imports.entries import AddressEntry
from ispcore.events.services import publish_each
from ispcore.files.seen import SeenClaims
from ispcore.tenants.context import current_tenant_id
from subscribers.models import Subscription
from subscribers.normal import line_number

CREATED, UPDATED, SKIPPED, BAD = "created", "updated", "skipped", "bad"

# What somebody else was given meanwhile stays theirs: such a row is not returned.
TAKE_IN_SQL = """
INSERT INTO ipam_address AS held (
    id, tenant_id, created_at, updated_at, vrf_id, subnet_id, pool_id, address, state, subscription_id, assigned_to,
    reserved_for, hostname, note, assigned_at, changed_by_id
)
SELECT uuidv7(), %(tenant)s, %(at)s, %(at)s, vrf, subnet, pool, address, state, line, assigned_to, reserved_for,
       hostname, note, CASE state WHEN 'assigned' THEN %(at)s::timestamptz END, %(user)s
FROM unnest(
    %(vrf)s::uuid[], %(subnet)s::uuid[], %(pool)s::uuid[], %(address)s::inet[], %(state)s::text[], %(line)s::uuid[],
    %(assigned_to)s::text[], %(reserved_for)s::text[], %(hostname)s::text[], %(note)s::text[]
) AS given (vrf, subnet, pool, address, state, line, assigned_to, reserved_for, hostname, note)
ON CONFLICT (tenant_id, vrf_id, address) DO UPDATE SET
    state = excluded.state, subscription_id = excluded.subscription_id, assigned_to = excluded.assigned_to,
    reserved_for = excluded.reserved_for, hostname = excluded.hostname, note = excluded.note,
    assigned_at = CASE held.state WHEN 'assigned' THEN held.assigned_at ELSE excluded.assigned_at END,
    free_since = NULL, quarantined_until = NULL, updated_at = excluded.updated_at,
    changed_by_id = excluded.changed_by_id
WHERE held.state <> 'assigned'
      OR (held.subscription_id IS NOT DISTINCT FROM excluded.subscription_id
          AND held.assigned_to = excluded.assigned_to AND excluded.state = 'assigned')
RETURNING held.id, held.vrf_id, held.address, old.state
"""


@dataclass
class Row:
    """An entry with what its cells name."""

    entry: AddressEntry
    vrf_id: UUID | None = None
    subnet: Place | None = None
    pool_id: UUID | None = None
    line_id: UUID | None = None
    holder: str = ""
    hostname: str = ""
    note: str = ""

    @property
    def is_good(self) -> bool:
        return not self.entry.problem

    @property
    def claim(self) -> tuple[str, str]:
        return "address", f"{self.vrf_id} {self.entry.address}"


class Batch:
    """Some rows of addresses, judged by what is stored and by the rows before them."""

    def __init__(
        self,
        entries: Sequence[AddressEntry],
        *,
        book: Book,
        seen: SeenClaims,
        at: datetime,
        user_id: UUID | None,
    ) -> None:
        self.rows = [Row(entry) for entry in entries]
        self.book, self.seen, self.at, self.user_id = book, seen, at, user_id

    def decide(self) -> None:
        """Say what would become of each row. Writes nothing."""
        self._judge(locked=False)

    def take_in(self) -> None:
        """Do it, inside the caller's transaction.

        A row that the database refuses against all checks does not cost the others: they are then done one by one.
        """
        self._judge(locked=True)
        wanted = [row for row in self.rows if row.entry.outcome in (CREATED, UPDATED)]
        try:
            with transaction.atomic():
                self._write(wanted)
        except IntegrityError:
            for row in wanted:
                try:
                    with transaction.atomic():
                        self._write([row])
                except IntegrityError:
                    _refuse(
                        row, "address", "It conflicts with what was stored meanwhile. Import this row again."
                    )

    def _judge(self, *, locked: bool) -> None:
        for row in self.rows:
            self._place(row)
        if locked:  # As everybody locks: VRFs, then lines, then addresses.
            for vrf_id in sorted({row.vrf_id for row in self.rows if row.is_good and row.vrf_id}):
                space.lock_vrf(vrf_id)
        self._find_lines(locked=locked)
        stored = self._stored(locked=locked)
        holds = self._held_by_lines()
        around = self._prefixes_around()
        for row in self.rows:
            if row.is_good:
                self._compare(row, stored.get((row.vrf_id, row.entry.address)), holds, around)
            if row.is_good:
                self._claim(row)
            if not row.is_good:
                row.entry.outcome = BAD

    # --- Where a row belongs

    def _place(self, row: Row) -> None:
        entry = row.entry
        if not row.is_good:
            return
        row.vrf_id = self.book.vrf_of(entry.vrf)
        if row.vrf_id is None:
            named = entry.vrf.name or entry.vrf.rd
            entry.refuse("vrf", f"There is no VRF “{named[:60]}”." if named else "There is no default VRF.")
            return
        row.subnet = self.book.subnet_around(row.vrf_id, entry.address)
        if row.subnet is None:
            entry.refuse("address", f"{entry.address} lies in no subnet of its VRF. Add the subnet first.")
            return
        self._refuse_kept(row, row.subnet)
        if row.is_good:
            self._find_pool(row)

    def _refuse_kept(self, row: Row, subnet: Place) -> None:
        """Refuse what a subnet keeps for itself; a prefix may begin where its subnet does."""
        entry, is_prefix = row.entry, "/" in row.entry.address
        if entry.address == subnet.network and is_prefix:
            entry.refuse("address", f"{entry.address} is a subnet: give an address, or a prefix within one.")
            return
        span = ranges.span_of(entry.address)
        for name, kept in ranges.never_handed_out(subnet.network, subnet.gateway).items():
            if span.first <= kept.first <= span.last and (not is_prefix or name == "gateway"):
                entry.refuse(
                    "address", f"{entry.address} is never handed out: the {name} of {subnet.network}."
                )

    def _find_pool(self, row: Row) -> None:
        entry, vrf_id = row.entry, row.vrf_id
        assert vrf_id is not None
        part = self.book.range_around(vrf_id, entry.address)
        pool = part.pool if part else None
        if entry.pool and (pool is None or pool.name != entry.pool):
            known = entry.pool in self.book.pools
            entry.refuse(
                "pool",
                f"{entry.address} lies outside the ranges of {entry.pool[:60]}."
                if known
                else f"There is no pool “{entry.pool[:60]}”.",
            )
        elif part and pool and ranges.length_of(entry.address) != pool.prefix_length:
            what = f"/{pool.prefix_length} prefixes" if pool.kind == PoolKind.PREFIX else "single addresses"
            entry.refuse("address", f"{entry.address} lies in the pool {pool.name}, which hands out {what}.")
        elif part and pool and not part.keeps_back(ranges.span_of(entry.address)):
            row.pool_id = pool.pk
        elif pool is None and "/" in entry.address and self.book.has_subnets_within(vrf_id, entry.address):
            entry.refuse("address", f"A subnet lies in {entry.address}.")

    # --- Who holds it

    def _find_lines(self, *, locked: bool) -> None:
        wanted = {row.entry.service for row in self.rows if row.is_good and row.entry.service}
        if not wanted:
            return
        numbers = [number for text in wanted if (number := line_number(text)) is not None]
        lines = Subscription.objects.filter(Q(number__in=numbers) | Q(isp_reference__in=wanted)).order_by(
            "pk"
        )
        if locked:
            lines = lines.select_for_update(of=("self",), no_key=True)
        by_name: dict[str, list[Subscription]] = {}
        for line in lines:
            for name in {str(line.number), line.isp_reference}:
                by_name.setdefault(name, []).append(line)
        for row in self.rows:
            if row.is_good and row.entry.service:
                self._set_line(row, by_name.get(row.entry.service, []))

    def _set_line(self, row: Row, found: list[Subscription]) -> None:
        named = row.entry.service
        found = [line for line in found if str(line.number) == named] or found
        if not found:
            row.entry.refuse(
                "service", f"There is no service with the number or ISP reference {named[:60]!r}."
            )
        elif len(found) > 1:
            numbers = ", ".join(str(line.number) for line in found[:5])
            row.entry.refuse(
                "service", f"Several services have this reference; give a number, one of: {numbers}."
            )
        elif found[0].status in ENDED:
            row.entry.refuse("service", f"Service {named} is {found[0].get_status_display().lower()}.")
        else:
            row.line_id = found[0].pk
            row.holder = f"service {found[0].number}"

    # --- What is stored already

    def _stored(self, *, locked: bool) -> dict[tuple[UUID | None, str], Address]:
        good = [row for row in self.rows if row.is_good]
        rows = Address.objects.filter(
            vrf_id__in={row.vrf_id for row in good}, address__in={row.entry.address for row in good}
        ).select_related("subscription")
        if locked:
            rows = rows.order_by("pk").select_for_update(of=("self",))
        return {(each.vrf_id, each.address): each for each in rows}

    def _held_by_lines(self) -> dict[tuple[UUID, UUID | None], str]:
        """Which address each line has of each pool: it has one of each."""
        lines = {row.line_id for row in self.rows if row.is_good and row.line_id and row.pool_id}
        held = Address.objects.filter(subscription_id__in=lines, pool__isnull=False) if lines else []
        return {(each.subscription_id, each.pool_id): each.address for each in held}

    def _prefixes_around(self) -> dict[tuple[UUID, str], str]:
        """Which stored prefixes lie around, or addresses within, the rows that no pool's range orders."""
        loose = [row for row in self.rows if row.is_good and row.pool_id is None and row.subnet]
        candidates: dict[str, list[Row]] = {}
        for row in loose:
            assert row.subnet is not None
            for network in ranges.containers_of(row.entry.address)[
                ranges.length_of(row.subnet.network) + 1 :
            ]:
                if ranges.length_of(network) < ranges.length_of(row.entry.address):
                    candidates.setdefault(network, []).append(row)
        vrfs = {row.vrf_id for row in loose}
        found: dict[tuple[UUID, str], str] = {}
        around = Address.objects.filter(vrf_id__in=vrfs, address__in=list(candidates)) if candidates else []
        for each in around:
            for row in candidates[each.address]:
                found[each.vrf_id, row.entry.address] = each.address
        for row in loose:
            if ranges.length_of(row.entry.address) < BITS[ranges.family_of(row.entry.address)] and row.vrf_id:
                inside = layout.within(
                    Address.objects.filter(vrf_id=row.vrf_id),
                    ranges.span_of(row.entry.address),
                    ranges.family_of(row.entry.address),
                ).exclude(address=row.entry.address)
                if (other := inside.first()) is not None:
                    found[row.vrf_id, row.entry.address] = other.address
        return found

    def _compare(
        self, row: Row, stored: Address | None, holds: dict[Any, str], around: dict[tuple[UUID, str], str]
    ) -> None:
        entry = row.entry
        other = around.get((row.vrf_id, entry.address)) if row.vrf_id else None
        if other:
            entry.refuse("address", f"{other} stands in the way: an address has one holder.")
            return
        has = holds.get((row.line_id, row.pool_id)) if row.pool_id else None
        if has and has != entry.address:
            entry.refuse("service", f"The {row.holder} already holds {has} of this pool. Release it first.")
            return
        row.hostname = entry.hostname or (stored.hostname if stored else "")
        row.note = entry.note or (stored.note if stored else "")
        if stored is None or stored.state == AddressState.FREE:
            entry.outcome = SKIPPED if entry.state == AddressState.FREE else CREATED
        elif stored.state == AddressState.QUARANTINED:
            self._compare_resting(row, stored)
        else:
            _compare_held(row, stored)

    def _compare_resting(self, row: Row, stored: Address) -> None:
        assert stored.quarantined_until is not None
        if row.entry.state == AddressState.FREE:
            row.entry.outcome = SKIPPED
        elif stored.quarantined_until > self.at:
            until = f"{stored.quarantined_until:%Y-%m-%d %H:%M}"
            row.entry.refuse("address", f"{stored.address} rests after its last holder until {until} UTC.")
        else:
            row.entry.outcome = CREATED

    def _claim(self, row: Row) -> None:
        """Compare with the rows before: an address stands in a file once, and so does a line in a pool."""
        claims = [row.claim]
        if row.line_id and row.pool_id:
            claims.append(("line", f"{row.line_id} {row.pool_id}"))
        found = self.seen.first_of(claims)
        if found is None:
            self.seen.add(claims, row.entry.number)
        elif found[0] == "address":
            row.entry.refuse("address", f"Row {found[1]} of this file has the same address.")
        else:
            row.entry.refuse(
                "service", f"Row {found[1]} of this file gives the service another of this pool."
            )

    # --- Writing

    def _write(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        # In the order in which pools make their rows: of two who meet, none waits for the other in turn.
        rows = sorted(rows, key=lambda row: ranges.number_of(row.entry.address))
        given: dict[str, list[Any]] = {
            "vrf": [row.vrf_id for row in rows],
            "subnet": [row.subnet.pk if row.subnet else None for row in rows],
            "pool": [row.pool_id for row in rows],
            "address": [row.entry.address for row in rows],
            "state": [str(row.entry.state) for row in rows],
            "line": [row.line_id for row in rows],
            "assigned_to": [row.entry.assigned_to for row in rows],
            "reserved_for": [row.entry.reserved_for for row in rows],
            "hostname": [row.hostname for row in rows],
            "note": [row.note for row in rows],
        }
        with connection.cursor() as cursor:
            cursor.execute(
                TAKE_IN_SQL,
                {**given, "tenant": current_tenant_id(), "at": self.at, "user": self.user_id},
            )
            written = {(vrf, str(address)): (key, was) for key, vrf, address, was in cursor.fetchall()}
            # Keys are checked now, while a row can still be left out.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        told = []
        for row in rows:
            answer = written.get((row.vrf_id, row.entry.address))
            if answer is None:
                _refuse(row, "address", "Somebody else was given it meanwhile.")
                continue
            key, was = answer
            if row.entry.state == AddressState.ASSIGNED and was != AddressState.ASSIGNED:
                told.append({"address_id": str(key), "subscription_id": str(row.line_id or "")})
        publish_each("ipam.address_assigned", told)


def _compare_held(row: Row, stored: Address) -> None:
    """Compare with an address that somebody holds, or that is kept back. Nothing is taken from anybody."""
    entry = row.entry
    if stored.state == AddressState.RESERVED:
        if entry.state == AddressState.FREE:
            entry.refuse("state", f"{stored.address} is kept back here. Let it go on its page first.")
        elif entry.state == AddressState.ASSIGNED:
            entry.outcome = UPDATED
        else:
            entry.reserved_for = entry.reserved_for or stored.reserved_for
            same = stored.reserved_for == entry.reserved_for and _same_words(row, stored)
            entry.outcome = SKIPPED if same else UPDATED
        return
    if entry.state != AddressState.ASSIGNED or (stored.subscription_id, stored.assigned_to) != (
        row.line_id,
        entry.assigned_to,
    ):
        who = stored.assigned_to or f"service {stored.subscription.number}"
        entry.refuse("address", f"{stored.address} is held by {who}. Release it first.")
    else:
        entry.outcome = SKIPPED if _same_words(row, stored) else UPDATED


def _same_words(row: Row, stored: Address) -> bool:
    return (stored.hostname, stored.note) == (row.hostname, row.note)


def _refuse(row: Row, field_name: str, problem: str) -> None:
    row.entry.refuse(field_name, problem)
    row.entry.outcome = BAD
