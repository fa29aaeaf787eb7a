"""What is sent, and what its links lead to."""

WORDS: dict[str, tuple[str, str, str, str]] = {
    "letter_subject": (
        "Your log-in at {provider}",
        "Su acceso a {provider}",
        "O seu acesso à {provider}",
        "دخولكم إلى {provider}",
    ),
    "letter": (
        "Dear {name},\n\n"
        "with this link you log in to your customer pages at {provider}:\n\n"
        "{link}\n\n"
        "It works once and for {minutes} minutes. If you did not ask for it, you need do nothing: "
        "nobody can log in without it.\n\n"
        "With kind regards\n"
        "{provider}\n",
        "Estimado/a {name}:\n\n"
        "Con este enlace entra en su área de cliente de {provider}:\n\n"
        "{link}\n\n"
        "Sirve una sola vez y durante {minutes} minutos. Si no lo ha pedido, no tiene que hacer "
        "nada: sin él nadie puede entrar.\n\n"
        "Atentamente\n"
        "{provider}\n",
        "Caro/a {name},\n\n"
        "com esta ligação entra na sua área de cliente da {provider}:\n\n"
        "{link}\n\n"
        "Serve uma só vez e durante {minutes} minutos. Se não a pediu, não precisa de fazer nada: "
        "sem ela ninguém pode entrar.\n\n"
        "Com os melhores cumprimentos\n"
        "{provider}\n",
        "عزيزنا {name}،\n\n"
        "بهذا الرابط تدخلون إلى صفحاتكم لدى {provider}:\n\n"
        "{link}\n\n"
        "يعمل الرابط مرة واحدة ولمدة {minutes} دقيقة. إذا لم تطلبوه فلا حاجة إلى فعل أي شيء: لا "
        "يستطيع أحد الدخول من دونه.\n\n"
        "مع أطيب التحيات\n"
        "{provider}\n",
    ),
    "stop_title": ("No more offers", "No más ofertas", "Sem mais ofertas", "إيقاف العروض"),
    "stop_ask": (
        "Shall we no longer write to {address} about offers? What concerns your service still comes.",
        "¿Quiere que no escribamos más a {address} sobre ofertas? Lo que afecta a su servicio "
        "seguirá llegando.",
        "Quer que deixemos de escrever para {address} sobre ofertas? O que diz respeito ao seu "
        "serviço continua a chegar.",
        "هل تريدون ألا نكتب إلى {address} بشأن العروض؟ ما يخص خدمتكم سيستمر في الوصول.",
    ),
    "stop_button": ("Stop the offers", "No recibir más ofertas", "Parar as ofertas", "أوقفوا العروض"),
    "stop_done": (
        "Done: we no longer write to {address} about offers.",
        "Hecho: ya no escribiremos a {address} sobre ofertas.",
        "Feito: já não escrevemos para {address} sobre ofertas.",
        "تم: لن نكتب إلى {address} بشأن العروض بعد الآن.",
    ),
    "stop_wrong": (
        "This link is not whole. Copy it completely, or answer the e-mail.",
        "Este enlace no está completo. Cópielo entero o responda al correo.",
        "Esta ligação não está completa. Copie-a por inteiro ou responda ao e-mail.",
        "هذا الرابط غير كامل. انسخوه كاملاً أو ردّوا على الرسالة.",
    ),
    "stop_footer": (
        "No more offers: {link}",
        "Para no recibir más ofertas: {link}",
        "Para não receber mais ofertas: {link}",
        "لإيقاف العروض: {link}",
    ),
}
