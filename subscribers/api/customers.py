"""Customers: records, look-ups, status and identity."""

from typing import Any, ClassVar
from uuid import UUID

import django_filters
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.utils import timezone
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api import paging
from ispcore.api.errors import ApiError
from ispcore.api.fields import ChoiceField, HouseSerializer, IdField, StrictSerializer, TextField
from ispcore.api.filters import (
    BooleanFilter,
    HouseFilterSet,
    HouseOrdering,
    HouseSearch,
    MomentFilter,
    TextFilter,
)
from ispcore.api.request import caller_of
from ispcore.api.views import (
    ApiView,
    ListModelMixin,
    RetrieveModelMixin,
    TenantViewSet,
    created,
    page_of,
    valid,
)
from subscribers import normal
from subscribers.api import identity
from subscribers.api.holding import HoldTermsInput
from subscribers.api.record import (
    AddressSerializer,
    CustomFieldsField,
    DocumentSerializer,
    MetadataField,
    PastField,
    checked_custom_fields,
)
from subscribers.models import HoldReason, Subscriber, SubscriberStatus
from subscribers.services import customers
from subscribers.services.settings import subscriber_settings

MAX_TAGS = 20
MAX_TAG = 40
MAX_QUERY = 200


class SubscriberSerializer(HouseSerializer[Subscriber]):
    """A customer as shown, created and changed. A field that PUT leaves out becomes empty."""

    status = ChoiceField(
        choices=SubscriberStatus.choices, help_text="At creation; then by activate, suspend and DELETE."
    )
    external_id = TextField(max_length=80, required=False, allow_blank=True)
    phone = TextField(max_length=40, required=False, allow_blank=True)
    billing_profile_id = IdField(required=False, allow_null=True)
    address = AddressSerializer(source="*", required=False)
    document = DocumentSerializer(source="*", required=False)
    metadata = MetadataField(required=False)
    tags = serializers.ListField(
        child=TextField(max_length=MAX_TAG), max_length=MAX_TAGS, required=False, help_text="Lower-cased."
    )
    custom_fields = CustomFieldsField(required=False)
    terms_accepted_at = PastField(required=False, allow_null=True, help_text="Null: not accepted.")
    marketing_consent_at = PastField(required=False, allow_null=True, help_text="Null: no consent.")
    suspended_until = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When a suspension ends by itself."
    )

    class Meta:
        model = Subscriber
        fields = [
            "id", "number", "external_id", "full_name", "email", "phone", "status", "billing_profile_id", "address",
            "document", "metadata", "tags", "custom_fields", "terms_accepted_at", "marketing_consent_at",
            "suspended_until", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["number"]

    def validate_phone(self, phone: str) -> str:
        if phone and not normal.phone_to_e164(phone, region=subscriber_settings().phone_region):
            raise serializers.ValidationError(customers.InvalidPhone.message)
        return phone

    def validate_status(self, status: str) -> str:
        if self.instance is not None and status != self.instance.status:
            message = "The status is changed by activate, suspend and DELETE."
            raise serializers.ValidationError(message, code="read_only")
        return status

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Miss what is required also where no custom field is given."""
        if "custom_fields" not in attrs and not self.partial:
            try:
                checked_custom_fields({}, partial=False, stored={})
            except serializers.ValidationError as error:
                raise serializers.ValidationError({"custom_fields": error.detail}) from error
        return attrs


class PhoneFilter(TextFilter):
    """A number in any spelling; with a `*`, what E.164 numbers begin with."""

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value and not value.endswith("*"):
            region = subscriber_settings().phone_region
            return queryset.filter(phone_e164=normal.phone_to_e164(value, region=region) or value)
        return super().filter(queryset, value)


class EmailFilter(TextFilter):
    """An e-mail address in any case."""

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return super().filter(queryset, normal.email_lower(value))


class SubscriberFilter(HouseFilterSet):
    status = django_filters.ChoiceFilter(choices=SubscriberStatus.choices)
    email = EmailFilter(field_name="email_lower")
    phone = PhoneFilter(field_name="phone_e164")
    tag = django_filters.CharFilter(method="filter_tag", label="One of the record's tags, in any case.")
    terms_accepted = BooleanFilter(field_name="terms_accepted_at", lookup_expr="isnull", exclude=True)
    marketing_consent = BooleanFilter(field_name="marketing_consent_at", lookup_expr="isnull", exclude=True)
    billing_profile_id = django_filters.UUIDFilter(field_name="billing_profile_id")
    created_at__gte = MomentFilter(field_name="created_at", lookup_expr="gte")
    created_at__lte = MomentFilter(field_name="created_at", lookup_expr="lte")

    class Meta:
        model = Subscriber
        fields = {"external_id": ["exact"], "full_name": ["exact"], "city": ["exact"]}

    def filter_tag(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return customers.tagged(queryset, value)


class WordSearch(HouseSearch):
    """`search=words`: each word must begin a word of the record; served by an index."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        text = request.query_params.get(self.search_param)
        return queryset if text is None else customers.search_subscribers(queryset, text)


class SuspendInput(HoldTermsInput):
    reason = ChoiceField(choices=HoldReason.choices, help_text="Why the lines are barred.")


class ActivateInput(StrictSerializer):
    reasons = serializers.ListField(
        child=ChoiceField(choices=HoldReason.choices),
        required=False,
        allow_empty=False,
        max_length=len(HoldReason),
        help_text="The holds to lift. Left out: all but abuse and fraud, which have to be named.",
    )


class SubscriberViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """The customers of this provider."""

    model = Subscriber
    number_field = "number"
    verbs: ClassVar[dict[str, str]] = {"activate": "change", "suspend": "change", "verify": "view"}
    serializer_class = SubscriberSerializer
    filterset_class = SubscriberFilter
    filter_backends = (DjangoFilterBackend, HouseOrdering, WordSearch)
    ordering_fields = ("created_at", "updated_at", "full_name", "number")
    search_fields = ("number", "full_name", "email", "phone", "document", "address", "external_id")

    def create(self, request: Request) -> Response:
        """Register a customer.

        With an `external_id`, a second one is refused (409 `duplicate_subscriber`), so a sync may repeat.
        """
        serializer = self.get_serializer(data=request.data)
        self.record = serializer.instance = customers.create_subscriber(**valid(serializer))
        return created(request, view_name="subscriber-detail", pk=self.record.pk, data=serializer.data)

    def update(self, request: Request, pk: str) -> Response:
        """Replace a customer's record: what is left out becomes empty, custom fields included. The status stays."""
        return self._change(request, partial=False)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of a customer's record."""
        return self._change(request, partial=True)

    def destroy(self, request: Request, pk: str) -> Response:
        """Deactivate a customer: their services end, their history stays."""
        customers.deactivate_subscriber(
            subscriber_id=self.get_object().pk, at=timezone.now(), user_id=_user_id(request)
        )
        return Response(status=204)

    @extend_schema(request=ActivateInput, responses=SubscriberSerializer)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        """Make a customer active and lift the holds of their services.

        Without `reasons` every hold is lifted but those for abuse and fraud; with them, those named. While any
        other hold is open, the call is refused (409 `subscriber_on_hold`) and nothing is lifted.
        """
        subscriber = self.get_object()
        data = valid(ActivateInput(data=request.data))
        self.record = customers.activate_subscriber(
            subscriber_id=subscriber.pk, at=timezone.now(), user_id=_user_id(request), **data
        )
        return Response(self.get_serializer(self.record).data)

    @extend_schema(request=SuspendInput, responses=SubscriberSerializer)
    @action(detail=True, methods=["post"])
    def suspend(self, request: Request, pk: str) -> Response:
        """Suspend an active customer and bar every running service, for a reason and perhaps until a moment.

        The customer is active again at that moment, or when the last hold of their services is lifted.
        """
        subscriber = self.get_object()
        data = valid(SuspendInput(data=request.data))
        self.record = customers.suspend_subscriber(
            subscriber_id=subscriber.pk, at=timezone.now(), user_id=_user_id(request), **data
        )
        return Response(self.get_serializer(self.record).data)

    @extend_schema(request=identity.FactsInput, responses=identity.VerifiedSerializer)
    @action(detail=True, methods=["post"])
    def verify(self, request: Request, pk: str) -> Response:
        """Tell whether at least three of name, address, plan and price are all true of a customer.

        Which one is not is never told; attempts are limited.
        """
        return identity.verify(request, subscriber_id=self.get_object().pk)

    def _change(self, request: Request, *, partial: bool) -> Response:
        found = self.get_object()
        data = valid(self.get_serializer(found, data=request.data, partial=partial))
        data.pop("status", None)
        blank = {} if partial else customers.BLANK
        if not partial:
            data["custom_fields"] = {**dict.fromkeys(found.custom_fields), **data.get("custom_fields", {})}
        self.record = customers.update_subscriber(subscriber_id=found.pk, **{**blank, **data})
        return Response(self.get_serializer(self.record).data)


class LookUpView(ApiView):
    """One customer, found by something else than its id."""

    app_label = "subscribers"

    def rows(self) -> QuerySet[Subscriber]:
        """Prefer, of several, one who has not left, and then the newest."""
        has_left = Case(
            When(status=SubscriberStatus.INACTIVE, then=Value(1)),
            default=Value(0),
            output_field=IntegerField(),
        )
        rows: QuerySet[Subscriber] = Subscriber.objects.order_by(has_left, "-id")
        return rows

    def answer(self, rows: QuerySet[Subscriber]) -> Response:
        found = rows.first()
        if found is None:
            raise NotFound("There is no such record.")
        return Response(SubscriberSerializer(found).data)


class ByDocumentView(LookUpView):
    @extend_schema(
        responses=SubscriberSerializer,
        operation_id="subscribers_by_document",
        parameters=[OpenApiParameter("id", str, "path", description="Document number, in any spelling.")],
    )
    def get(self, request: Request, pk: str) -> Response:
        """Find the customer with a document; of several the newest who has not left."""
        document = normal.document_normal(pk)
        return self.answer(self.rows().filter(document_normal=document) if document else self.rows().none())


class ByPhoneView(LookUpView):
    @extend_schema(
        responses=SubscriberSerializer,
        operation_id="subscribers_by_phone",
        parameters=[OpenApiParameter("id", str, "path", description="Phone number, in any spelling.")],
    )
    def get(self, request: Request, pk: str) -> Response:
        """Find the customer with a phone number; of several the newest who has not left."""
        phone = normal.phone_to_e164(pk, region=subscriber_settings().phone_region)
        return self.answer(self.rows().filter(phone_e164=phone) if phone else self.rows().none())


class ByServiceView(LookUpView):
    @extend_schema(
        responses=SubscriberSerializer,
        operation_id="subscribers_by_service",
        parameters=[OpenApiParameter("id", str, "path", description="Service id or human number.")],
    )
    def get(self, request: Request, pk: str) -> Response:
        """Find the customer of a service."""
        criteria = _service_criteria(pk)
        return self.answer(self.rows().filter(**criteria) if criteria else self.rows().none())


class SearchView(ApiView, GenericAPIView):  # type: ignore[type-arg]
    """Search as people type it."""

    app_label = "subscribers"
    serializer_class = SubscriberSerializer
    pagination_class = paging.HousePagination
    filter_backends = ()
    query_parameters = paging.PARAMETERS | {"q"}

    @extend_schema(
        responses=SubscriberSerializer(many=True),
        operation_id="subscribers_search",
        parameters=[
            OpenApiParameter(
                "q",
                {"type": "string", "minLength": 1, "maxLength": MAX_QUERY},
                required=True,
                description="Each word must begin a word of name, address, e-mail, phone, document or number.",
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """Search customers by the beginnings of words, newest first."""
        text = request.query_params.get("q")
        if text is None:
            raise ApiError(400, "missing_field", "q: This parameter is required.", field="q")
        if len(text) > MAX_QUERY:
            raise ApiError(400, "malformed_request", f"`q` has more than {MAX_QUERY} characters.", field="q")
        rows = customers.search_subscribers(Subscriber.objects.order_by("-id"), text)
        return page_of(self, rows)


def _service_criteria(reference: str) -> dict[str, Any]:
    """Read a service's id or human number; nothing for text that is neither."""
    try:
        return {"subscriptions__pk": UUID(reference)}
    except ValueError:
        is_number = reference.isascii() and reference.isdigit() and len(reference) < 10
        return {"subscriptions__number": int(reference)} if is_number else {}


def _user_id(request: Request) -> UUID | None:
    return caller_of(request._request).user_id
