"""What a reminder says: before, on and after the day an invoice is due."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.services.documents.languages import words_of


@dataclass(frozen=True)
class Letter:
    subject: str
    body: str


# Language -> (before, on the day, after): subject, sentence.
_WORDS = {
    "en": (
        ("Invoice {number} is due on {due_on}", "Your invoice {number} over {amount} is due on {due_on}."),
        ("Invoice {number} is due today", "Your invoice {number} over {amount} is due today."),
        (
            "Invoice {number} is overdue",
            "Your invoice {number} was due on {due_on}; {amount} of it is still open. Please pay it soon, so that your "
            "service goes on.",
        ),
    ),
    "es": (
        ("La factura {number} vence el {due_on}", "Su factura {number} por {amount} vence el {due_on}."),
        ("La factura {number} vence hoy", "Su factura {number} por {amount} vence hoy."),
        (
            "La factura {number} está vencida",
            "Su factura {number} venció el {due_on} y quedan {amount} por pagar. Le rogamos que la pague pronto para "
            "mantener su servicio.",
        ),
    ),
    "pt": (
        ("A fatura {number} vence em {due_on}", "A sua fatura {number} de {amount} vence em {due_on}."),
        ("A fatura {number} vence hoje", "A sua fatura {number} de {amount} vence hoje."),
        (
            "A fatura {number} está em atraso",
            "A sua fatura {number} venceu em {due_on} e faltam pagar {amount}. Pedimos que a pague em breve, para "
            "manter o seu serviço.",
        ),
    ),
    "ar": (
        ("الفاتورة {number} مستحقة في {due_on}", "فاتورتكم {number} بمبلغ {amount} مستحقة في {due_on}."),
        ("الفاتورة {number} مستحقة اليوم", "فاتورتكم {number} بمبلغ {amount} مستحقة اليوم."),
        (
            "الفاتورة {number} متأخرة",
            "استحقت فاتورتكم {number} في {due_on} ولا يزال {amount} غير مدفوع. يرجى الدفع قريبا لاستمرار الخدمة.",
        ),
    ),
}
_GREETING = {"en": "Hello {name},", "es": "Hola, {name}:", "pt": "Olá {name},", "ar": "مرحبا {name}،"}
_PAID = {
    "en": "If you have paid meanwhile, nothing more is needed.",
    "es": "Si ya ha pagado, no tiene que hacer nada más.",
    "pt": "Se já pagou, não precisa de fazer mais nada.",
    "ar": "إذا كنتم قد دفعتم فلا حاجة إلى أي شيء آخر.",
}


def write(
    *,
    language: str,
    name: str,
    number: str,
    step: int,
    due_on: date,
    amount: Decimal,
    currency: str,
    link: str,
    provider: str,
) -> Letter:
    """Return the words of one reminder, in plain text; `step` is days after the due date, `link` where it is paid."""
    words = words_of(language)
    language = words.language
    subject, sentence = _WORDS[language][0 if step < 0 else 1 if step == 0 else 2]
    values = {
        "number": number,
        "due_on": words.day(due_on),
        "amount": words.money(amount, currency),
        "name": name,
    }
    parts = [
        _GREETING[language].format(**values),
        sentence.format(**values),
        f"{words.say('mail_link')}\n{link}",
        _PAID[language],
        provider,
    ]
    body = "\n\n".join(parts) + "\n"
    return Letter(subject=" ".join(subject.format(**values).split()), body=body)
