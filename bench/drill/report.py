"""The table of the drill."""

from bench.drill.faults import Outcome
from bench.drill.load import Load

KINDS = ("payments", "log-ins", "accounting", "webhooks")


def heads() -> str:
    return "{:32} {:8} {:>9} {:>9} {:>11} {:>9} {:>8} {:>8} {:>6}".format(
        "what", "host", *(f"{kind}" for kind in KINDS), "billed", "well", "lost"
    )


def line(outcome: Outcome) -> str:
    """Return one fault's line: the longest silence of each kind of traffic, and what took how long, in seconds."""
    silences = [f"{outcome.silences[kind]:.1f}" for kind in KINDS]
    billed = "never" if outcome.billed is None else f"{outcome.billed:.1f}"
    lost = str(len(outcome.findings.wrong)) if outcome.findings.wrong else "0"
    return "{:32} {:8} {:>9} {:>9} {:>11} {:>9} {:>8} {:>8} {:>6}".format(
        str(outcome.fault), outcome.host, *silences, billed, f"{outcome.healthy:.1f}", lost
    )


def details(outcome: Outcome) -> list[str]:
    answers = ", ".join(f"{status} x {count}" for status, count in sorted(outcome.statuses.items()))
    return [f"    {words}" for words in (*outcome.findings.wrong, *outcome.restarts, f"answers: {answers}")]


def totals(load: Load, invoices: int, runs: int) -> list[str]:
    answered, log_ins = len(load.told), load.log_ins
    missing = answered - sum(1 for pk in set(load.told.values()) if pk in load.received)
    repeated = load.received.total() - len(load.received)
    return [
        f"{answered} payments answered, {len(load.unsure)} given up unanswered by their client",
        f"{log_ins['accept']} log-ins accepted, {log_ins['reject']} rejected, {log_ins['nobody']} unanswered",
        f"{len(load.acknowledged)} sessions accounted for",
        f"{invoices} invoices in {runs} billing runs",
        f"{len(load.received)} payments told by webhook, {missing} missing, {repeated} repeated",
    ]
