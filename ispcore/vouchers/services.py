"""What is done with vouchers whatever they are good for. A batch has the fields and the `vouchers` of both kinds."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, Q, QuerySet

from ispcore.files.services import write_file
from ispcore.jobs import services as jobs
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant
from ispcore.vouchers.codes import SHOWN_SIGNS, hash_code, new_codes, normal_code

TEMPLATE = Path(settings.BASE_DIR) / "templates" / "ispcore" / "vouchers.typ"


def make_vouchers(
    run: jobs.Run,
    *,
    batches: QuerySet[Any],
    random_signs: int,
    sheet_name: str,
    render: Callable[..., bytes],
    at: datetime,
) -> dict[str, Any]:
    """Make a batch's vouchers and the sheet they are printed on: all or none. Safe to repeat: made once.

    Codes and sheet are made before the transaction; a worker that dies leaves nothing, and the next makes new ones.
    """
    with run.tenant():
        batch = batches.get(pk=run.params["batch_id"])
        tenant = Tenant.objects.get(pk=current_tenant_id())
        if batch.vouchers.exists():
            return _made(batch)
    codes = new_codes(batch.quantity, prefix=batch.prefix, random_signs=random_signs)
    run.progress(0, batch.quantity, "Printing the sheet")
    pdf = render(batch, codes, provider=tenant.name)
    with run.tenant():
        run.hold()
        batch = batches.select_for_update(of=("self",)).get(pk=batch.pk)
        if not batch.vouchers.exists():
            shown = len(batch.prefix) + SHOWN_SIGNS
            rows = [
                batch.vouchers.model(batch=batch, code_hash=hash_code(code), shown=code[:shown])
                for code in codes
            ]
            batch.vouchers.bulk_create(rows, batch_size=2000)
            with write_file(
                name=f"{sheet_name}-{at.astimezone(ZoneInfo(tenant.timezone)).date()}-{batch.pk.hex[-6:]}.pdf",
                media_type="application/pdf",
                app_label=batch._meta.app_label,
                user_id=run.user_id,
            ) as (file, stream):
                stream.write(pdf)
            batch.sheet = file
            batch.save(update_fields=["sheet", "updated_at"])
    return _made(batch)


def render_sheet(
    batch: Any, codes: Sequence[str], *, provider: str, good_for: str, in_bold: bool = False
) -> bytes:
    """Return the PDF of a batch: a card for each code, 24 on an A4 page, to be cut along the lines.

    It is set by typst from a template and values: nothing a person typed is ever markup.
    """
    import typst  # A library of 34 MB that only the worker needs that makes a sheet.

    values = {
        "provider": provider,
        "batch": batch.name,
        "good_for": good_for,
        "in_bold": in_bold,
        "before": f"{batch.use_before:%Y-%m-%d}" if batch.use_before else "",
        "codes": list(codes),
    }
    pdf: bytes = typst.compile(
        TEMPLATE.read_bytes(),
        format="pdf",
        sys_inputs={"values": json.dumps(values)},
        ignore_system_fonts=True,
    )
    return pdf


def lock_voucher(vouchers: QuerySet[Any], code: str) -> Any:
    """Lock the voucher a code is of, as somebody typed it; return it with its batch, or None."""
    rows = vouchers.select_for_update(of=("self",)).select_related("batch")
    return rows.filter(code_hash=hash_code(normal_code(code))).first()


def with_counts(batches: QuerySet[Any], *, used: Sequence[str]) -> QuerySet[Any]:
    """Add to each batch how many of its vouchers are `unused`, `used` (in one of these states) and `revoked`."""
    counted: QuerySet[Any] = batches.annotate(
        unused=Count("vouchers", filter=Q(vouchers__state="unused")),
        used=Count("vouchers", filter=Q(vouchers__state__in=used)),
        revoked=Count("vouchers", filter=Q(vouchers__state="revoked")),
    )
    return counted


def _made(batch: Any) -> dict[str, Any]:
    return {
        "batch_id": str(batch.pk),
        "vouchers": batch.quantity,
        "file_id": str(batch.sheet_id),
        "url": f"/api/v1/files/{batch.sheet_id}/content",
    }
