"""Which cause is to blame, and how each is said: one sentence for the person on the telephone."""

from collections.abc import Sequence

from support.services.diagnosis.words import Cause, Step, StepName, StepStatus, in_a_sentence

SENTENCES: dict[Cause, str] = {
    Cause.ENDED: "The service ended {when}. Coming back takes a new service.",
    Cause.CANCELLED: "The order was called off: this service was never installed.",
    Cause.NOT_ACTIVATED: "The service was never activated: it still waits for its installation.",
    Cause.HELD_FRAUD: "Barred for fraud {since}. Only a person may lift this hold.",
    Cause.HELD_ABUSE: "Barred for abuse {since}. Only a person may lift this hold.",
    Cause.HELD_STAFF: "Barred by staff {since}{note}.",
    Cause.HELD_VACATION: "On holiday: the customer had the line barred {since}{until}.",
    Cause.PREPAID_OVER: "The prepaid period ended on {day}, and the credit does not buy the next one{missing}.",
    Cause.HELD_NON_PAYMENT: "Barred for non-payment {since}: {owes}.",
    Cause.SUSPENDED: "Suspended, though no hold is open any more: resume the service.",
    Cause.NEVER_PROVISIONED: "Active on paper only: the service has neither a RADIUS account nor an ONU.",
    Cause.ACCOUNT_DISABLED: "The RADIUS account is switched off.",
    Cause.ACCOUNT_EXPIRED: "The RADIUS account expired {when}.",
    Cause.QUOTA_USED: "The data of this period is used up: {used} of {allowance}.",
    Cause.NOT_SETTLED: "The line may run again, but its RADIUS account is still barred. It follows within minutes.",
    Cause.OUTAGE_CONFIRMED: "This line is down {since} in an outage: {cause}. {affected}.",
    Cause.OUTAGE_SUSPECTED: "Probably an outage, not yet confirmed: {cause}, {since}. {affected}.",
    Cause.OLT_UNREACHABLE: "{olt} does not answer {since}, and this line is not online.",
    Cause.PON_DOWN: "All {count} ONUs of PON port {port} are offline: {why}.",
    Cause.ONU_GONE: "{olt} no longer lists the ONU {serial}: it was removed, or replaced by another.",
    Cause.ONU_DISABLED: "The ONU is switched off at the OLT.",
    Cause.ONU_NO_POWER: "The ONU is without power {since}. Ask the customer to check the plug and the power supply.",
    Cause.ONU_LOS: "No light reaches the ONU {since}: the fibre to it is unplugged, bent or cut.",
    Cause.ONU_OFFLINE: "The ONU is offline {since}, and its OLT does not say why.",
    Cause.ONU_NOT_ONLINE: "The ONU was authorised, but has not come online yet.",
    Cause.WRONG_PASSWORD: "The customer's router logs in with a wrong password.",
    Cause.MAC_LOCKED: "The account is locked to the device {device}, but {other} tries to log in.",
    Cause.SESSION_LIMIT: "Refused: {sessions} allowed, and {device} has the place that {other} wants.",
    Cause.REFUSED_BEFORE: "The last log-in was refused ({reason}). That is over: restart the router, so that it tries "
    "again.",
    Cause.NAS_UNKNOWN: "The NAS the customer last came through is gone or switched off here, so nobody answers it.",
    Cause.NAS_SILENT: "{nas} is silent: no packet of it has arrived {since}.",
    Cause.NEVER_LOGGED_IN: "No log-in of this account ever arrived: the router is not set up, or dials in through a "
    "NAS that is not known here.",
    Cause.NOT_LOGGED_IN: "Offline {since} ({why}), and no log-in was tried after that: the router is off or does not "
    "dial in.",
    Cause.SESSION_STALE: "{nas} has not reported on the session {since}: it has most likely ended.",
    Cause.GARDEN_REMAINS: "The line may run again, but its session is still in the walled garden. Disconnect it: the "
    "next one is free.",
    Cause.POOL_FULL: "The pool {pool} has no free address left, so this line has none.",
    Cause.ADDRESS_MISSING: "The line should have an address of the pool {pool} and has none.",
    Cause.NO_ACCOUNTING: "Log-ins arrive from {nas}, its accounting does not: whether the customer is online cannot be "
    "seen.",
    Cause.NO_SESSION: "The log-in was accepted {when}, but no session began: the router or the NAS gave up after it.",
    Cause.ADDRESS_MISMATCH: "Online with {used} instead of {expected}. Disconnect the session: the next one gets it.",
    Cause.WEAK_SIGNAL: "Online, but the light is {level}: {power}. The line is slow or drops out.",
    Cause.THROTTLED: "Online and slowed down: the data of this period is used up.",
    Cause.OLT_SILENT: "The line is online. Only {olt} does not answer, so nothing is known of the fibre.",
    Cause.UNSURE: "Nothing is wrong with what can be seen from here. Not known: {unknown}.",
    Cause.FINE: "Everything that can be seen from here is in order. Ping the line, then look at the customer's own "
    "router and WiFi.",
}  # fmt: skip

SECOND = " There is a second fault: {fault}."

RANK = {cause: place for place, cause in enumerate(Cause)}
# What keeps a line offline though what was decided about it is settled. A box that the customer pulled while the line
# was barred is none of it.
DECIDED = [each for each in Cause if RANK[Cause.HELD_FRAUD] <= RANK[each] <= RANK[Cause.NOT_SETTLED]]
FAULTS = (
    Cause.OUTAGE_CONFIRMED, Cause.OUTAGE_SUSPECTED, Cause.OLT_UNREACHABLE, Cause.PON_DOWN, Cause.ONU_GONE,
    Cause.ONU_LOS, Cause.POOL_FULL,
)  # fmt: skip


def blamed(steps: Sequence[Step]) -> Step | None:
    """Return the step whose cause explains the others; None when none has one."""
    found = [step for step in steps if step.cause is not None]
    return min(found, key=lambda step: RANK[step.cause], default=None)  # type: ignore[index]


def verdict_of(steps: Sequence[Step]) -> tuple[Cause, str]:
    """Return what is to blame and the sentence that says it.

    A line that is online and has no fault is fine, whatever is not known of it: not every line is one of fibre.
    """
    culprit = blamed(steps)
    if culprit is not None and culprit.cause is not None:
        sentence = SENTENCES[culprit.cause].format(**culprit.said)
        second = blamed([step for step in steps if step.cause in FAULTS])
        if culprit.cause in DECIDED and second is not None and second.cause is not None:
            sentence += SECOND.format(fault=in_a_sentence(str(second.cause.label)))
        return culprit.cause, sentence
    works = any(step.step == StepName.SESSION and step.status == StepStatus.OK for step in steps)
    unknown = [str(step.step.label) for step in steps if step.status == StepStatus.UNKNOWN]
    if unknown and not works:
        return Cause.UNSURE, SENTENCES[Cause.UNSURE].format(unknown=", ".join(unknown))
    return Cause.FINE, SENTENCES[Cause.FINE]
