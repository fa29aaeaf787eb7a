from rest_framework.request import Request
from rest_framework.response import Response

from hardware.models import PonClass, SignalLimits
from hardware.services import signal
from ispcore.api.fields import ChoiceField, FloatField, HouseSerializer
from ispcore.api.filters import HouseFilterSet
from ispcore.api.views import ListModelMixin, RetrieveModelMixin, TenantViewSet, created, valid

LOWEST_DBM, HIGHEST_DBM = -60.0, 20.0  # What a reading can be; see the drivers' cells.
LIMITS = (
    "overload_above_dbm", "warning_below_dbm", "critical_below_dbm", "olt_warning_below_dbm",
    "olt_critical_below_dbm",
)  # fmt: skip


def _limit() -> FloatField:
    return FloatField(required=False, min_value=LOWEST_DBM, max_value=HIGHEST_DBM)


class SignalLimitsSerializer(HouseSerializer[SignalLimits]):
    pon_class = ChoiceField(choices=PonClass.choices)
    overload_above_dbm = _limit()
    warning_below_dbm = _limit()
    critical_below_dbm = _limit()
    olt_warning_below_dbm = _limit()
    olt_critical_below_dbm = _limit()

    class Meta:
        model = SignalLimits
        fields = ["id", "pon_class", *LIMITS, "created_at", "updated_at"]


class SignalLimitsFilter(HouseFilterSet):
    class Meta:
        model = SignalLimits
        fields = {"pon_class": ["exact"]}


class SignalLimitsViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """From which power on a signal is weak, by class of optics; a class without limits has the usual ones.

    A change classifies the stored ONUs anew.
    """

    model = SignalLimits
    serializer_class = SignalLimitsSerializer
    filterset_class = SignalLimitsFilter
    ordering_fields = ("pon_class", "created_at")

    def create(self, request: Request) -> Response:
        """Set limits for a class of optics; what is left out is usual."""
        data = valid(self.get_serializer(data=request.data))
        self.record = signal.create_limits(**data)
        return created(
            request,
            view_name="signal-limits-detail",
            pk=self.record.pk,
            data=self.get_serializer(self.record).data,
        )

    def update(self, request: Request, pk: str) -> Response:
        """Replace a class's limits; what is left out becomes usual."""
        usual = {name: getattr(SignalLimits(), name) for name in LIMITS}
        return self._change(request, partial=False, usual=usual)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some of a class's limits."""
        return self._change(request, partial=True, usual={})

    def destroy(self, request: Request, pk: str) -> Response:
        """Return a class to the usual limits."""
        signal.remove_limits(limits_id=self.get_object().pk)
        return Response(status=204)

    def _change(self, request: Request, *, partial: bool, usual: dict[str, float]) -> Response:
        limits = self.get_object()
        data = valid(self.get_serializer(limits, data=request.data, partial=partial))
        if data.pop("pon_class", limits.pon_class) != limits.pon_class:
            raise signal.LimitsOfAnotherClass(pon_class=limits.get_pon_class_display())
        self.record = signal.change_limits(limits_id=limits.pk, **usual | data)
        return Response(self.get_serializer(self.record).data)
