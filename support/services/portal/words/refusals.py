"""What is refused, in a customer's words."""

WORDS: dict[str, tuple[str, str, str, str]] = {
    "refused": (
        "This is not possible. Please call us.",
        "Esto no es posible. Llámenos, por favor.",
        "Não é possível. Por favor, ligue-nos.",
        "هذا غير ممكن. يرجى الاتصال بنا.",
    ),
    "link_expired": (
        "This link was used before, or is older than 15 minutes. Ask for a new one.",
        "Este enlace ya se usó o tiene más de 15 minutos. Pida uno nuevo.",
        "Esta ligação já foi usada ou tem mais de 15 minutos. Peça uma nova.",
        "استُخدم هذا الرابط من قبل أو مضى عليه أكثر من 15 دقيقة. اطلبوا رابطاً جديداً.",
    ),
    "log_in_refused": (
        "The e-mail address or the password is wrong. Check both, or let us send you a link.",
        "La dirección o la contraseña no es correcta. Compruebe ambas o pida un enlace.",
        "O endereço ou a palavra-passe está errado. Confirme ambos ou peça uma ligação.",
        "العنوان أو كلمة المرور غير صحيح. تحققوا منهما أو اطلبوا رابطاً.",
    ),
    "person_switched_off": (
        "This log-in is switched off. Please call us.",
        "Este acceso está desactivado. Llámenos, por favor.",
        "Este acesso está desativado. Por favor, ligue-nos.",
        "هذا الدخول موقوف. يرجى الاتصال بنا.",
    ),
    "password_of_staff": (
        "You work with this address too: change your password on the staff site.",
        "También trabaja con esta dirección: cambie su contraseña en el sitio del personal.",
        "Também trabalha com este endereço: mude a palavra-passe no site do pessoal.",
        "تعملون بهذا العنوان أيضاً: غيّروا كلمة المرور في موقع الموظفين.",
    ),
    "password_too_short": (
        "This password is too short: take at least 10 characters.",
        "Esta contraseña es demasiado corta: use al menos 10 caracteres.",
        "Esta palavra-passe é demasiado curta: use pelo menos 10 caracteres.",
        "كلمة المرور قصيرة جداً: استخدموا 10 أحرف على الأقل.",
    ),
    "password_too_similar": (
        "This password is too like your name or address.",
        "Esta contraseña se parece demasiado a su nombre o dirección.",
        "Esta palavra-passe é demasiado parecida com o seu nome ou endereço.",
        "كلمة المرور تشبه اسمكم أو عنوانكم كثيراً.",
    ),
    "password_too_common": (
        "Many people use this password: it is easily guessed.",
        "Mucha gente usa esta contraseña: se adivina fácilmente.",
        "Muita gente usa esta palavra-passe: adivinha-se facilmente.",
        "كلمة المرور هذه شائعة ويسهل تخمينها.",
    ),
    "password_entirely_numeric": (
        "This password is made of digits only: add letters.",
        "Esta contraseña solo tiene cifras: añada letras.",
        "Esta palavra-passe só tem algarismos: junte letras.",
        "كلمة المرور مكونة من أرقام فقط: أضيفوا حروفاً.",
    ),
    "rate_limited": (
        "Too many attempts. Wait a few minutes, then try again.",
        "Demasiados intentos. Espere unos minutos y vuelva a probar.",
        "Demasiadas tentativas. Espere uns minutos e tente de novo.",
        "محاولات كثيرة جداً. انتظروا بضع دقائق ثم حاولوا من جديد.",
    ),
    "too_large": (
        "This is too large. Send smaller files.",
        "Es demasiado grande. Envíe archivos más pequeños.",
        "É demasiado grande. Envie ficheiros mais pequenos.",
        "الحجم كبير جداً. أرسلوا ملفات أصغر.",
    ),
    "form_over": (
        "This page was open for too long, or your browser keeps no cookies. Go back and send it again.",
        "La página llevaba demasiado tiempo abierta o su navegador no guarda cookies. Vuelva atrás y "
        "envíelo otra vez.",
        "A página esteve aberta demasiado tempo ou o seu navegador não guarda cookies. Volte atrás e "
        "envie de novo.",
        "بقيت الصفحة مفتوحة طويلاً أو أن متصفحكم لا يحفظ ملفات تعريف الارتباط. عودوا وأرسلوا من جديد.",
    ),
    "not_found": (
        "There is nothing at this address.",
        "No hay nada en esta dirección.",
        "Não há nada neste endereço.",
        "لا يوجد شيء في هذا العنوان.",
    ),
    "back_home": ("Back to the start", "Volver al inicio", "Voltar ao início", "العودة إلى البداية"),
    "choose_subject": (
        "Choose what it is about.",
        "Elija de qué se trata.",
        "Escolha de que se trata.",
        "اختاروا موضوع الطلب.",
    ),
    "tell_us": (
        "Tell us what happens.",
        "Díganos qué ocurre.",
        "Diga-nos o que acontece.",
        "أخبرونا بما يحدث.",
    ),
    "duplicate_ticket": (
        "You have an open ticket about the same. Please add to it.",
        "Ya tiene una solicitud abierta sobre lo mismo. Añada lo nuevo allí.",
        "Já tem um pedido aberto sobre o mesmo. Acrescente-lhe o que for novo.",
        "لديكم طلب مفتوح حول الموضوع نفسه. يرجى الإضافة إليه.",
    ),
    "zone_ticket_limit_reached": (
        "We know of several faults where you live and work on them. Is yours another? Please call us.",
        "Conocemos varias averías en su zona y trabajamos en ellas. ¿La suya es otra? Llámenos, por favor.",
        "Conhecemos várias avarias na sua zona e estamos a tratar delas. A sua é outra? Por favor, "
        "ligue-nos.",
        "نعرف عدة أعطال في منطقتكم ونعمل عليها. هل عطلكم مختلف؟ يرجى الاتصال بنا.",
    ),
    "ticket_closed": (
        "This ticket is closed. Please open a new one.",
        "Esta solicitud está cerrada. Abra una nueva.",
        "Este pedido está fechado. Abra um novo.",
        "هذا الطلب مغلق. يرجى فتح طلب جديد.",
    ),
    "nothing_written": (
        "Write a text or attach a file.",
        "Escriba un texto o adjunte un archivo.",
        "Escreva um texto ou junte um ficheiro.",
        "اكتبوا نصاً أو أرفقوا ملفاً.",
    ),
    "text_too_long": (
        "The text is too long: at most {most} characters.",
        "El texto es demasiado largo: como máximo {most} caracteres.",
        "O texto é demasiado longo: no máximo {most} caracteres.",
        "النص طويل جداً: {most} حرف كحد أقصى.",
    ),
    "too_many_files": (
        "At most {most} files at once.",
        "Como máximo {most} archivos a la vez.",
        "No máximo {most} ficheiros de cada vez.",
        "{most} ملفات كحد أقصى في المرة الواحدة.",
    ),
    "file_too_large": (
        "{name} is larger than 10 MB.",
        "{name} ocupa más de 10 MB.",
        "{name} tem mais de 10 MB.",
        "{name} أكبر من 10 ميغابايت.",
    ),
    "file_not_allowed": (
        "{name} is none of PNG, JPEG, GIF, WebP, PDF and plain text.",
        "{name} no es PNG, JPEG, GIF, WebP, PDF ni texto sin formato.",
        "{name} não é PNG, JPEG, GIF, WebP, PDF nem texto simples.",
        "{name} ليس من PNG أو JPEG أو GIF أو WebP أو PDF أو نص عادي.",
    ),
}
