"""Statements as banks write them: read whole, or refused whole with a reason."""

from datetime import date
from decimal import Decimal

import pytest

from billing.models import BankLine, BankStatement, Payment, StatementStatus
from billing.services import bank
from billing.services.bank import figures
from billing.services.bank.figures import Unclear
from ispcore.files.models import StoredFile
from ispcore.tenants.models import Tenant
from tests.billing.statements import IBAN, camt, csv, entry, perform, take_in, told, transaction
from tests.factories import BillingProfileFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _billed_in_euros(acting: Tenant) -> None:
    BillingProfileFactory(currency="EUR")


class TestAmounts:
    @pytest.mark.parametrize(
        ("text", "mark", "value"),
        [
            ("1.234,56", ",", "1234.56"),
            ("1,234.56", ".", "1234.56"),
            ("1 234,56 €", ",", "1234.56"),
            ("1'234.50", ".", "1234.50"),
            ("(12.00)", ".", "-12.00"),
            ("12,00-", ",", "-12.00"),
            ("+29.90 EUR", ".", "29.90"),
            ("\u221229.90", ".", "-29.90"),
            ("5", ".", "5"),
        ],
    )
    def test_of_every_country(self, text, mark, value):
        assert figures.amount_of(text, mark) == Decimal(value)

    @pytest.mark.parametrize(
        ("texts", "currency", "mark"),
        [
            (["1.234", "29,90"], "EUR", ","),
            (["1,234", "29.90"], "EUR", "."),
            (["1.234.567"], "EUR", ","),
            (["1,234"], "KWD", ","),
            (["12"], "EUR", "."),
        ],
    )
    def test_have_one_mark_in_a_file(self, texts, currency, mark):
        assert figures.decimal_mark(texts, currency) == mark

    @pytest.mark.parametrize("text", ["", "total", "1.2x3", "NaN", "1e5", "12-13"])
    def test_that_are_none(self, text):
        with pytest.raises(Unclear):
            figures.amount_of(text, ".")

    def test_two_marks_are_refused(self):
        with pytest.raises(Unclear):
            figures.decimal_mark(["29.90", "29,90"], "EUR")


class TestDays:
    @pytest.mark.parametrize(
        ("texts", "day"),
        [
            (["2026-03-10"], date(2026, 3, 10)),
            (["20260310"], date(2026, 3, 10)),
            (["10.03.26"], date(2026, 3, 10)),
            (["3/4/2026"], date(2026, 4, 3)),
            (["3/4/2026", "3/25/2026"], date(2026, 3, 4)),
            (["2026-03-10T08:15:00Z"], date(2026, 3, 10)),
        ],
    )
    def test_are_read_in_one_way(self, texts, day):
        assert figures.days_of(texts)[0] == day

    @pytest.mark.parametrize("texts", [["31/31/2026"], ["13/1/2026", "1/13/2026"], [""], ["yesterday"]])
    def test_that_are_none(self, texts):
        with pytest.raises(Unclear):
            figures.days_of(texts)


class TestCsv:
    def test_is_read_line_by_line(self):
        found = take_in(csv("2026-03-09;29.90;Ana Silva;hello", "2026-03-10;-4.00;Bank;fees"), account=IBAN)

        assert found.status == StatementStatus.DONE
        assert (found.file_format, found.account, found.currency) == ("csv", IBAN, "EUR")
        assert (found.from_on, found.to_on) == (date(2026, 3, 9), date(2026, 3, 10))
        assert told(found) == [
            ("03-09", Decimal("29.90"), "Ana Silva", "unmatched"),
            ("03-10", Decimal("-4.00"), "Bank", "ignored"),
        ]
        assert not StoredFile.objects.exists()

    @pytest.mark.parametrize(
        "content",
        [
            "Fecha operación;Concepto;Importe;Ordenante\n10/03/2026;hola;1.029,90 €;Ana Peña\n".encode(
                "cp1252"
            ),
            "Data mov.;Descrição;Crédito;Débito;Saldo;Ordenante\n10-03-2026;olá;1.029,90;;2.000,00;Ana Peña\n".encode(),
            "Buchungstag\tVerwendungszweck\tUmsatz\tAuftraggeber\n10.03.2026\thallo\t1.029,90\tAna Peña\n".encode(
                "utf-16"
            ),
            'Konto 123\n\n"Date","Description","Amount","Payer"\n"2026-03-10","hi","1,029.90","Ana Peña"\n'.encode(),
            "التاريخ,البيان,دائن,مدين,الاسم\n10/03/2026,x,1029.90,0.00,Ana Peña\n".encode(),
        ],
    )
    def test_in_the_banks_language_and_encoding(self, content):
        assert told(take_in(content)) == [("03-10", Decimal("1029.90"), "Ana Peña", "unmatched")]

    def test_with_balances_tells_where_it_began_and_ended(self):
        header = "Date;Amount;Balance"

        rising = take_in(csv("2026-03-09;10.00;110.00", "2026-03-10;-5.00;105.00", header=header))
        falling = take_in(csv("2026-03-10;-5.00;105.00", "2026-03-08;10.00;110.00", header=header))

        assert (rising.opening_balance, rising.closing_balance) == (100, 105)
        assert (falling.opening_balance, falling.closing_balance) == (100, 105)

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "The file is empty."),
            (b"Date;Amount\n", "no line below its header"),
            (b"Nom;Prenom\nA;B\n", "names a column for the day"),
            (csv("2026-03-09;29.90;A;x", "2026-03-10;abc;A;x"), "Row 3: “abc” is no amount."),
            (csv("2026-03-09;29.90;A;x", "soon;29.90;A;x"), "Row 3: “soon” is no day."),
            (csv("2026-03-09;29.90;A;x", "2026-03-10"), "Row 3 ends in the middle"),
            (csv("2026-03-20;29.90;A;x"), "still to come"),
            (csv("1926-03-20;29.90;A;x"), "cannot be"),
            (csv("2026-03-10;29.905;A;x", "2026-03-10;29.9;A;x"), "more digits after the point"),
            (csv("2026-03-10;99999999999999;A;x"), "cannot be an amount"),
            (
                csv("2026-03-10;29.90;A;x", "2026-03-10;29,90;A;x"),
                "a point before their last digits and others",
            ),
            (
                csv("2026-03-09;10.00;110.00", "2026-03-10;5.00;116.00", header="Date;Amount;Balance"),
                "The balance of row 3 does not follow",
            ),
            (
                csv("2026-03-09;10.00;EUR", "2026-03-10;5.00;USD", header="Date;Amount;Currency"),
                "several currencies: EUR, USD",
            ),
            ("Date;Amount\n2026-03-10;5.00\n".encode("utf-16-le"), "NUL characters"),
            (b"Date;Amount;Name\n2026-03-10;5.00;\x81\x8d\n", "neither in UTF-8 nor in Windows-1252"),
        ],
    )
    def test_that_is_wrong_is_refused_whole(self, content, why):
        found = take_in(content)

        assert found.status == "failed"
        assert why in found.message
        assert not BankLine.objects.exists()
        assert not Payment.objects.exists()

    def test_without_a_currency_anywhere_asks_for_it(self):
        BillingProfileFactory(currency="USD")

        refused = take_in(csv("2026-03-09;29.90;A;x"))
        taken = take_in(csv("2026-03-09;29.90;A;x"), currency="usd")

        assert "names no currency" in refused.message
        assert (taken.status, taken.currency) == ("done", "USD")


class TestCamt:
    @pytest.mark.parametrize("version", range(2, 14))
    def test_of_every_version(self, version):
        status = "<Sts><Cd>BOOK</Cd></Sts>" if version >= 8 else "<Sts>BOOK</Sts>"
        detail = transaction("Ana Silva", "invoice", end_to_end="E2E-1", version=version)

        found = take_in(
            camt([entry("29.90", details=detail, status=status)], closing="129.90", version=version),
            name="a.xml",
        )

        assert (found.status, found.message) == ("done", "")
        assert (found.file_format, found.account, found.currency) == ("camt053", IBAN, "EUR")
        assert (found.opening_balance, found.closing_balance) == (100, Decimal("129.90"))
        line = BankLine.objects.get()
        assert (line.payer_name, line.payer_account, line.text) == (
            "Ana Silva", "DE02120300000000202051", "invoice",
        )  # fmt: skip
        assert line.end_to_end_id == "E2E-1"

    def test_an_entry_of_several_transactions_is_several_lines(self):
        details = transaction("Ana", "a", amount="10.00") + transaction("Eva", "b", amount="19.90")

        found = take_in(camt([entry("29.90", details=details)], closing="129.90"))

        assert [(amount, name) for _, amount, name, _ in told(found)] == [
            (Decimal("10.00"), "Ana"),
            (Decimal("19.90"), "Eva"),
        ]

    def test_transactions_that_do_not_make_up_their_entry_stay_together(self):
        details = transaction("Ana", "a", amount="10.00") + transaction("Eva", "b")

        found = take_in(camt([entry("29.90", details=details)], closing="129.90"))

        assert [amount for _, amount, _, _ in told(found)] == [Decimal("29.90")]
        assert "joined several payments" in BankLine.objects.get().note

    def test_debits_and_reversals_are_shown_and_not_booked(self):
        found = take_in(
            camt(
                [
                    entry("5.00", direction="DBIT"),
                    entry("29.90", direction="DBIT", reversal=True),
                    entry("7.00", reversal=True),
                    entry("50.00", status="<Sts>PDNG</Sts>"),
                ],
                closing="72.10",
            )
        )

        assert [(each[1], each[3]) for each in told(found)] == [
            (Decimal("-5.00"), "ignored"),
            (Decimal("-29.90"), "ignored"),
            (Decimal("7.00"), "unmatched"),
        ]
        assert [line.note[:20] for line in BankLine.objects.order_by("line_number")] == [
            "Money that went out.", "The bank took a paym", "The bank took back a",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (camt([entry("29.90")], closing="129.90")[:-60], "the file was cut or changed"),
            (camt([entry("29.90")], closing="130.00"), "does not add up"),
            (camt([entry("29.90", currency="USD")], closing="129.90"), "several currencies: EUR, USD"),
            (camt([entry("-29.90")], closing="70.10"), "“-29.90” is no amount."),
            (camt([entry("x")]), "“x” is no amount."),
            (camt([entry("1.00", day="2026-02-30")], closing="101.00"), "“2026-02-30” is no day."),
            (camt([]).replace(b"<Cd>CLBD</Cd>", b"<Cd>ITAV</Cd>"), "no closing balance"),
            (
                camt([]).replace(b"BkToCstmrStmt>", b"BkToCstmrDbtCdtNtfctn>"),
                "This is a notification (camt.054)",
            ),
            (b"<Document><Other/></Document>", "no statement (camt.053)"),
            (b'<!DOCTYPE x [<!ENTITY a "b">]><Document>&a;</Document>', "may be an attack"),
            (b'<?xml version="1.0" encoding="nonsense"?><Document/>', "The XML"),
        ],
    )
    def test_that_is_wrong_is_refused_whole(self, content, why):
        found = take_in(content, name="a.xml")

        assert found.status == "failed"
        assert why in found.message
        assert not BankLine.objects.exists()


class TestAgain:
    def test_the_same_file_is_refused(self):
        content = csv("2026-03-09;29.90;A;x")
        take_in(content)

        with pytest.raises(bank.StatementKnown):
            take_in(content, name="another name.csv")

        assert BankStatement.objects.count() == BankLine.objects.count() == 1

    def test_a_refused_file_may_come_again(self):
        take_in(csv("soon;29.90;A;x"))

        assert take_in(csv("soon;29.90;A;x")).status == "failed"

    def test_overlapping_statements_share_their_lines(self):
        first = take_in(csv("2026-03-09;29.90;A;x", "2026-03-09;29.90;A;x"), account=IBAN)
        second = take_in(
            csv("2026-03-09;29.90;A;x", "2026-03-09;29.90;A;x", "2026-03-09;29.90;A;x", "2026-03-10;5;B;y"),
            account=IBAN,
        )

        assert (first.lines_known, second.lines_known) == (0, 2)
        assert [each[1] for each in told(second)] == [Decimal("29.90"), Decimal("5")]
        assert BankLine.objects.count() == 4

    def test_the_same_line_on_another_account_is_another(self):
        take_in(csv("2026-03-09;29.90;A;x"), account="1")

        assert take_in(csv("2026-03-09;29.90;A;x", ""), account="2").lines_known == 0

    def test_a_job_that_comes_twice_changes_nothing(self):
        found = take_in(csv("2026-03-09;29.90;A;x"))
        before = list(BankLine.objects.values())

        perform(found)

        assert list(BankLine.objects.values()) == before
