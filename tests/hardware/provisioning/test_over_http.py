"""Authorise, restart and remove an ONU over HTTP, with a real worker and a simulated OLT over SSH."""

from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from demo.olt import SimulatedOlt
from hardware.models import Olt, Onu, OnuPreset, OnuStatus, ProvisioningJob, ProvisioningStatus, WaitingOnu
from hardware.services import provisioning
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.jobs.tasks import sweep
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.client import Api
from tests.factories import OltFactory, OnuFactory, SubscriptionFactory
from tests.workers import celery_worker, wait_until

AUTHORIZE, UNAUTHORIZE = "hardware/olt/onu/authorize", "hardware/olt/onu/unauthorize"


def data(response: Any, status: int = 200) -> Any:
    assert response.status_code == status, response.json()
    return response.json()["data"]


def refusal(response: Any) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["code"], error.get("field", "")


@pytest.mark.django_db(transaction=True)
class TestWithAWorker:
    def test_an_onu_s_life(
        self, worker: None, api: Api, tenant: Tenant, olt: Olt, preset: OnuPreset, simulator: SimulatedOlt
    ) -> None:
        serial = simulator.plug_in(0)
        with tenant_context(tenant.pk):
            line = SubscriptionFactory()

        assert data(api.post(f"hardware/olts/{olt.pk}/refresh-waiting"))["waiting"] == 1
        (waiting,) = data(api.get(f"hardware/waiting-onus?olt_id={olt.pk}&pon_port=0/1/0"))
        assert (waiting["serial"], waiting["equipment_id"]) == (serial, "EG8145V5")

        body = {
            "ip": olt.ip, "serial": serial.lower(), "pon_port": waiting["pon_port"], "service_id": str(line.pk),
            "preset_id": str(preset.pk), "description": "Elm St 3",
        }  # fmt: skip
        authorised = data(api.post(AUTHORIZE, body))
        again = data(api.post(AUTHORIZE, body))

        assert (authorised["status"], authorised["already"], authorised["onu_number"]) == (
            "authorised",
            False,
            2,
        )
        assert (again["status"], again["already"]) == ("authorised", True)
        assert data(api.get("hardware/waiting-onus")) == []
        detail = data(api.get(f"hardware/provisioning-jobs/{authorised['provisioning_job_id']}"))
        assert [step["state"] for step in detail["plan"]] == ["done", "done"]
        assert "ont add 0 2 sn-auth" in detail["transcript"]
        listed = data(api.get(f"hardware/provisioning-jobs?onu_id={authorised['onu_id']}"))
        assert [row["status"] for row in listed] == ["succeeded", "succeeded"]
        assert "transcript" not in listed[0]

        wait_until(lambda: simulator.onus[0, 2].online)
        data(api.post("hardware/olt/discover", {"olt_id": str(olt.pk)}))
        assert data(api.get(f"hardware/onus/{authorised['onu_id']}"))["status"] == "online"

        assert data(api.post(f"hardware/onus/{authorised['onu_id']}/reboot"))["status"] == "restarted"
        removed = data(api.post(UNAUTHORIZE, {"olt_id": str(olt.pk), "index": "0/1/0/2"}))
        assert (removed["status"], removed["serial"]) == ("removed", serial)
        assert (0, 2) not in simulator.onus
        data(api.post("hardware/olt/discover", {"olt_id": str(olt.pk)}))
        assert data(api.get(f"hardware/onus/{authorised['onu_id']}"))["status"] == "removed"
        (waiting,) = data(api.get("hardware/waiting-onus"))
        assert waiting["serial"] == serial

    def test_a_failure_is_the_answer_and_can_be_rolled_back(
        self, worker: None, api: Api, olt: Olt, preset: OnuPreset, simulator: SimulatedOlt
    ) -> None:
        serial = simulator.plug_in(0)
        body = {
            "olt_id": str(olt.pk), "serial": serial, "pon_port": "0/1/0", "preset_id": str(preset.pk),
            "service_profile": "nothing",
        }  # fmt: skip

        refused = api.post(AUTHORIZE, body)

        assert refusal(refused)[:2] == (409, "device_refused")
        assert "The service profile does not exist" in refused.json()["error"]["message"]
        (change,) = data(api.get(f"hardware/provisioning-jobs?serial={serial}&status=failed"))
        back = data(api.post(f"hardware/provisioning-jobs/{change['id']}/roll-back"))
        assert back["status"] == "rolled_back"
        again = api.post(f"hardware/provisioning-jobs/{change['id']}/resume")
        assert refusal(again)[:2] == (409, "not_resumable")


@pytest.mark.django_db(databases=["default", "platform"], transaction=True)
def test_a_change_survives_the_death_of_its_worker(
    tenant: Tenant, olt: Olt, preset: OnuPreset, simulator: SimulatedOlt, tmp_path: Path
) -> None:
    from demo.olt.huawei_cli import CliFault

    serial = simulator.plug_in(0)
    simulator.cli.fault = CliFault.parse("silent=service-port")
    with tenant_context(tenant.pk):
        change = provisioning.request_authorize(olt=olt, pon_port="0/1/0", serial=serial, preset=preset)

    def job() -> Job:
        with tenant_context(tenant.pk):
            found: Job = Job.objects.get(pk=change.job_id)
            return found

    with celery_worker(tmp_path / "first.log") as first:
        wait_until(lambda: bool(simulator.service_ports))  # Sent, and its answer never comes.
        first.kill()
    with tenant_context(tenant.pk):
        change.refresh_from_db()
        assert (change.status, [step["state"] for step in change.plan]) == ("running", ["done", "started"])
        assert not Onu.objects.exists()
        # Instead of waiting for the lease to run out.
        Job.objects.filter(pk=change.job_id).update(heartbeat_at=Now() - jobs.LEASE * 2)

    assert sweep() == 1
    with celery_worker(tmp_path / "second.log"):
        wait_until(lambda: not job().is_active)

    ended = job()
    assert (ended.status, ended.attempts) == (JobStatus.SUCCEEDED, 2), ended.error_message
    with tenant_context(tenant.pk):
        change.refresh_from_db()
        assert (change.status, change.service_port) == (ProvisioningStatus.SUCCEEDED, "0")
        assert Onu.objects.get().status == OnuStatus.AUTHORISED
    sent = [each.split(" ")[0:2] for each in simulator.cli.commands]
    assert (sent.count(["ont", "add"]), sent.count(["service-port", "vlan"])) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_for_one_serial_one_wins(
    api: Api, tenant: Tenant, olt: Olt, preset: OnuPreset, simulator: SimulatedOlt
) -> None:
    barrier = Barrier(2)
    answers: list[Any] = []

    def ask(pon_port: str) -> None:
        body = {
            "olt_id": str(olt.pk), "serial": "HWTC12345678", "pon_port": pon_port, "preset_id": str(preset.pk),
        }  # fmt: skip
        barrier.wait()
        answers.append(api.post(AUTHORIZE, body, Prefer="respond-async"))
        connection.close()

    threads = [Thread(target=ask, args=(port,)) for port in ("0/1/0", "0/1/1")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    refused, accepted = sorted(answers, key=lambda answer: answer.status_code, reverse=True)
    assert accepted.status_code == 202
    assert refusal(refused)[:2] == (409, "provisioning_in_progress")
    with tenant_context(tenant.pk):
        assert ProvisioningJob.objects.count() == Job.objects.count() == 1


@pytest.mark.django_db
class TestWhatIsRefused:
    @pytest.fixture
    def body(self, olt: Olt, preset: OnuPreset) -> dict[str, Any]:
        return {
            "olt_id": str(olt.pk), "serial": "HWTC12345678", "pon_port": "0/1/0", "preset_id": str(preset.pk),
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("description", "Elm St\nreboot system"),
            ("description", 'Elm" vlan 1'),
            ("description", "what?"),
            ("description", "Elm St\t3"),
            ("serial", "HWTC1234;reboot"),
            ("serial", "HWTC12345678\nquit"),
            ("line_profile", "10 ont-srvprofile-id 1"),
            ("service_profile", "a\rreboot"),
            ("onu_type", "F601|x"),
            ("tcont_profile", "`x`"),
            ("pon_port", "0/1/0 ont 1"),
            ("pon_port", "0/1/0\n1"),
            ("vlan", 4095),
            ("gem_port", "1 undo"),
        ],
    )
    def test_nothing_reaches_a_command_line_that_means_something_to_it(
        self, api: Api, tenant: Tenant, simulator: SimulatedOlt, body: dict[str, Any], field: str, value: Any
    ) -> None:
        response = api.post(AUTHORIZE, body | {field: value})

        assert response.status_code == 422, response.json()
        assert field in str(response.json()["error"])
        with tenant_context(tenant.pk):
            assert not ProvisioningJob.objects.exists()
        assert simulator.cli.commands == []

    def test_a_preset_s_words_are_checked_too(self, api: Api) -> None:
        response = api.post(
            "hardware/onu-presets", {"name": "Bad", "vendor": "huawei", "line_profile": "10\nreboot"}
        )

        assert refusal(response)[0] == 422

    def test_other_tenants_records_are_not_there(
        self, api: Api, tenant: Tenant, other_tenant: Tenant, body: dict[str, Any]
    ) -> None:
        with tenant_context(other_tenant.pk):
            olt, onu, line = OltFactory(), OnuFactory(), SubscriptionFactory()
            preset = OnuPreset.objects.create(name="Theirs", vendor="huawei")

        answers = [
            api.post(AUTHORIZE, body | {"olt_id": str(olt.pk)}),
            api.post(AUTHORIZE, body | {"service_id": str(line.pk)}),
            api.post(AUTHORIZE, body | {"preset_id": str(preset.pk)}),
            api.post(UNAUTHORIZE, {"olt_id": str(olt.pk), "serial": onu.serial}),
            api.post(UNAUTHORIZE, {"olt_id": body["olt_id"], "serial": onu.serial}),
            api.post(f"hardware/onus/{onu.pk}/reboot"),
            api.post(f"hardware/olts/{olt.pk}/refresh-waiting"),
        ]

        assert {answer.status_code for answer in answers} == {404}
        with tenant_context(tenant.pk):
            assert not ProvisioningJob.objects.exists()
            assert not Job.objects.exists()

    def test_an_address_that_is_not_registered_is_never_contacted(
        self, api: Api, tenant: Tenant, simulator: SimulatedOlt, body: dict[str, Any]
    ) -> None:
        with tenant_context(tenant.pk):
            Olt.objects.update(ip="192.0.2.77")
        asked = {name: value for name, value in body.items() if name != "olt_id"}

        response = api.post(AUTHORIZE, asked | {"ip": simulator.host})

        assert refusal(response)[:2] == (404, "olt_not_registered")
        assert (simulator.cli.logins, simulator.requests) == (0, 0)

    def test_one_of_another_vendor_or_without_a_name(
        self, api: Api, tenant: Tenant, body: dict[str, Any]
    ) -> None:
        with tenant_context(tenant.pk):
            ufiber = OltFactory(vendor="ufiber")

        unsupported = api.post(AUTHORIZE, body | {"olt_id": str(ufiber.pk), "preset_id": None})
        bare = api.post(UNAUTHORIZE, {"olt_id": body["olt_id"]})

        assert unsupported.status_code in (409, 422)
        assert refusal(bare)[0] == 400

    def test_reading_is_no_changing(self, api_as: Any, olt: Olt, body: dict[str, Any]) -> None:
        from ispcore.tenants.roles import Role

        support = api_as(Role.SUPPORT)

        assert support.get("hardware/provisioning-jobs").status_code == 200
        assert support.post(AUTHORIZE, body).status_code == 403
        assert support.post(f"hardware/olts/{olt.pk}/refresh-waiting").status_code == 403


@pytest.mark.django_db
def test_an_olt_s_secrets_are_taken_and_never_given_back(api: Api) -> None:
    given = {
        "name": "Central", "vendor": "huawei", "ip": "192.0.2.9", "community": "r3ad-w0rd",
        "write_community": "wr1te-w0rd", "cli_protocol": "ssh", "cli_username": "isp", "cli_password": "l0gin-w0rd",
    }  # fmt: skip

    made = api.post("hardware/olts", given)
    shown = api.get(f"hardware/olts/{data(made, 201)['id']}")

    assert data(shown)["cli_username"] == "isp"
    for secret in ("r3ad-w0rd", "wr1te-w0rd", "l0gin-w0rd"):
        assert secret not in made.content.decode() + shown.content.decode()
    two_lines = api.patch(f"hardware/olts/{data(made, 201)['id']}", {"cli_password": "a\nreboot"})
    assert two_lines.status_code == 422


@pytest.mark.django_db
def test_lists_take_the_same_queries_for_one_and_for_six(
    api: Api, tenant: Tenant, olt: Olt, preset: OnuPreset, query_count: Any
) -> None:
    from django.utils import timezone

    def make(first: int, last: int) -> None:
        with tenant_context(tenant.pk):
            for number in range(first, last):
                provisioning.request_authorize(
                    olt=olt, pon_port="0/1/0", serial=f"HWTC0000000{number}", preset=preset
                )
                WaitingOnu.objects.create(
                    olt=olt, serial=f"HWTC1000000{number}", pon_port="0/1/0",
                    first_seen_at=timezone.now(), last_seen_at=timezone.now(),
                )  # fmt: skip
                OnuPreset.objects.create(name=f"Preset {number}", vendor="huawei")

    paths = ("hardware/provisioning-jobs", "hardware/waiting-onus", "hardware/onu-presets")
    make(1, 2)
    few = [query_count(api.get, path) for path in paths]
    make(2, 7)

    assert [query_count(api.get, path) for path in paths] == few
