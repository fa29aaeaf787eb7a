"""Walk the chain of one line and say what to blame."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from support.services.diagnosis import access, business, network, verdicts
from support.services.diagnosis.reading import read
from support.services.diagnosis.words import Action, ActionCode, Cause, Diagnosis, StepStatus

# What leaves the line itself to be tried.
TO_BE_TRIED = (Cause.FINE, Cause.UNSURE)


def diagnose(*, subscription_id: UUID, at: datetime, with_amounts: bool) -> Diagnosis:
    """Say why a line is offline, or that it is not, from what is on record: no device is asked. Changes nothing.

    `with_amounts` says what is owed in figures; without it only since when. Raises Subscription.DoesNotExist.
    """
    found = read(subscription_id, at=at)
    steps = [
        business.account_step(found),
        business.money_step(found, with_amounts=with_amounts),
        access.radius_step(found),
        access.session_step(found),
        access.address_step(found),
        network.onu_step(found),
        network.pon_step(found),
        network.outage_step(found),
    ]
    code, sentence = verdicts.verdict_of(steps)
    culprit = verdicts.blamed(steps)
    action = Action(ActionCode.PING_SERVICE, found.line.pk) if code in TO_BE_TRIED else None
    return Diagnosis(
        subscription_id=found.line.pk,
        at=at,
        verdict_code=code,
        verdict=sentence,
        action=culprit.action if culprit else action,
        steps=[
            replace(step, is_blamed=step is culprit and step.status == StepStatus.PROBLEM) for step in steps
        ],
    )
