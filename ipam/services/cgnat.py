"""Deterministic CGNAT: rules, both directions of their mapping, and look-ups for lawful requests (RFC 7422)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from ipam.models import Address, AddressState, CgnatRule, PastAssignment, Pool, Purpose, Vrf
from ipam.services import ranges
from ipam.services.space import VrfUnknown
from ispcore import audit
from ispcore.errors import DomainError, NotRegistered
from subscribers.models import Subscription

PORTS = 65_536
MAX_REFERENCE = 80


class CgnatRuleUnknown(NotRegistered):
    message = "There is no such CGNAT rule."


class CgnatPoolUnknown(NotRegistered):
    message = "There is no such pool."
    field = "pool_id"


class CgnatPoolUnfit(DomainError):
    code = "cgnat_pool_unfit"
    message = "The pool {name} is {why}. Name a pool of the rule's VRF whose purpose is CGNAT, or none."
    status = 422
    field = "pool_id"


class CgnatRangeWrong(DomainError):
    code = "cgnat_range_wrong"
    message = "{first} to {last} is no range of IPv4 addresses: give the lower one first."
    status = 422


class CgnatPortsWrong(DomainError):
    code = "cgnat_ports_wrong"
    message = (
        "From port {first_port} on there are {left} ports: a line cannot have {ports_per_line} of them. "
        "Give fewer ports per line, or a lower first port."
    )
    status = 422
    field = "ports_per_line"


class CgnatPublicTooSmall(DomainError):
    code = "cgnat_public_too_small"
    message = (
        "{inside} inside addresses with {ports} ports each need {needed} public addresses; {given} are given."
    )
    status = 422
    field = "public_last"


class CgnatRuleOverlaps(DomainError):
    code = "cgnat_rule_overlaps"
    message = (
        "The rule “{name}” already says who is behind these {side} addresses at that time. End it first, or begin "
        "after its end."
    )


class CgnatRuleEnded(DomainError):
    code = "cgnat_rule_ended"
    message = "The rule “{name}” ended {at} already; what it said of the past stays."


class CgnatRuleNotBegun(DomainError):
    code = "cgnat_rule_not_begun"
    message = "The rule “{name}” begins {at} only. Remove it instead of ending it."


class CgnatRuleHasBegun(DomainError):
    code = "cgnat_rule_has_begun"
    message = "The rule “{name}” was valid already and stays for look-ups. End it instead."


class CgnatEndInThePast(DomainError):
    code = "cgnat_end_in_the_past"
    message = "A rule ends now or later: what it said until now was used already."
    status = 422
    field = "valid_until"


class MomentInTheFuture(DomainError):
    code = "moment_in_the_future"
    message = "This moment has not come yet. Give the time of the connection, with its time zone."
    status = 422
    field = "at"


@dataclass(frozen=True)
class PortBlock:
    """What of a public address an inside address has: ports `first_port` to `last_port`, both included."""

    public_address: str
    first_port: int
    last_port: int


@dataclass(frozen=True)
class Mapping:
    """A line's part of a public address now."""

    rule: CgnatRule
    inside_address: str
    block: PortBlock


@dataclass(frozen=True)
class Answer:
    """What a look-up found; without a rule nobody was mapped there, without `began_at` nobody held the address.

    `ended_at` is None while the holder still has it.
    """

    rule: CgnatRule | None = None
    inside_address: str | None = None
    subscription: Subscription | None = None
    assigned_to: str = ""
    began_at: datetime | None = None
    ended_at: datetime | None = None


@transaction.atomic
def create_rule(
    *,
    name: str,
    vrf_id: UUID,
    inside_first: str,
    inside_last: str,
    public_first: str,
    public_last: str,
    valid_from: datetime,
    valid_until: datetime | None = None,
    pool_id: UUID | None = None,
    first_port: int = 1024,
    ports_per_line: int = 2016,
    note: str = "",
    user_id: UUID | None = None,
) -> CgnatRule:
    """Say which ports of which public address each inside address has, from `valid_from` on.

    Raises VrfUnknown, CgnatPoolUnknown, CgnatPoolUnfit, CgnatRangeWrong, CgnatPortsWrong, CgnatPublicTooSmall,
    CgnatRuleOverlaps.
    """
    if not Vrf.objects.filter(pk=vrf_id).exists():
        raise VrfUnknown
    if pool_id is not None:
        _refuse_unfit_pool(pool_id, vrf_id)
    rule = CgnatRule(
        name=name,
        vrf_id=vrf_id,
        pool_id=pool_id,
        inside_first=inside_first,
        inside_last=inside_last,
        public_first=public_first,
        public_last=public_last,
        first_port=first_port,
        ports_per_line=ports_per_line,
        valid_from=valid_from,
        valid_until=valid_until,
        note=note,
        created_by_id=user_id,
    )
    _refuse_unusable(rule)
    try:
        with transaction.atomic():
            rule.save(force_insert=True)
    except IntegrityError as error:
        side = "inside" if "cgnat_rule_inside_overlaps" in str(error) else "public"
        if f"cgnat_rule_{side}_overlaps" not in str(error):
            raise
        raise CgnatRuleOverlaps(name=_overlapping(rule, side), side=side) from error
    return rule


@transaction.atomic
def end_rule(*, rule_id: UUID, at: datetime, until: datetime | None = None) -> CgnatRule:
    """End a rule at `until`, which is now when left out. Safe to repeat with the same `until`.

    Raises CgnatRuleUnknown, CgnatRuleEnded, CgnatRuleNotBegun, CgnatEndInThePast.
    """
    rule = _lock(rule_id)
    if rule.valid_until is not None and rule.valid_until <= at:
        if until is not None and until != rule.valid_until:
            raise CgnatRuleEnded(name=rule.name, at=_said(rule.valid_until))
        return rule
    if rule.valid_from >= at:
        raise CgnatRuleNotBegun(name=rule.name, at=_said(rule.valid_from))
    if until is not None and until < at:
        raise CgnatEndInThePast
    rule.valid_until = until or at
    rule.save(update_fields=["valid_until", "updated_at"])
    return rule


@transaction.atomic
def remove_rule(*, rule_id: UUID, at: datetime) -> None:
    """Take a rule back that has never been valid. Raises CgnatRuleUnknown, CgnatRuleHasBegun."""
    rule = _lock(rule_id)
    if rule.valid_from <= at:
        raise CgnatRuleHasBegun(name=rule.name)
    rule.delete()


def block_of(rule: CgnatRule, inside_address: str) -> PortBlock | None:
    """Return what the rule gives an inside address; None for one that is not of its range."""
    if ranges.family_of(inside_address) != 4:
        return None
    index = ranges.number_of(inside_address) - ranges.number_of(rule.inside_first)
    if not 0 <= index <= ranges.number_of(rule.inside_last) - ranges.number_of(rule.inside_first):
        return None
    further, place = divmod(index, _blocks(rule))
    first_port = rule.first_port + place * rule.ports_per_line
    return PortBlock(
        public_address=ranges.text_of(ranges.number_of(rule.public_first) + further, 4),
        first_port=first_port,
        last_port=first_port + rule.ports_per_line - 1,
    )


def inside_of(rule: CgnatRule, public_address: str, port: int) -> str | None:
    """Return which inside address the rule puts behind a public address and port; None when none."""
    if ranges.family_of(public_address) != 4:
        return None
    further = ranges.number_of(public_address) - ranges.number_of(rule.public_first)
    place = (port - rule.first_port) // rule.ports_per_line
    if further < 0 or not 0 <= place < _blocks(rule):
        return None
    inside = ranges.number_of(rule.inside_first) + further * _blocks(rule) + place
    return ranges.text_of(inside, 4) if inside <= ranges.number_of(rule.inside_last) else None


def mappings_of(*, subscription_id: UUID, at: datetime) -> list[Mapping]:
    """List what a line has of public addresses by the rules valid at `at`, for the addresses it holds now."""
    held = Address.objects.filter(subscription=subscription_id).order_by("address")
    found = []
    for address in held:
        for rule in _valid(at).filter(
            vrf_id=address.vrf_id, inside_first__lte=address.address, inside_last__gte=address.address
        ):
            block = block_of(rule, address.address)
            if block is not None:
                found.append(Mapping(rule, address.address, block))
    return found


@transaction.atomic
def look_up(
    *,
    public_address: str,
    port: int,
    moment: datetime,
    reference: str,
    at: datetime,
    user_id: UUID | None,
    ip: str | None,
    request_id: str,
) -> Answer:
    """Tell who was behind a public address and port at a moment, and write down who asked, and why.

    `reference` names the request that allows it, such as a court's file number. A look-up that finds nobody is
    written down as well. Raises MomentInTheFuture.
    """
    if moment > at:
        raise MomentInTheFuture
    answer = _find(public_address, port, moment)
    holder = answer.assigned_to or (f"service {answer.subscription.number}" if answer.subscription else "")
    when = moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    audit.record(
        action="looked up a CGNAT address",
        detail=f"{public_address}:{port} at {when}, for “{reference}”: {holder or 'nobody'}"[:200],
        user_id=user_id,
        ip=ip,
        request_id=request_id,
    )
    return answer


def _find(public_address: str, port: int, moment: datetime) -> Answer:
    rules = _valid(moment).filter(public_first__lte=public_address, public_last__gte=public_address)
    rule = rules.select_related("vrf").first()
    inside = inside_of(rule, public_address, port) if rule else None
    if rule is None or inside is None:
        return Answer(rule=rule)
    of_line = ("subscription__subscriber", "subscription__plan")
    now = Address.objects.filter(
        vrf_id=rule.vrf_id, address=inside, state=AddressState.ASSIGNED, assigned_at__lte=moment
    )
    if (held := now.select_related(*of_line).first()) is not None:
        return Answer(rule, inside, held.subscription, held.assigned_to, held.assigned_at)
    then = PastAssignment.objects.filter(
        vrf_id=rule.vrf_id, address=inside, began_at__lte=moment, ended_at__gt=moment
    )
    past = then.select_related(*of_line).order_by("-ended_at").first()
    if past is None:
        return Answer(rule, inside)
    return Answer(rule, inside, past.subscription, past.assigned_to, past.began_at, past.ended_at)


def _valid(at: datetime) -> QuerySet[CgnatRule]:
    rules: QuerySet[CgnatRule] = CgnatRule.objects.filter(
        Q(valid_until=None) | Q(valid_until__gt=at), valid_from__lte=at
    )
    return rules


def _blocks(rule: CgnatRule) -> int:
    return (PORTS - rule.first_port) // rule.ports_per_line


def _refuse_unfit_pool(pool_id: UUID, vrf_id: UUID) -> None:
    pool = Pool.objects.filter(pk=pool_id).first()
    if pool is None:
        raise CgnatPoolUnknown
    if pool.purpose != Purpose.CGNAT:
        raise CgnatPoolUnfit(name=pool.name, why=f"one for “{pool.get_purpose_display()}”")
    if pool.vrf_id != vrf_id:
        raise CgnatPoolUnfit(name=pool.name, why="of another VRF")


def _refuse_unusable(rule: CgnatRule) -> None:
    sides = {}
    for side in ("inside", "public"):
        first, last = getattr(rule, f"{side}_first"), getattr(rule, f"{side}_last")
        if {ranges.family_of(first), ranges.family_of(last)} != {4} or "/" in first + last:
            raise _at(CgnatRangeWrong(first=first, last=last), f"{side}_first")
        sides[side] = ranges.number_of(last) - ranges.number_of(first) + 1
        if sides[side] < 1:
            raise _at(CgnatRangeWrong(first=first, last=last), f"{side}_first")
    if rule.ports_per_line > PORTS - rule.first_port:
        raise CgnatPortsWrong(
            first_port=rule.first_port, left=PORTS - rule.first_port, ports_per_line=rule.ports_per_line
        )
    needed = -(-sides["inside"] // _blocks(rule))
    if needed > sides["public"]:
        raise CgnatPublicTooSmall(
            inside=sides["inside"], ports=rule.ports_per_line, needed=needed, given=sides["public"]
        )


def _at(refusal: DomainError, field: str) -> DomainError:
    refusal.field = field
    return refusal


def _overlapping(rule: CgnatRule, side: str) -> str:
    """Name the rule in the way, as well as it can be told after the database refused."""
    others = CgnatRule.objects.filter(
        Q(valid_until=None) | Q(valid_until__gt=rule.valid_from),
        **{
            f"{side}_first__lte": getattr(rule, f"{side}_last"),
            f"{side}_last__gte": getattr(rule, f"{side}_first"),
        },
    )
    if rule.valid_until is not None:
        others = others.filter(valid_from__lt=rule.valid_until)
    if side == "inside":
        others = others.filter(vrf_id=rule.vrf_id)
    return others.values_list("name", flat=True).order_by("valid_from").first() or "?"


def _lock(rule_id: UUID) -> CgnatRule:
    rule: CgnatRule | None = CgnatRule.objects.filter(pk=rule_id).select_for_update(of=("self",)).first()
    if rule is None:
        raise CgnatRuleUnknown
    return rule


def _said(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
