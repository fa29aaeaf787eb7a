"""Why a line is dark, caused on a simulated OLT that is polled as always, cured, and asked for over HTTP."""

import pytest

from tests.support.scenes import DEACTIVATED, DYING_GASP, FINE, LOS, PLACE, Scene
from tests.workers import wait_until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "platform"])

CHANGED = "what the router says now"


class TestFibre:
    @pytest.fixture(autouse=True)
    def _online(self, scene: Scene) -> None:
        scene.go_online()
        scene.wait(minutes=2)
        assert scene.told() == FINE

    @pytest.mark.parametrize(
        ("cause", "code"),
        [(LOS, "onu_los"), (DYING_GASP, "onu_no_power"), (DEACTIVATED, "onu_disabled")],
        ids=["no_light", "no_power", "switched_off"],
    )
    def test_one_onu_goes_and_comes_back(self, scene: Scene, cause: int, code: str) -> None:
        scene.simulator.onus[PLACE].active = cause != DEACTIVATED
        scene.darken(cause)
        scene.poll()
        assert scene.told() == (code, "onu", "read_onu")

        scene.simulator.onus[PLACE].active = True
        scene.lighten()
        assert scene.do()["gpon_status"] == "online"

        assert scene.told() == ("not_logged_in", "session", "open_nas")
        scene.go_online()
        assert scene.told() == FINE

    def test_weak_light(self, scene: Scene) -> None:
        scene.attenuate(-28.5)
        scene.poll()
        assert scene.told() == ("weak_signal", "onu", "read_onu")
        assert "the ONU receives −28.5 dBm, the OLT −30.0 dBm" in scene.answer()["verdict"]

        scene.attenuate(-18.0)  # A clean connector.
        assert scene.do()["rx_power"] == -18.0

        assert scene.told() == FINE

    def test_exchanged_for_another_onu(self, scene: Scene) -> None:
        serial = scene.simulator.onus[PLACE].serial
        scene.simulator.remove_onu(*PLACE)
        scene.stop()
        scene.desk.post("hardware/olt/discover", olt_id=str(scene.olt.pk))
        assert scene.told() == ("onu_gone", "onu", "find_onu")
        assert scene.do() == []

        scene.simulator.add_onu(0, serial)
        scene.attenuate(-18.0)
        scene.desk.post("hardware/olt/discover", olt_id=str(scene.olt.pk))

        scene.go_online()
        assert scene.told() == FINE

    def test_an_outage_from_its_suspicion_to_its_end(self, scene: Scene) -> None:
        scene.darken(LOS, onus=4)
        scene.poll()
        assert scene.told() == ("outage_suspected", "outage", "open_outage")
        scene.poll()
        assert scene.told() == ("outage_confirmed", "outage", "open_outage")
        assert (scene.do()["status"], scene.do()["onus_affected"]) == ("confirmed", 4)

        scene.lighten(onus=4)
        scene.poll()

        scene.go_online()
        assert scene.told() == FINE

    def test_a_port_that_is_down_longer_than_anybody_watched(self, scene: Scene) -> None:
        scene.darken(LOS, onus=4)
        scene.poll()
        outage = scene.do()
        scene.desk.post(f"hardware/outages/{outage['id']}/close")
        assert scene.told() == ("pon_down", "pon", "discover_olt")

        scene.lighten(onus=4)
        scene.do(olt_id=str(scene.olt.pk))

        scene.go_online()
        assert scene.told() == FINE

    def test_a_silent_olt(self, scene: Scene) -> None:
        scene.wait(minutes=20)
        scene.report("Interim-Update")
        scene.simulator.fault = "silent"
        scene.poll()
        assert scene.told() == ("olt_silent", "pon", "discover_olt")
        scene.stop()
        assert scene.told() == ("olt_unreachable", "pon", "discover_olt")
        for _ in range(2):
            scene.poll()
        assert scene.told() == ("outage_suspected", "outage", "open_outage")

        scene.simulator.fault = ""
        scene.poll()

        scene.go_online()
        assert scene.told() == FINE


class TestSeveralAtOnce:
    def test_a_wrong_password_is_heard_through_the_fibre(self, scene: Scene) -> None:
        scene.go_online()
        scene.darken(LOS)
        scene.poll()
        assert scene.told() == ("onu_los", "onu", "read_onu")

        scene.lighten()
        scene.refused(CHANGED)

        assert scene.told() == ("wrong_password", "radius", "change_account")

    def test_debt_and_an_outage_are_both_told(self, scene: Scene) -> None:
        scene.poll()
        scene.darken(LOS, onus=4)
        scene.poll()
        scene.cut()

        assert scene.told() == ("held_non_payment", "money", "record_payment")
        assert scene.answer()["verdict"].endswith(" There is a second fault: suspected outage.")
        scene.do(subscriber_id=str(scene.line.subscriber_id), amount="31.00", currency="EUR", method="cash")
        wait_until(scene.is_settled)
        assert scene.told() == ("outage_suspected", "outage", "open_outage")
