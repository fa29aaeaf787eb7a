"""How many invoices one core sets as PDF a second: PDF/A-2b with a logo, five lines with their formulas, and a code.

`make bench-documents`, half a minute; no servers. The values are those an invoice's page shows, in memory: what the
database adds is a handful of queries. One compiler in one process, as in the workers. CPU time is what a core does;
the clock shows what other work on the machine leaves of it.
"""

import argparse
import os
import struct
import time
import zlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ispcore.settings")

AT = datetime(2026, 3, 1, tzinfo=UTC)
IBAN = "DE89370400440532013000"  # The example of the IBAN registry.
LINES = 5


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.documents", description=__doc__)
    parser.add_argument("--documents", type=int, default=300, help="per case and round")
    parser.add_argument("--rounds", type=int, default=3, help="the best of them counts")
    options = parser.parse_args()

    import django

    django.setup()
    print(f"{'case':<34} {'PDF/s of CPU':>13} {'by the clock':>13} {'kB each':>8}")
    for name, changes in CASES.items():
        best = max(
            (measure(options.documents, changes) for _ in range(options.rounds)), key=lambda each: each[0]
        )
        print(f"{name:<34} {best[0]:>13.1f} {best[1]:>13.1f} {best[2] / 1000:>8.1f}")


CASES: dict[str, dict[str, Any]] = {
    "no logo, no code": {"has_logo": False, "has_code": False},
    "code": {"has_logo": False},
    "logo and code": {},
    "logo and code, Arabic": {"language": "ar"},
}


def measure(count: int, changes: dict[str, Any]) -> tuple[float, float, float]:
    """Return documents a second of CPU and by the clock, and the bytes of one."""
    from billing.services.documents.typesetting import render

    render("invoice.typ", values(0, **changes), at=AT)
    cpu, clock, size = time.process_time(), time.perf_counter(), 0
    for number in range(1, count + 1):
        size += len(render("invoice.typ", values(number, **changes), at=AT))
    return count / (time.process_time() - cpu), count / (time.perf_counter() - clock), size / count


def values(
    number: int, *, language: str = "en", has_logo: bool = True, has_code: bool = True
) -> dict[str, Any]:
    """Return what the template shows of one invoice; no two are alike."""
    from billing.models import BillingIdentity
    from billing.services.documents import codes
    from billing.services.documents.invoices import frame
    from billing.services.documents.languages import words_of

    words, name = words_of(language), f"INV-2026-{number:06d}"
    identity = BillingIdentity(
        tenant_id=UUID(int=0), legal_name="Fibra S.L.", tax_id="B12345678", address="Calle Mayor 1\n28013 Madrid",
        logo=LOGO if has_logo else b"",
    )  # fmt: skip

    def money(amount: str) -> str:
        return words.money(Decimal(amount), "EUR")

    code = codes.transfer_code(name="Fibra S.L.", iban=IBAN, bic="", amount=Decimal(100 + number), text=name)
    return {
        **frame(identity, words),
        "title": name,
        "heading": words.say("invoice"),
        "stamp": "",
        "words": {
            each: words.say(each)
            for each in ("customer", "description", "quantity", "price", "amount", "how_to_pay", "pay_online")
        },
        "customer": {
            "name": f"Customer {number}",
            "lines": [f"Street {number}", "1200-195 Lisboa", f"SUB-{number:06d}"],
        },
        "facts": [(words.say("number"), name), (words.say("date"), words.day(AT.date()))],
        "lines": [
            {
                "text": f"Fibre {each}00",
                "note": f"{words.days(date(2026, 3, 11), date(2026, 4, 1))} · {money('31')} × 21 / 31",
                "quantity": "1",
                "price": money("31"),
                "amount": money(f"{number}.{each}0"),
            }
            for each in range(1, LINES + 1)
        ],
        "totals": [(words.say("net"), money("105"), False), (words.say("total"), money(f"{number}"), True)],
        "pay": {
            "rows": [(words.say("holder"), "Fibra S.L."), ("IBAN", IBAN), (words.say("reference"), name)],
            "code": code if has_code else "",
            "caption": words.say("scan_bank"),
            "link": f"https://isp.example/pay/{number}",
        },
        "note": "",
    }


def _png(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(
        b"\0" + b"".join(bytes((x * 255 // width, 90, y * 255 // height)) for x in range(width))
        for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


LOGO = _png(320, 96)

if __name__ == "__main__":
    main()
