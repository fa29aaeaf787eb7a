"""Carry out a planned change at the device: step by step, each one stored before the next.

No transaction is open while the device is spoken to. What is stored of each step (planned, started, done) lets a
run that is taken up again tell what it need not send; where the device can show it, it is asked.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from hardware import drivers
from hardware.drivers import CliStep, Driver, OnuPlace, Preset, Step
from hardware.models import (
    UNFINISHED,
    Olt,
    Onu,
    PonPort,
    ProvisioningAction,
    ProvisioningJob,
    ProvisioningStatus,
    StepState,
)
from hardware.services import claims, outcomes, planning, provisioning
from hardware.services.conversation import Conversation, words_of
from hardware.services.devices import DeviceUnreachable, speaking_to
from ispcore.errors import DomainError
from ispcore.jobs import services as jobs

WAIT_HERE_SECONDS = 5.0  # For another change of the same OLT; then the thread is given back.
COME_BACK_SECONDS = 5
LOOK_AGAIN_SECONDS = 0.25
SURVEY_WAIT_SECONDS = 60.0
TRANSCRIPT_LENGTH = 200_000

OVER = (StepState.DONE, StepState.FOUND, StepState.UNDONE)


class OutcomeUnknown(DomainError):
    code = "outcome_unknown"
    message = (
        "'{step}' was sent before the run was interrupted, and the device cannot tell whether it happened. "
        "Resume the change to send it again."
    )


class StepNotConfirmed(DomainError):
    code = "step_not_confirmed"
    message = "The device took '{step}', and does not show it."


class OnuNotListed(DomainError):
    code = "onu_not_listed"
    message = "{name} no longer lists {serial}. Discover the OLT."


class ProvisioningEnded(DomainError):
    code = "provisioning_ended"
    message = "This change has ended as {status}."


class PlanChanged(DomainError):
    code = "plan_changed"
    message = (
        "The plan of this change is drawn differently now. Look at the device, then ask for a new change."
    )


@dataclass(frozen=True)
class Survey:
    """What the device lists: the driver that reads it, where the serial is, whose numbers are taken."""

    driver: Driver
    pon_port: str | None
    onu_number: int | None
    taken: dict[str, set[int]]


def provision_onu(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Carry out a planned change of an ONU from the first step that is not done; return what it came to.

    Safe to repeat, also after the worker died: a step that the device shows as done is not sent again. One
    change runs per OLT, others wait. A failure is stored with its code, and can be resumed or rolled back.
    """
    change = _begin(run)
    work = _Work(run, change, at=at)
    with _failing(work):
        steps = work.draw()
        work.carry_out(steps)
        with run.tenant():
            run.hold()
            return outcomes.succeed(change, at=at)


def roll_back_onu(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Undo the steps that a failed authorisation did, last first; what was so before it stays.

    Safe to repeat, as `provision_onu`.
    """
    change = _begin(run)
    work = _Work(run, change, at=at)
    with _failing(work):
        work.take_back(work.draw_again())
        with run.tenant():
            run.hold()
            outcomes.end(change, ProvisioningStatus.ROLLED_BACK)
            return outcomes.result(change, "rolled_back")


def _begin(run: jobs.Run) -> ProvisioningJob:
    """Become the one change that runs at this OLT, once the others have ended.

    Raises NotYet after a while, ProvisioningEnded when the change is over or another run's.
    """
    give_up_at = time.monotonic() + WAIT_HERE_SECONDS
    while True:
        with run.tenant():
            run.hold()
            change: ProvisioningJob = ProvisioningJob.objects.select_related("olt", "subscription").get(
                pk=run.params["provisioning_id"]
            )
            if change.job_id != run.job_id or change.status not in UNFINISHED:
                raise ProvisioningEnded(status=change.get_status_display().lower())
            provisioning.close_orphans(olt_id=change.olt_id)
            if change.status == ProvisioningStatus.RUNNING or _start(change):
                return change
        run.progress(0, len(change.plan), f"Waiting: another change runs at {change.olt.name}")
        if time.monotonic() > give_up_at:
            raise jobs.NotYet(COME_BACK_SECONDS)
        time.sleep(LOOK_AGAIN_SECONDS)


def _start(change: ProvisioningJob) -> bool:
    try:
        with transaction.atomic():
            ProvisioningJob.objects.filter(pk=change.pk).update(
                status=ProvisioningStatus.RUNNING, started_at=Now(), updated_at=Now()
            )
    except IntegrityError:
        return False
    # What is saved at the end must not take back when it began.
    change.refresh_from_db(fields=("status", "started_at"))
    return True


class _Work:
    """One run of one change."""

    def __init__(self, run: jobs.Run, change: ProvisioningJob, *, at: datetime) -> None:
        self.run = run
        self.change = change
        self.olt: Olt = change.olt
        self.at = at
        self._talk: Conversation | None = None
        self._driver: Driver | None = None

    def draw(self) -> tuple[Step, ...]:
        """Ask the device where the serial is, and draw the plan for that; what was done of it stays done.

        Raises OnuElsewhere, OnuNumberTaken, PonPortFull, OnuNotListed, PlanChanged and what `speaking_to` does.
        """
        survey = self._survey()
        change = self.change
        if change.action == ProvisioningAction.AUTHORIZE:
            number = self._number_for(survey)
        elif survey.pon_port is None or survey.onu_number is None:
            if change.action == ProvisioningAction.REBOOT:
                raise OnuNotListed(name=self.olt.name, serial=change.serial)
            self._save(plan=[{**step, "state": _gone_state(step)} for step in change.plan])
            return ()
        else:  # A serial is an ONU's identity, a place is not: what is there now is what is meant.
            change.pon_port, number = survey.pon_port, survey.onu_number
        if number != change.onu_number:
            change.onu_number = number
        steps = self._steps()
        self._keep_or_redraw(steps)
        return steps

    def draw_again(self) -> tuple[Step, ...]:
        """Draw the plan as it was carried out, to be taken back. Raises PlanChanged."""
        survey = self._survey()
        if survey.pon_port is None:
            self._save(plan=[{**step, "state": _undone_state(step)} for step in self.change.plan])
            return ()
        steps = self._steps()
        is_elsewhere = (survey.pon_port, survey.onu_number) != (self.change.pon_port, self.change.onu_number)
        if is_elsewhere or not _same(steps, self.change.plan):
            raise PlanChanged
        return steps

    def carry_out(self, steps: Sequence[Step]) -> None:
        """Send what is not done, one step after the other. Raises what `Conversation` does, OutcomeUnknown."""
        with self._conversation() as talk:
            for position, step in enumerate(steps):
                state = self.change.plan[position]["state"]
                if state in OVER:
                    continue
                self.run.progress(position, len(steps), step.name)
                is_done, rows = talk.check(step)
                if is_done:
                    was_sent = state in (StepState.STARTED, StepState.UNKNOWN)
                    self._mark(position, StepState.DONE if was_sent else StepState.FOUND, rows)
                    continue
                if state == StepState.STARTED and is_done is None and not step.repeatable:
                    raise OutcomeUnknown(step=step.name)
                self._mark(position, StepState.STARTED)
                rows = talk.do(step)
                self._mark(position, StepState.DONE, rows + self._confirm(talk, step))

    def take_back(self, steps: Sequence[Step]) -> None:
        with self._conversation() as talk:
            for position, step in reversed(list(enumerate(steps))):
                if self.change.plan[position]["state"] not in (
                    StepState.STARTED,
                    StepState.UNKNOWN,
                    StepState.DONE,
                ):
                    continue
                self.run.progress(len(steps) - position - 1, len(steps), f"Take back: {step.name}")
                if step.undo:
                    talk.undo(step)
                self._mark(position, StepState.UNDONE)

    def fail(self, *, code: str, message: str) -> None:
        """Store why the change ended, with what was said until then."""
        with self.run.tenant():
            self.run.hold()
            self._keep_transcript()
            outcomes.end(self.change, ProvisioningStatus.FAILED, code=code, message=message)

    def _survey(self) -> Survey:
        """Read which serial has which place; the device knows better than what is stored."""
        try:
            return self._read_places()
        except claims.ClaimLost as error:
            raise claims.DeviceBusy(name=self.olt.name) from error

    def _read_places(self) -> Survey:
        run, change = self.run, self.change
        with (
            claims.claimed(
                olt_id=self.olt.pk,
                name=self.olt.name,
                at=self.at,
                wait_seconds=SURVEY_WAIT_SECONDS,
                tenant=run.tenant,
                on_wait=lambda: run.progress(0, len(change.plan), f"Waiting: {self.olt.name} is being read"),
            ) as claim,
            speaking_to(self.olt) as transport,
        ):
            run.progress(0, len(change.plan), f"Looking for {change.serial} on {self.olt.name}")
            driver = drivers.DRIVERS[self.olt.vendor]
            system = driver.read_system(transport)
            driver = driver.choose(transport, system, remembered=self.olt.dialect)

            def beat(done: int, total: int, message: str = "") -> None:
                claim.keep()
                run.progress(done, total, message)

            found = driver.read_tables(transport, system, beat, ())
        if not found.onus_complete:
            reason = found.failures[0].reason if found.failures else "some of its rows cannot be read"
            raise DeviceUnreachable(reason=f"The ONUs of {self.olt.name} could not be listed: {reason}")
        taken: dict[str, set[int]] = {}
        place: tuple[str | None, int | None] = (None, None)
        for onu in found.onus:
            if (onu.serial or "").upper() == change.serial:
                place = (onu.pon_port, onu.onu_id)
            elif onu.pon_port is not None and onu.onu_id is not None:
                taken.setdefault(onu.pon_port, set()).add(onu.onu_id)
        self._driver = planning.with_access(self.olt, driver, ProvisioningAction(change.action))
        return Survey(self._driver, *place, taken)

    def _number_for(self, survey: Survey) -> int:
        """Return the number to authorise under: the one it has, the one asked for, or a free one."""
        change = self.change
        if survey.pon_port is not None and survey.onu_number is not None:
            if survey.pon_port != change.pon_port:
                raise planning.OnuElsewhere(serial=change.serial, pon_port=survey.pon_port, olt=self.olt.name)
            return survey.onu_number
        taken = survey.taken.get(change.pon_port, set())
        if change.onu_number is not None and change.onu_number not in taken:
            return change.onu_number
        if change.profile.get("onu_number") is not None:
            raise planning.OnuNumberTaken(number=change.onu_number, pon_port=change.pon_port)
        with self.run.tenant():
            taken |= planning.numbers_taken(self.olt, change.pon_port, besides=change.serial)
        return planning.draw_free(survey.driver, taken, olt=self.olt, pon_port=change.pon_port)

    def _steps(self) -> tuple[Step, ...]:
        change, driver = self.change, self._driver
        assert driver is not None
        assert change.onu_number is not None
        with self.run.tenant():
            if_index = (
                PonPort.objects.filter(olt=self.olt, index=change.pon_port)
                .values_list("if_index", flat=True)
                .first()
            )
            index = (
                Onu.objects.filter(olt=self.olt, serial=change.serial).values_list("index", flat=True).first()
            )
        place = OnuPlace(
            pon_port=change.pon_port,
            onu_id=change.onu_number,
            serial=change.serial,
            if_index=if_index,
            description=change.description,
            index=index or "",
        )
        if change.action == ProvisioningAction.AUTHORIZE:
            profile = Preset(**{name: change.profile[name] for name in planning.PRESET_FIELDS})
            steps = planning.plan(self.olt, lambda: driver.plan_authorize(place, profile))
        elif change.action == ProvisioningAction.UNAUTHORIZE:
            steps = planning.plan(self.olt, lambda: driver.plan_unauthorize(place))
        else:
            steps = planning.plan(self.olt, lambda: driver.plan_reboot(place))
        planning.require_access(self.olt, steps)
        return steps

    def _keep_or_redraw(self, steps: tuple[Step, ...]) -> None:
        """Take the plan as drawn now; once something was sent it may no longer differ."""
        change = self.change
        if _same(steps, change.plan):
            return
        if any(step["state"] != StepState.PLANNED for step in change.plan):
            raise PlanChanged
        self._save(plan=planning.drawn(steps))

    def _conversation(self) -> Conversation:
        assert self._driver is not None
        self._talk = Conversation(self.olt, self._driver, on_host_key=self._remember_host_key)
        return self._talk

    def _confirm(self, talk: Conversation, step: Step) -> list[dict[str, str]]:
        """Read back what was done, where the device shows it. Raises StepNotConfirmed."""
        if not isinstance(step, CliStep):
            return []
        is_done, rows = talk.check(step)
        if is_done is False:
            raise StepNotConfirmed(step=step.name)
        return rows

    def _mark(self, position: int, state: StepState, rows: Sequence[dict[str, str]] = ()) -> None:
        """Store how far a step came, with what was said until then: a short transaction of its own."""
        change = self.change
        plan = [dict(step) for step in change.plan]
        plan[position]["state"] = state
        for row in rows:
            if change.action == ProvisioningAction.AUTHORIZE and (number := row.get("service_port")):
                change.service_port = number[:80]
        self._save(plan=plan)

    def _save(self, *, plan: list[dict[str, Any]]) -> None:
        change = self.change
        change.plan = plan
        change.steps_done = sum(step["state"] in (StepState.DONE, StepState.FOUND) for step in plan)
        with self.run.tenant():
            self.run.hold()
            self._keep_transcript()
            change.save(
                update_fields=[
                    "plan",
                    "steps_done",
                    "transcript",
                    "service_port",
                    "pon_port",
                    "onu_number",
                    "updated_at",
                ]
            )

    def _keep_transcript(self) -> None:
        if self._talk:
            text = self.change.transcript + self._talk.take_transcript()
            self.change.transcript = text[-TRANSCRIPT_LENGTH:]

    def _remember_host_key(self, key: str) -> None:
        with self.run.tenant():
            Olt.objects.filter(pk=self.olt.pk, cli_host_key="").update(cli_host_key=key)
        self.olt.cli_host_key = key


class _failing:  # noqa: N801  (reads as a verb where it is used)
    """Store whatever ends the block as the change's failure, and let it go on."""

    def __init__(self, work: _Work) -> None:
        self._work = work

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DomainError):
            self._work.fail(code=error.code, message=str(error))
        elif isinstance(error, jobs.JobLost):  # Cancelled, or another worker's now: only the former is ended.
            with self._work.run.tenant():
                provisioning.close_orphans(olt_id=self._work.olt.pk)
        elif isinstance(error, Exception):
            self._work.fail(
                code="internal_error", message="Something went wrong here. Resume it, or roll it back."
            )


def _same(steps: Sequence[Step], plan: list[dict[str, Any]]) -> bool:
    words = [{name: step[name] for name in ("name", "commands", "undo")} for step in plan]
    return [words_of(step) for step in steps] == words


def _gone_state(step: dict[str, Any]) -> str:
    return str(step["state"]) if step["state"] == StepState.DONE else StepState.FOUND


def _undone_state(step: dict[str, Any]) -> str:
    return str(step["state"]) if step["state"] == StepState.PLANNED else StepState.UNDONE
