"""What customers read: PDF/A-2b with its fonts, in four languages; the code to pay by; statements."""

import csv
import io
import re
import struct
import zlib
from datetime import date
from decimal import Decimal
from string import Formatter
from typing import Any

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st

from billing.models import Language, LineKind, TaxExemption, TaxRate, TransferKind
from billing.services import invoices, payments
from billing.services.documents import codes, identity, invoice_pdf, statement_csv, statement_pdf, statements
from billing.services.documents.invoices import invoice_values
from billing.services.documents.languages import ORDER, WORDS, words_of
from billing.services.documents.typesetting import render
from ispcore.errors import DomainError
from tests.billing.issued import AT, IBAN, make_customer, make_identity, make_issued

pytestmark = pytest.mark.django_db


def objects_of(pdf: bytes) -> bytes:
    """Return the file with its compressed streams opened: enough to look for what PDF/A asks for."""
    found = [pdf]
    for start in re.finditer(rb"stream\r?\n", pdf):
        end = pdf.find(b"endstream", start.end())
        try:
            found.append(zlib.decompressobj().decompress(pdf[start.end() : end]))
        except zlib.error:
            continue
    return b"\n".join(found)


def png(width: int = 4, height: int = 2) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + b"\x20\x40\x80" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return identity.PNG + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class TestLanguages:
    def test_say_every_word_with_the_same_values(self):
        for name, row in WORDS.items():
            assert len(row) == len(ORDER) == len(Language)
            named = [{field for _, field, _, _ in Formatter().parse(text) if field} for text in row]
            assert all(text for text in row), name
            assert named.count(named[0]) == len(row), name

    @pytest.mark.parametrize(
        ("language", "euro", "percent", "days"),
        [
            ("en", "€1,234.50", "20.5\u00a0%", "Mar 1\u2009–\u200931, 2026"),
            ("es", "1.234,50\u00a0€", "20,5\u00a0%", "1–31 mar 2026"),
            ("pt", "€\u00a01.234,50", "20,5\u00a0%", "1\u2009–\u200931 de mar. de 2026"),
            ("ar", "\u200f1,234.50\u00a0€", "20.5\u00a0%", "1–31 مارس 2026"),
        ],
    )
    def test_write_amounts_and_days_their_own_way(self, language, euro, percent, days):
        words = words_of(language)

        assert words.money(Decimal("1234.5"), "EUR") == euro
        assert words.percent(Decimal("20.5000")) == percent
        assert words.days(date(2026, 3, 1), date(2026, 4, 1)) == days

    def test_give_each_currency_the_digits_of_iso_4217(self):
        words = words_of("en")

        shown = [words.money(Decimal("1234.0000"), each) for each in ("JPY", "KWD", "IQD", "CLF", "ZAR")]
        assert shown == [
            "¥1,234",
            "1,234.000\u00a0KWD",
            "1,234.000\u00a0IQD",
            "1,234.0000\u00a0CLF",
            "1,234.00\u00a0ZAR",
        ]

    def test_of_nobody_are_english(self):
        assert words_of("tlh").say("invoice") == "Invoice"


class TestInvoicePdf:
    @pytest.mark.parametrize("language", Language.values)
    def test_is_pdf_a_2b_with_its_fonts_inside(self, acting, language):
        make_identity(iban=IBAN, logo=png())

        pdf = invoice_pdf(make_issued(), language=language, link="https://isp.example/pay/x")

        found = objects_of(pdf)
        assert pdf.startswith(b"%PDF-1.7")
        assert b"<pdfaid:part>2</pdfaid:part>" in found
        assert b"<pdfaid:conformance>B</pdfaid:conformance>" in found
        assert b"/OutputIntent" in found
        assert b"/Encrypt" not in found
        assert b"/JavaScript" not in found
        # ISO 19005-2, 6.2.11.4: every font's program is in the file.
        descriptors = found.count(b"/Type/FontDescriptor") + found.count(b"/Type /FontDescriptor")
        assert descriptors >= 2
        assert len(re.findall(rb"/FontFile[23]?\b", found)) == descriptors
        assert (b"DejaVuSansMono" in found) == (language == "ar")

    def test_is_the_same_bytes_for_the_same_invoice(self, acting):
        make_identity(iban=IBAN)
        invoice = make_issued()

        assert invoice_pdf(invoice) == invoice_pdf(invoice)

    def test_takes_nothing_anybody_typed_for_markup(self, acting):
        make_identity(legal_name='#panic("x") *bold* $x$ \\', note='#import "/etc/passwd"')
        customer = make_customer(full_name='"#read("/etc/passwd")')

        assert invoice_pdf(make_issued(customer)).startswith(b"%PDF-1.7")

    @pytest.mark.parametrize("name", ["山田太郎", "Ann \N{GRINNING FACE}", "สมชาย", "a\x0eb"])
    def test_of_a_name_no_font_has_is_set_all_the_same(self, acting, name):
        make_identity(iban=IBAN)

        pdf = invoice_pdf(make_issued(make_customer(full_name=name)))

        assert pdf.startswith(b"%PDF-1.7")
        assert b"<pdfaid:part>" not in objects_of(pdf)

    def test_of_many_lines_has_many_pages(self, acting):
        pdf = invoice_pdf(make_issued(make_customer(), *["1.00"] * 120))

        assert objects_of(pdf).count(b"/Type/Page\n") + len(re.findall(rb"/Type ?/Page\b(?!s)", pdf)) > 2

    def test_can_be_looked_at(self, acting):
        values = invoice_values(make_issued(), make_identity(logo=png()), language="ar")

        assert render("invoice.typ", values, at=AT, kind="png").startswith(identity.PNG)


class TestWhatItShows:
    def test_taxes_by_rate_and_what_is_open(self, acting):
        TaxRate.objects.create(name="VAT", percent=20, starts_on=date(2020, 1, 1))
        TaxRate.objects.create(name="Levy 3 %", percent=3, starts_on=date(2020, 1, 1))
        invoice = make_issued(make_customer(), "100.00", "50.00")
        payments.receive(
            subscriber_id=invoice.subscriber_id,
            amount=Decimal(60),
            currency="EUR",
            method="cash",
            received_at=AT,
        )
        invoices.credit(invoice_id=invoice.pk, reason="Too slow", at=AT, amount=Decimal(20))
        invoice.refresh_from_db()

        values = invoice_values(invoice, make_identity(iban=IBAN))

        assert values["totals"] == [
            ("Net", "€150.00", False),
            ("Levy 3 % on €150.00", "€4.50", False),
            ("VAT 20\u00a0% on €150.00", "€30.00", False),
            ("Total", "€184.50", True),
            ("Paid", "-€60.00", False),
            ("Credited", "-€20.00", False),
            ("To pay", "€104.50", True),
        ]
        assert ("IBAN", "DE89 3704 0044 0532 0130 00") in values["pay"]["rows"]
        assert values["stamp"] == ""

    def test_nothing_to_pay_once_it_is_paid(self, acting):
        invoice = make_issued()
        payments.receive(
            subscriber_id=invoice.subscriber_id,
            amount=Decimal(100),
            currency="EUR",
            method="cash",
            received_at=AT,
        )
        invoice.refresh_from_db()

        values = invoice_values(invoice, make_identity(iban=IBAN), link="https://isp.example/pay/x")

        assert values["pay"] == {"rows": [], "code": "", "caption": "", "link": ""}
        assert values["stamp"] == "Paid"

    def test_a_code_of_the_link_where_there_is_no_account(self, acting):
        values = invoice_values(make_issued(), make_identity(), link="https://isp.example/pay/x")

        assert values["pay"]["code"].startswith("<svg")
        assert values["pay"]["caption"] == "Scan to pay online"
        assert values["pay"]["rows"] == []

    def test_a_credit_note_names_what_it_corrects(self, acting):
        invoice = make_issued()
        note = invoices.credit(invoice_id=invoice.pk, reason="Too slow", at=AT, amount=Decimal(40))

        values = invoice_values(note, make_identity(iban=IBAN))

        assert values["heading"] == "Credit note"
        assert ("Corrects", invoice.number) in values["facts"]
        assert ("Reason", "Too slow") in values["facts"]
        assert values["lines"][0]["amount"] == "€40.00"
        assert values["pay"]["code"] == ""

    def test_why_no_tax_is_charged(self, acting):
        rate = TaxRate.objects.create(name="VAT", percent=20, starts_on=date(2020, 1, 1))
        customer = make_customer()
        TaxExemption.objects.create(
            subscriber=customer, rate=rate, reason="Art. 151 Dir. 2006/112/EC", starts_on=date(2026, 1, 1)
        )

        values = invoice_values(make_issued(customer), make_identity())

        assert values["note"] == "Exempt from tax: Art. 151 Dir. 2006/112/EC."

    def test_our_own_words_in_the_reader_s_language(self, acting):
        invoice = make_issued()
        line = invoice.lines.get()
        line.kind, line.days, line.period_days, line.formula = (
            LineKind.HOLD_CREDIT,
            14,
            28,
            "31 × 14 / 28 days",
        )
        line.period_start, line.period_end = date(2026, 2, 8), date(2026, 2, 22)

        from billing.services.documents import invoices as documents

        shown = documents._line(line, line, "EUR", words_of("es"))

        assert shown["text"] == "Días en pausa"
        assert shown["note"] == "8–21 feb 2026 · 100,00\u00a0€ × 14 / 28 días"

    def test_foreign_words_keep_their_direction(self, acting):
        values = invoice_values(make_issued(), make_identity(), language="ar")

        assert values["rtl"]
        assert values["seller"]["name"] == "\u2068Fibra S.L.\u2069"


class TestCodes:
    def test_of_a_transfer_are_epc069_12(self, monkeypatch):
        made = []

        def make_qr(text: str, **how: Any) -> Any:
            made.append(text)
            return real(text, **how)

        real = segno.make_qr
        monkeypatch.setattr(segno, "make_qr", make_qr)

        code = codes.transfer_code(
            name="Fibra S.L.", iban=IBAN, bic="", amount=Decimal("12.3000"), text="INV-2026-000001"
        )

        assert code.startswith("<svg")
        assert made == [f"BCD\n002\n1\nSCT\n\nFibra S.L.\n{IBAN}\nEUR12.30\n\n\nINV-2026-000001"]

    @pytest.mark.parametrize("amount", [Decimal(0), Decimal("1000000000")])
    def test_are_not_made_of_amounts_no_transfer_has(self, amount):
        assert codes.transfer_code(name="A", iban=IBAN, bic="", amount=amount, text="x") == ""


class TestIdentity:
    @pytest.mark.parametrize(
        "iban", [IBAN, "GB29NWBK60161331926819", "NO9386011117947", "MT84MALT011000012345MTLCAST001S"]
    )
    def test_knows_an_iban(self, iban):
        assert identity.is_iban(iban)

    @given(at=st.integers(4, len(IBAN) - 1), digit=st.sampled_from("0123456789"))
    def test_sees_a_mistyped_digit(self, at, digit):
        mistyped = IBAN[:at] + digit + IBAN[at + 1 :]

        assert identity.is_iban(mistyped) == (mistyped == IBAN)

    @pytest.mark.parametrize(
        "given_",
        [
            {"iban": "DE00370400440532013000"},
            {"bic": "SHORT"},
            {"logo": b"GIF89a"},
            {"logo": png(3000, 1)},
            {"logo": identity.PNG},
            {"logo": identity.JPEG + b"\0" * 300_000},
            {"address": "a\nb\nc\nd\ne\nf"},
        ],
    )
    def test_refuses_what_no_invoice_could_show(self, acting, given_):
        make_identity()

        with pytest.raises(DomainError):
            identity.change_identity(**given_)

        kept = identity.billing_identity()
        kept.refresh_from_db()
        assert (kept.iban, kept.bic, bytes(kept.logo)) == ("", "", b"")

    def test_is_kept_as_banks_write_it(self, acting):
        shown = identity.change_identity(
            legal_name="Fibra S.L.", iban="de89 3704 0044 0532 0130 00", logo=png()
        )

        assert shown.iban == IBAN
        assert identity.logo_svg(bytes(shown.logo)).startswith(
            '<svg xmlns="http://www.w3.org/2000/svg" width="4"'
        )


class TestStatements:
    def test_come_from_the_ledger(self, acting):
        TaxRate.objects.create(name="VAT", percent=20, starts_on=date(2020, 1, 1))
        customer = make_customer()
        earlier = make_issued(customer, "10.00", at=AT.replace(month=2))
        invoice = make_issued(customer, "100.00")
        payments.receive(
            subscriber_id=customer.pk, amount=Decimal(50), currency="EUR", method="bank", reference="=HYPERLINK()",
            received_at=AT,
        )  # fmt: skip

        found = statements.statement_of(
            customer, currency="EUR", first=date(2026, 3, 1), last=date(2026, 3, 31)
        )

        assert found.opening == earlier.total == 12
        assert [(one.kind, one.reference, one.amount, one.balance) for one in found.entries] == [
            ("invoice", invoice.number, 120, 132),
            ("payment", "=HYPERLINK()", -50, 82),
        ]
        assert found.closing == 82
        rows = list(csv.reader(io.StringIO(statement_csv(found))))
        assert rows[0] == ["date", "kind", "reference", "amount", "balance", "currency"]
        assert rows[3] == ["2026-03-10", "payment", "'=HYPERLINK()", "-50.00", "82.00", "EUR"]
        assert b"<pdfaid:part>2" in objects_of(statement_pdf(found, at=AT, language="ar"))

    def test_of_nothing_say_so(self, acting):
        found = statements.statement_of(make_customer(), currency="EUR", first=AT.date(), last=AT.date())

        assert (found.opening, found.closing, found.entries) == (0, 0, [])
        assert statement_pdf(found, at=AT).startswith(b"%PDF-1.7")

    def test_name_every_kind_of_booking(self):
        # Vouchers are sold to nobody in particular: that stands on no statement.
        assert set(statements.NAMES) == set(TransferKind) - {TransferKind.SALE}

    def test_do_not_run_backwards(self, acting):
        with pytest.raises(statements.SpanTurned):
            statements.statement_of(
                make_customer(), currency="EUR", first=date(2026, 3, 2), last=date(2026, 3, 1)
            )
