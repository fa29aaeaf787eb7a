"""Is the caller who they say they are? Answered by yes or no, and by nothing that helps to guess."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db.models import Exists, OuterRef

from subscribers import normal
from subscribers.models import ServiceStatus, Subscriber, SubscriberStatus, SubscriberWord, Subscription

FEWEST_FACTS = 3
PRICE_TOLERANCE = Decimal("1.00")
# Namesakes looked at. A name more people bear needs a look-up by document or phone first.
MOST_CANDIDATES = 200
PRESENT = (ServiceStatus.PENDING_INSTALLATION, ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)


@dataclass(frozen=True)
class Facts:
    """What somebody says of a customer; None is not said."""

    name: str | None = None
    address: str | None = None
    plan: str | None = None
    price: Decimal | None = None

    @property
    def count(self) -> int:
        return sum(fact is not None for fact in (self.name, self.address, self.plan, self.price))

    @property
    def subjects(self) -> list[str]:
        """Name whom the facts are about, for limits: guesses at one person count together."""
        keys = []
        if self.name is not None:
            keys.append(f"name:{normal.name_key(self.name)}")
        if self.address is not None:
            keys.append(f"address:{normal.address_key(self.address)}")
        return keys


def verify_identity(*, subscriber_id: UUID, facts: Facts) -> bool:
    """Tell whether every fact given is true of the customer and of one of their present services.

    Fewer than three facts prove nothing.
    """
    subscriber = Subscriber.objects.filter(pk=subscriber_id).first()
    return subscriber is not None and bool(_verified([subscriber], facts))


def resolve_identity(*, facts: Facts) -> UUID | None:
    """Return the one customer of whom every fact given is true; None when there is none, or several.

    Without a name, customers are found by their own address and by those of their services.
    """
    if facts.count < FEWEST_FACTS:
        return None
    if facts.name is not None:
        found = _with_words(normal.words_of(facts.name))
    else:
        found = _with_words(normal.address_words(facts.address or "")) + _at_premise(facts.address or "")
    verified = _verified({each.pk: each for each in found}.values(), facts)
    return verified[0] if len(verified) == 1 else None


def _with_words(words: list[str]) -> list[Subscriber]:
    if not words:
        return []
    rows = Subscriber.objects.exclude(status=SubscriberStatus.INACTIVE)
    for word in words:
        rows = rows.filter(Exists(SubscriberWord.objects.filter(subscriber=OuterRef("pk"), word=word)))
    return list(rows.order_by("-pk")[:MOST_CANDIDATES])


def _at_premise(address: str) -> list[Subscriber]:
    """List customers with a present line where the first line is one the address may begin with."""
    keys = normal.first_line_keys(address)
    if not keys:
        return []
    lines = Subscription.objects.filter(premise__address_key__in=keys, status__in=PRESENT)
    people = lines.order_by("-pk").values_list("subscriber", flat=True)[:MOST_CANDIDATES]
    rows = Subscriber.objects.exclude(status=SubscriberStatus.INACTIVE)
    return list(rows.filter(pk__in=list(people)))


def _verified(subscribers: Iterable[Subscriber], facts: Facts) -> list[UUID]:
    if facts.count < FEWEST_FACTS:
        return []
    named = [each for each in subscribers if facts.name is None or _is_name(facts.name, each)]
    lines: dict[UUID, list[Subscription]] = defaultdict(list)
    present = Subscription.objects.filter(subscriber__in=[each.pk for each in named], status__in=PRESENT)
    for line in present.select_related("plan", "premise"):
        lines[line.subscriber_id].append(line)
    return [each.pk for each in named if any(_is_of(line, each, facts) for line in lines[each.pk])]


def _is_of(line: Subscription, subscriber: Subscriber, facts: Facts) -> bool:
    return (
        (facts.address is None or _is_address(facts.address, subscriber, line))
        and (facts.plan is None or _is_plan(facts.plan, line))
        and (facts.price is None or abs(facts.price - line.plan.price) <= PRICE_TOLERANCE)
    )


def _is_name(name: str, subscriber: Subscriber) -> bool:
    key = normal.name_key(name)
    return bool(key) and key == normal.name_key(subscriber.full_name)


def _is_address(address: str, subscriber: Subscriber, line: Subscription) -> bool:
    """Tell whether this is where the customer lives or where the line is, in full or from its first line."""
    key = normal.address_key(address)
    return bool(key) and any(
        key
        in normal.address_keys(
            place.address_line1,
            place.address_line2,
            place.city,
            place.state,
            place.postal_code,
            place.country,
        )
        for place in (subscriber, line.premise)
    )


def _is_plan(plan: str, line: Subscription) -> bool:
    key = normal.name_key(plan)
    return bool(key) and key in (normal.name_key(line.plan.name), normal.name_key(line.plan.code))
