"""The notices that come with the product: one subject and one sentence for each event and language.

{customer} and {provider} stand in all; what else an event knows is in `PLACEHOLDERS`.
"""

from support.models import Channel, NoticeKind

COMMON = ("customer", "provider")
_INVOICE = (*COMMON, "number", "amount", "due", "link")
_TICKET = (*COMMON, "ticket", "title")
PLACEHOLDERS: dict[str, tuple[str, ...]] = {
    NoticeKind.WELCOME: (*COMMON, "customer_number"),
    NoticeKind.INVOICE: _INVOICE,
    NoticeKind.REMINDER: _INVOICE,
    NoticeKind.SUSPENSION: COMMON,
    NoticeKind.REACTIVATION: COMMON,
    NoticeKind.OUTAGE: (*COMMON, "since"),
    NoticeKind.OUTAGE_OVER: (*COMMON, "since"),
    NoticeKind.TICKET_OPENED: _TICKET,
    NoticeKind.TICKET_ANSWERED: (*_TICKET, "answer"),
    NoticeKind.TICKET_RESOLVED: _TICKET,
    NoticeKind.MASS: COMMON,
}
# What goes out where a provider has set nothing. A welcome does not: taking over customers would greet them all.
# Invoices and their reminders go by e-mail from billing, once; here they go in other ways only.
_MATTERS = {NoticeKind.SUSPENSION, NoticeKind.REACTIVATION, NoticeKind.OUTAGE, NoticeKind.OUTAGE_OVER}
USUAL: dict[str, set[NoticeKind]] = {
    Channel.EMAIL: _MATTERS
    | {NoticeKind.TICKET_OPENED, NoticeKind.TICKET_ANSWERED, NoticeKind.TICKET_RESOLVED},
    Channel.SMS: _MATTERS | {NoticeKind.INVOICE, NoticeKind.REMINDER},
    Channel.WHATSAPP: _MATTERS | {NoticeKind.INVOICE, NoticeKind.REMINDER},
}
NEVER_BY_EMAIL = (NoticeKind.INVOICE, NoticeKind.REMINDER)

GREETING = {
    "en": "Hello {customer},",
    "es": "Hola, {customer}:",
    "pt": "Olá {customer},",
    "ar": "مرحبا {customer}،",
}
# Event -> language -> (subject, sentence).
TEXTS: dict[str, dict[str, tuple[str, str]]] = {
    NoticeKind.WELCOME: {
        "en": ("Welcome to {provider}", "Welcome! Your customer number is {customer_number}."),
        "es": ("Le damos la bienvenida a {provider}", "¡Bienvenido! Su número de cliente es {customer_number}."),
        "pt": ("Bem-vindo à {provider}", "Bem-vindo! O seu número de cliente é {customer_number}."),
        "ar": ("أهلا بكم في {provider}", "أهلا بكم! رقمكم لدينا هو {customer_number}."),
    },
    NoticeKind.INVOICE: {
        "en": ("Invoice {number}", "Your invoice {number} over {amount} is due on {due}: {link}"),
        "es": ("Factura {number}", "Su factura {number} por {amount} vence el {due}: {link}"),
        "pt": ("Fatura {number}", "A sua fatura {number} de {amount} vence em {due}: {link}"),
        "ar": ("الفاتورة {number}", "فاتورتكم {number} بمبلغ {amount} مستحقة في {due}: {link}"),
    },
    NoticeKind.REMINDER: {
        "en": ("Invoice {number}", "{amount} of your invoice {number}, due on {due}, is still open: {link}"),
        "es": ("Factura {number}", "Quedan {amount} por pagar de su factura {number}, vencimiento {due}: {link}"),
        "pt": ("Fatura {number}", "Faltam pagar {amount} da sua fatura {number}, vencimento {due}: {link}"),
        "ar": ("الفاتورة {number}", "لا يزال {amount} من فاتورتكم {number} المستحقة في {due} غير مدفوع: {link}"),
    },
    NoticeKind.SUSPENSION: {
        "en": (
            "Your service is suspended",
            "Your service is suspended because invoices are overdue. It comes back as soon as they are paid.",
        ),
        "es": (
            "Su servicio está suspendido",
            "Su servicio está suspendido por facturas vencidas. Vuelve en cuanto estén pagadas.",
        ),
        "pt": (
            "O seu serviço está suspenso",
            "O seu serviço está suspenso por faturas em atraso. Volta assim que estiverem pagas.",
        ),
        "ar": ("خدمتكم موقوفة", "تم إيقاف خدمتكم بسبب فواتير متأخرة. تعود الخدمة فور دفعها."),
    },
    NoticeKind.REACTIVATION: {
        "en": ("Your service is running again", "Thank you for paying: your service is running again."),
        "es": ("Su servicio vuelve a funcionar", "Gracias por su pago: su servicio vuelve a funcionar."),
        "pt": ("O seu serviço está de volta", "Obrigado pelo pagamento: o seu serviço está de volta."),
        "ar": ("عادت خدمتكم", "شكرا على الدفع: عادت خدمتكم إلى العمل."),
    },
    NoticeKind.OUTAGE: {
        "en": (
            "There is an outage on your line",
            "Since {since} there is an outage that affects your line. We are working on it; you need not call.",
        ),
        "es": (
            "Hay una avería en su línea",
            "Desde {since} hay una avería que afecta a su línea. Trabajamos en ello; no hace falta que llame.",
        ),
        "pt": (
            "Há uma avaria na sua linha",
            "Desde {since} há uma avaria que afeta a sua linha. Estamos a tratar disso; não precisa de ligar.",
        ),
        "ar": ("هناك عطل في خطكم", "منذ {since} هناك عطل يؤثر على خطكم. نعمل على إصلاحه ولا حاجة للاتصال بنا."),
    },
    NoticeKind.OUTAGE_OVER: {
        "en": ("The outage is over", "The outage since {since} is over: your line works again."),
        "es": ("La avería está resuelta", "La avería desde {since} está resuelta: su línea vuelve a funcionar."),
        "pt": ("A avaria está resolvida", "A avaria desde {since} está resolvida: a sua linha está de volta."),
        "ar": ("انتهى العطل", "انتهى العطل الذي بدأ في {since}: عاد خطكم إلى العمل."),
    },
    NoticeKind.TICKET_OPENED: {
        "en": ("{ticket}: we have your request", "We have your request {ticket}: {title}. We will get back to you."),
        "es": ("{ticket}: solicitud recibida", "Hemos recibido su solicitud {ticket}: {title}. Le responderemos."),
        "pt": ("{ticket}: recebemos o seu pedido", "Recebemos o seu pedido {ticket}: {title}. Vamos responder-lhe."),
        "ar": ("{ticket}: استلمنا طلبكم", "استلمنا طلبكم {ticket}: {title}. سنرد عليكم."),
    },
    NoticeKind.TICKET_ANSWERED: {
        "en": ("{ticket}: there is an answer", "There is an answer to {ticket}, {title}:\n\n{answer}"),
        "es": ("{ticket}: hay una respuesta", "Hay una respuesta a {ticket}, {title}:\n\n{answer}"),
        "pt": ("{ticket}: há uma resposta", "Há uma resposta a {ticket}, {title}:\n\n{answer}"),
        "ar": ("{ticket}: هناك رد", "هناك رد على {ticket}، {title}:\n\n{answer}"),
    },
    NoticeKind.TICKET_RESOLVED: {
        "en": ("{ticket}: resolved", "We consider {ticket}, {title}, resolved. If it is not, please answer us."),
        "es": ("{ticket}: resuelto", "Damos por resuelto {ticket}, {title}. Si no es así, respóndanos."),
        "pt": ("{ticket}: resolvido", "Damos {ticket}, {title}, por resolvido. Se não for assim, responda-nos."),
        "ar": ("{ticket}: تم الحل", "نعتبر {ticket}، {title}، محلولا. إن لم يكن كذلك فيرجى الرد علينا."),
    },
}  # fmt: skip
# What a preview shows in place of a customer's own.
SAMPLES = {
    "customer": "Maria Silva", "customer_number": "SUB-000184", "provider": "Your company", "number": "INV-2026-00042",
    "amount": "29.90", "due": "2026-03-31", "link": "https://isp.example/pay/…", "since": "2026-03-02 10:15",
    "ticket": "TKT-000184", "title": "No connection", "answer": "Please restart the box.",
}  # fmt: skip
