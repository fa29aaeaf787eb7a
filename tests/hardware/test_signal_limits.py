"""Signal classes by the provider's limits: in discoveries, when limits change, and over HTTP."""

from typing import Any

import pytest

from hardware.models import Olt, Onu, OnuEvent, OnuStatus, Signal, SignalLimits
from hardware.services import signal
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.factories import OltFactory, OnuFactory

pytestmark = pytest.mark.django_db


def classes() -> list[str]:
    return list(Onu.objects.order_by("serial").values_list("signal", flat=True))


@pytest.fixture
def olt(acting: Tenant) -> Olt:
    olt: Olt = OltFactory(pon_class="B+")
    for number, power in enumerate((-19.0, -25.5, -28.0, -5.0, None)):
        OnuFactory(olt=olt, serial=f"HWTC{number:08d}", rx_power_dbm=power)
    return olt


class TestChangingLimits:
    def test_classifies_what_is_stored(self, olt: Olt) -> None:
        assert classes() == ["good", "warning", "critical", "overload", "none"]

        limits = signal.create_limits(pon_class="B+", warning_below_dbm=-18.0, overload_above_dbm=-3.0)

        assert classes() == ["warning", "warning", "critical", "good", "none"]
        signal.change_limits(limits_id=limits.pk, critical_below_dbm=-30.0)
        assert classes() == ["warning", "warning", "warning", "good", "none"]
        signal.remove_limits(limits_id=limits.pk)
        assert classes() == ["good", "warning", "critical", "overload", "none"]

    def test_is_no_event_of_an_onu(self, olt: Olt) -> None:
        signal.create_limits(pon_class="B+", warning_below_dbm=-18.0)

        assert not OnuEvent.objects.exists()

    def test_of_another_class_changes_nothing(self, olt: Olt) -> None:
        before = classes()

        signal.create_limits(pon_class="C+", warning_below_dbm=-18.0)

        assert classes() == before

    def test_looks_at_what_the_olt_receives_too(self, olt: Olt) -> None:
        Onu.objects.filter(serial="HWTC00000000").update(olt_rx_power_dbm=-29.0)

        signal.classify_olt(olt_id=olt.pk)

        assert classes()[0] == Signal.WARNING

    @pytest.mark.parametrize(
        "limits",
        [
            {"warning_below_dbm": -30.0},
            {"critical_below_dbm": -20.0},
            {"overload_above_dbm": -26.0},
            {"olt_critical_below_dbm": -28.0},
        ],
    )
    def test_refuses_limits_that_do_not_descend(self, limits: dict[str, float], olt: Olt) -> None:
        before = classes()

        with pytest.raises(signal.LimitsOutOfOrder):
            signal.create_limits(pon_class="B+", **limits)

        assert classes() == before
        assert not SignalLimits.objects.exists()

    def test_costs_the_same_whatever_the_number_of_onus(self, olt: Olt, query_count: Any) -> None:
        limits = signal.create_limits(pon_class="B+", warning_below_dbm=-18.0)
        few = query_count(signal.change_limits, limits_id=limits.pk, warning_below_dbm=-19.0)
        for _ in range(20):
            OnuFactory(olt=olt)

        assert query_count(signal.change_limits, limits_id=limits.pk, warning_below_dbm=-20.0) == few


class TestOverHttp:
    def test_a_change_shows_in_the_low_signal_list(self, api: Any, olt: Olt) -> None:
        assert listed(api, "signal=warning,critical") == ["HWTC00000001", "HWTC00000002"]

        response = api.post("hardware/signal-limits", {"pon_class": "B+", "warning_below_dbm": -18.0})

        assert response.status_code == 201
        assert response.json()["data"]["critical_below_dbm"] == -27.0
        assert listed(api, "signal=warning,critical") == ["HWTC00000000", "HWTC00000001", "HWTC00000002"]
        path = f"hardware/signal-limits/{response.json()['data']['id']}"
        assert api.delete(path).status_code == 204
        assert listed(api, "signal=warning,critical") == ["HWTC00000001", "HWTC00000002"]

    def test_a_second_set_for_a_class_is_409(self, api: Any, olt: Olt) -> None:
        api.post("hardware/signal-limits", {"pon_class": "B+"})

        response = api.post("hardware/signal-limits", {"pon_class": "B+", "warning_below_dbm": -18.0})

        assert response.status_code == 409
        assert classes() == ["good", "warning", "critical", "overload", "none"]

    def test_limits_out_of_order_are_422(self, api: Any, olt: Olt) -> None:
        response = api.post("hardware/signal-limits", {"pon_class": "B+", "warning_below_dbm": -40.0})

        assert (response.status_code, response.json()["error"]["code"]) == (422, "limits_out_of_order")

    def test_another_class_of_optics_classifies_an_olt_anew(self, api: Any, olt: Olt) -> None:
        signal.create_limits(pon_class="C+", warning_below_dbm=-18.0)

        assert api.patch(f"hardware/olts/{olt.pk}", {"pon_class": "C+"}).status_code == 200

        assert classes()[0] == Signal.WARNING

    @pytest.mark.parametrize("value", ["weak", "good,weak", ","])
    def test_an_unknown_class_is_422(self, value: str, api: Any) -> None:
        assert api.get(f"hardware/onus?signal={value}").status_code == 422


def test_are_each_tenants_own(olt: Olt, other_tenant: Tenant) -> None:
    before = classes()

    with tenant_context(other_tenant.pk):
        signal.create_limits(pon_class="B+", warning_below_dbm=-18.0)

    assert classes() == before


def listed(api: Any, query: str) -> list[str]:
    return sorted(row["serial"] for row in api.get(f"hardware/onus?{query}").json()["data"])


def test_statuses_do_not_matter(olt: Olt) -> None:
    Onu.objects.update(status=OnuStatus.OFFLINE)

    signal.create_limits(pon_class="B+", warning_below_dbm=-18.0)

    assert classes()[0] == Signal.WARNING
