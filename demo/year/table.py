"""What the year came to, as a table."""

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count, Sum

from billing.models import Invoice, InvoiceStatus, Payment
from billing.services import reports
from demo.year.walk import Year
from ispcore.tenants.context import tenant_context
from subscribers.models import ServiceStatus, Subscription


def lines_of(year: Year) -> Iterator[str]:
    """Yield the table's lines: what was done, revenue and debt, what took how long, and what did not agree."""
    last = year.clock.today - timedelta(days=1)
    with tenant_context(year.clock.tenant_id):
        yield f"\n{year.first} to {last}, {len(year.persons)} customers, {year.clock.zone.key}"
        yield "\nDone          " + ", ".join(f"{count} {what}" for what, count in sorted(year.done.items()))
        yield "Refused       " + (
            ", ".join(f"{n} × {what}" for what, n in sorted(year.clock.refused.items())) or "-"
        )
        yield "Parked        " + (", ".join(f"{n} × {what}" for what, n in year.parked.items()) or "-")
        statuses = Subscription.objects.values_list("status").annotate(Count("pk")).order_by("status")
        yield "Services      " + ", ".join(
            f"{n} {ServiceStatus(status).label.lower()}" for status, n in statuses
        )
        yield "\nInvoices      currency   kind         status          count           total            open"
        rows = Invoice.objects.values_list("currency", "kind", "status").order_by(
            "currency", "kind", "status"
        )
        for currency, kind, status, count, total, open_amount in rows.annotate(
            Count("pk"), Sum("total"), Sum("open_amount")
        ):
            named = f"{currency:<10} {kind:<12} {InvoiceStatus(status).label:<13}"
            yield f"              {named} {count:>7} {total:>15,.2f} {open_amount:>15,.2f}"
        yield "\nPayments      currency   method         count        received            back"
        paid = Payment.objects.values_list("currency", "method").order_by("currency", "method")
        for currency, method, count, amount, back in paid.annotate(
            Count("pk"), Sum("amount"), Sum("refunded")
        ):
            yield f"              {currency:<10} {method:<12} {count:>7} {amount:>15,.2f} {back:>15,.2f}"
        yield "\nMRR           month      currency             mrr       new   churned   customers"
        for month in reports.recurring(first=year.first.replace(day=1), last=last.replace(day=1), on=last):
            yield (
                f"              {month.month:%Y-%m}    {month.currency:<10} {month.mrr:>13,.2f} {month.new:>9,.2f} "
                f"{month.churned:>9,.2f} {month.subscribers:>11}"
            )
        yield "\nAged debt     currency      current        1-30       31-60       61-90     over 90       total"
        for debt in reports.aged_debt(on=last).totals:
            amounts = (
                debt.current, debt.days_1_30, debt.days_31_60, debt.days_61_90, debt.days_over_90, debt.total
            )  # fmt: skip
            yield f"              {debt.currency:<8}" + "".join(f"{amount:>12,.2f}" for amount in amounts)
    yield "\nSeconds       " + ", ".join(
        f"{what} {seconds:.1f}"
        for what, seconds in sorted(year.clock.seconds.items(), key=lambda each: -each[1])
    )
    yield f"\nLedger: {len(year.findings)} findings. Second count: {len(year.differences)} differences."
    for finding in year.findings[:40]:
        yield f"  {finding.invariant}: {finding.record}: {finding.detail}"
    for difference in year.differences[:40]:
        yield f"  {difference.what}: {difference.record}: {difference.detail}"
