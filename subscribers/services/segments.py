"""Lists' filters kept under a name, by one person for themselves or for all colleagues."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from ispcore.errors import DomainError, NotRegistered
from subscribers.models import Segment

MOST_OWN = 50  # Per person and list: they stand above it as one row of links.


class SegmentNotFound(NotRegistered):
    message = "There is no such saved list, or it is a colleague's own."


class SegmentNotYours(DomainError):
    code = "segment_not_yours"
    message = "This list was saved by {owner}; ask them, or an administrator."


class DuplicateSegment(DomainError):
    code = "duplicate_segment_name"
    message = "You have saved a list called {name} already."
    field = "name"


class SegmentWithoutFilter(DomainError):
    code = "segment_without_filter"
    message = "The list shows everything: choose a filter or search for something first."


class SegmentTooLong(DomainError):
    code = "segment_too_long"
    message = "These filters are too long to be kept; leave some out."


class TooManySegments(DomainError):
    code = "too_many_segments"
    message = "You have saved {count} lists here, the most one person may keep. Remove one first."


def segments_for(*, of: str, user_id: UUID) -> QuerySet[Segment]:
    """Return a person's saved lists and those colleagues share, by name."""
    return (
        Segment.objects.filter(Q(user=user_id) | Q(is_shared=True), of=of)
        .select_related("user")
        .order_by("name", "pk")
    )


@transaction.atomic
def save_segment(*, of: str, name: str, query: str, user_id: UUID, is_shared: bool = False) -> Segment:
    """Keep a list's filters, given as its query string, under a name.

    Raises SegmentWithoutFilter, SegmentTooLong, DuplicateSegment, TooManySegments.
    """
    if not query:
        raise SegmentWithoutFilter
    if len(query) > 1000:  # Segment.query
        raise SegmentTooLong
    own = Segment.objects.filter(of=of, user=user_id)
    if (count := own.count()) >= MOST_OWN:
        raise TooManySegments(count=count)
    segment = Segment(of=of, name=name.strip(), query=query, user_id=user_id, is_shared=is_shared)
    return _stored(segment)


@transaction.atomic
def change_segment(*, segment_id: UUID, name: str, is_shared: bool, user_id: UUID) -> Segment:
    """Give one's own saved list another name, or share it or no longer. Safe to repeat.

    Raises SegmentNotFound, SegmentNotYours, DuplicateSegment.
    """
    segment = _found(segment_id, user_id)
    if segment.user_id != user_id:
        raise SegmentNotYours(owner=segment.user)
    segment.name, segment.is_shared = name.strip(), is_shared
    return _stored(segment)


@transaction.atomic
def remove_segment(*, segment_id: UUID, user_id: UUID, may_remove_shared: bool = False) -> None:
    """Remove one's own saved list, or a shared one where that is allowed.

    Raises SegmentNotFound, SegmentNotYours.
    """
    segment = _found(segment_id, user_id)
    if segment.user_id != user_id and not may_remove_shared:
        raise SegmentNotYours(owner=segment.user)
    segment.delete()


def _found(segment_id: UUID, user_id: UUID) -> Segment:
    rows = Segment.objects.filter(Q(user=user_id) | Q(is_shared=True), pk=segment_id)
    segment: Segment | None = rows.select_for_update(of=("self",)).select_related("user").first()
    if segment is None:
        raise SegmentNotFound
    return segment


def _stored(segment: Segment) -> Segment:
    try:
        with transaction.atomic():
            segment.save()
    except IntegrityError:
        raise DuplicateSegment(name=segment.name) from None
    return segment
