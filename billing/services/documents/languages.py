"""Every word customers read on invoices, statements, e-mails and the payment page: one table, one column a language.

Amounts, dates and percentages are written by Babel, from CLDR, with Western digits. To add a language, add it to
`Language` and a column here; a test finds what is missing.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from babel.dates import format_date, format_interval
from babel.numbers import (
    format_currency,
    format_decimal,
    format_percent,
    get_currency_precision,
    get_currency_symbol,
)

from billing.models import Language
from ispcore.money import minor_units

ORDER = (Language.EN, Language.ES, Language.PT, Language.AR)
RIGHT_TO_LEFT = frozenset({Language.AR})

WORDS: dict[str, tuple[str, str, str, str]] = {
    "invoice": ("Invoice", "Factura", "Fatura", "فاتورة"),
    "credit_note": ("Credit note", "Nota de crédito", "Nota de crédito", "إشعار دائن"),
    "draft": ("Draft", "Borrador", "Rascunho", "مسودة"),
    "statement": ("Statement of account", "Estado de cuenta", "Extrato de conta", "كشف حساب"),
    "void": ("Void", "Anulada", "Anulada", "ملغاة"),
    "paid_in_full": ("Paid", "Pagada", "Paga", "مدفوعة"),
    "number": ("Number", "Número", "Número", "الرقم"),
    "date": ("Date", "Fecha", "Data", "التاريخ"),
    "due": ("Due", "Vencimiento", "Vencimento", "تاريخ الاستحقاق"),
    "period": ("Period", "Periodo", "Período", "الفترة"),
    "customer": ("Customer", "Cliente", "Cliente", "العميل"),
    "customer_number": ("Customer number", "N.º de cliente", "N.º de cliente", "رقم العميل"),
    "tax_number": ("Tax number", "NIF", "NIF", "الرقم الضريبي"),
    "corrects": ("Corrects", "Corrige", "Retifica", "تصحيح للفاتورة"),
    "reason": ("Reason", "Motivo", "Motivo", "السبب"),
    "description": ("Description", "Descripción", "Descrição", "الوصف"),
    "quantity": ("Quantity", "Cantidad", "Quantidade", "الكمية"),
    "price": ("Price", "Precio", "Preço", "السعر"),
    "amount": ("Amount", "Importe", "Valor", "المبلغ"),
    "net": ("Net", "Base imponible", "Total sem impostos", "المجموع قبل الضريبة"),
    "on": ("on", "sobre", "sobre", "على"),
    "total": ("Total", "Total", "Total", "الإجمالي"),
    "paid": ("Paid", "Pagado", "Pago", "المدفوع"),
    "credited": ("Credited", "Abonado", "Creditado", "المخصوم"),
    "open": ("To pay", "A pagar", "A pagar", "المبلغ المستحق"),
    "given_back": ("Your credit", "A su favor", "A seu favor", "رصيد لصالحكم"),
    "tax_exempt": ("Exempt from tax", "Exento de impuestos", "Isento de imposto", "معفى من الضريبة"),
    "days": ("days", "días", "dias", "يوم"),
    "hold_credit": ("Days on hold", "Días en pausa", "Dias em pausa", "أيام التوقف"),
    "end_credit": ("Days after the end", "Días tras la baja", "Dias após o fim", "أيام بعد الإنهاء"),
    "page": (
        "Page {page} of {pages}",
        "Página {page} de {pages}",
        "Página {page} de {pages}",
        "صفحة {page} من {pages}",
    ),
    "how_to_pay": ("How to pay", "Cómo pagar", "Como pagar", "طريقة الدفع"),
    "holder": ("Account holder", "Titular", "Titular", "صاحب الحساب"),
    "bank": ("Bank", "Banco", "Banco", "البنك"),
    "reference": ("Reference", "Concepto", "Referência", "المرجع"),
    "scan_bank": (
        "Scan with your banking app",
        "Escanee con la app de su banco",
        "Leia com a app do seu banco",
        "امسح الرمز بتطبيق البنك",
    ),
    "scan_link": ("Scan to pay online", "Escanee para pagar en línea", "Leia para pagar online", "امسح الرمز للدفع"),
    "pay_online": ("Pay online", "Pagar en línea", "Pagar online", "ادفع عبر الإنترنت"),
    "opening": ("Balance before", "Saldo anterior", "Saldo anterior", "الرصيد السابق"),
    "closing": ("Balance", "Saldo", "Saldo", "الرصيد"),
    "balance": ("Balance", "Saldo", "Saldo", "الرصيد"),
    "owed": ("Owed", "Cargo", "Débito", "مدين"),
    "received": ("Paid or credited", "Abono", "Crédito", "دائن"),
    "payment": ("Payment", "Pago", "Pagamento", "دفعة"),
    "refund": ("Refund", "Reembolso", "Reembolso", "استرداد"),
    "bounce": ("Bounced payment", "Pago devuelto", "Pagamento devolvido", "دفعة مرتجعة"),
    "write_off": ("Written off", "Condonado", "Anulado", "شطب"),
    "no_bookings": (
        "Nothing was booked in this time.",
        "No hay movimientos en este periodo.",
        "Não há movimentos neste período.",
        "لا توجد حركات في هذه الفترة.",
    ),
    "mail_subject": ("Invoice {number}", "Factura {number}", "Fatura {number}", "فاتورة {number}"),
    "mail_subject_credit": (
        "Credit note {number}",
        "Nota de crédito {number}",
        "Nota de crédito {number}",
        "إشعار دائن {number}",
    ),
    "mail_greeting": ("Dear {name},", "Estimado/a {name}:", "Caro/a {name},", "عزيزنا {name}،"),
    "mail_invoice": (
        "Attached is invoice {number} over {total}, due on {due}.",
        "Adjuntamos la factura {number} por {total}, con vencimiento el {due}.",
        "Em anexo segue a fatura {number} no valor de {total}, com vencimento em {due}.",
        "تجدون مرفقاً الفاتورة {number} بمبلغ {total}، وتستحق بتاريخ {due}.",
    ),
    "mail_credit": (
        "Attached is credit note {number} over {total}.",
        "Adjuntamos la nota de crédito {number} por {total}.",
        "Em anexo segue a nota de crédito {number} no valor de {total}.",
        "تجدون مرفقاً الإشعار الدائن {number} بمبلغ {total}.",
    ),
    "mail_open": (
        "To pay: {open}.",
        "Importe pendiente: {open}.",
        "Valor em dívida: {open}.",
        "المبلغ المستحق: {open}.",
    ),
    "mail_link": (
        "Pay online, without logging in:",
        "Pague en línea, sin iniciar sesión:",
        "Pague online, sem iniciar sessão:",
        "للدفع عبر الإنترنت دون تسجيل الدخول:",
    ),
    "mail_regards": ("With kind regards", "Atentamente", "Com os melhores cumprimentos", "مع أطيب التحيات"),
    "language": ("Language", "Idioma", "Idioma", "اللغة"),
    "download": ("Download the PDF", "Descargar el PDF", "Descarregar o PDF", "تنزيل ملف PDF"),
    "pay_with": ("Pay {amount}", "Pagar {amount}", "Pagar {amount}", "ادفع {amount}"),
    "by_gateway": ("By {name}", "Con {name}", "Com {name}", "بواسطة {name}"),
    "by_transfer": ("By bank transfer", "Por transferencia", "Por transferência", "بتحويل بنكي"),
    "name_reference": (
        "Please give this reference, so that the payment finds its invoice.",
        "Indique este concepto para que el pago se asigne a su factura.",
        "Indique esta referência para que o pagamento seja associado à fatura.",
        "يرجى ذكر هذا المرجع حتى تُنسب الدفعة إلى الفاتورة.",
    ),
    "no_way_to_pay": (
        "Please ask {name} how to pay.",
        "Pregunte a {name} cómo pagar.",
        "Pergunte a {name} como pagar.",
        "يرجى سؤال {name} عن طريقة الدفع.",
    ),
    "is_paid": (
        "This invoice is paid. Thank you!",
        "Esta factura está pagada. ¡Gracias!",
        "Esta fatura está paga. Obrigado!",
        "هذه الفاتورة مدفوعة. شكراً لكم!",
    ),
    "is_void": (
        "This invoice was made void: there is nothing to pay.",
        "Esta factura fue anulada: no hay nada que pagar.",
        "Esta fatura foi anulada: não há nada a pagar.",
        "أُلغيت هذه الفاتورة: لا يوجد مبلغ مستحق.",
    ),
    "is_overdue": ("Overdue since {due}", "Vencida desde el {due}", "Vencida desde {due}", "متأخرة منذ {due}"),
    "link_over": (
        "This link has expired. Please ask for a new one.",
        "Este enlace ha caducado. Solicite uno nuevo.",
        "Esta ligação expirou. Peça uma nova.",
        "انتهت صلاحية هذا الرابط. يرجى طلب رابط جديد.",
    ),
    "link_wrong": (
        "This link is not valid. Please copy it in whole.",
        "Este enlace no es válido. Cópielo completo.",
        "Esta ligação não é válida. Copie-a por inteiro.",
        "هذا الرابط غير صالح. يرجى نسخه كاملاً.",
    ),
    "too_often": (
        "Too many requests. Please try again in a minute.",
        "Demasiadas solicitudes. Inténtelo de nuevo en un minuto.",
        "Demasiados pedidos. Tente de novo dentro de um minuto.",
        "طلبات كثيرة جداً. يرجى المحاولة بعد دقيقة.",
    ),
    "pay_failed": (
        "The payment could not be started. Please try again later.",
        "No se pudo iniciar el pago. Inténtelo más tarde.",
        "Não foi possível iniciar o pagamento. Tente mais tarde.",
        "تعذر بدء الدفع. يرجى المحاولة لاحقاً.",
    ),
    "thanks": (
        "Thank you. As soon as the payment is confirmed, it is shown here.",
        "Gracias. En cuanto se confirme el pago, aparecerá aquí.",
        "Obrigado. Assim que o pagamento for confirmado, aparece aqui.",
        "شكراً لكم. سيظهر الدفع هنا فور تأكيده.",
    ),
}  # fmt: skip
_COLUMN = {language.value: number for number, language in enumerate(ORDER)}


@dataclass(frozen=True)
class Words:
    """One language: its words, and how it writes amounts and days."""

    language: str

    @property
    def is_right_to_left(self) -> bool:
        return self.language in RIGHT_TO_LEFT

    def say(self, word: str, **values: object) -> str:
        """Return a word or sentence of the table, with the values it names."""
        return WORDS[word][_COLUMN[self.language]].format(**values)

    def money(self, amount: Decimal, currency: str) -> str:
        """Write an amount with its currency, as CLDR has it."""
        digits = minor_units(currency)
        symbol = get_currency_symbol(currency, locale=self.language)
        # Without a sign of its own the code stands apart; and CLDR gives some currencies the digits of their cash.
        if symbol == currency or get_currency_precision(currency) != digits:
            return f"{self.number(amount, digits)}\u00a0{currency}"
        return str(format_currency(amount, currency, locale=self.language))

    def number(self, value: Decimal, digits: int | None = None) -> str:
        """Write a number, with so many digits after the point; without them, as few as it needs."""
        form = "#,##0." + ("0" * digits if digits is not None else "####")
        return str(format_decimal(value, form.removesuffix("."), locale=self.language))

    def percent(self, value: Decimal) -> str:
        return str(format_percent(value / 100, "#,##0.####\u00a0%", locale=self.language))

    def day(self, on: date | None) -> str:
        return str(format_date(on, "medium", locale=self.language)) if on else ""

    def days(self, first: date | None, until: date | None) -> str:
        """Write a half-open span by its first and its last day."""
        if first is None or until is None:
            return ""
        last = until - timedelta(days=1)
        return (
            self.day(first)
            if last <= first
            else str(format_interval(first, last, "yMMMd", locale=self.language))
        )


def words_of(language: str) -> Words:
    """Return a language by its code; English for one nobody translated."""
    return Words(language if language in _COLUMN else Language.EN.value)
