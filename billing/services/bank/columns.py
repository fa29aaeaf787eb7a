"""What banks call the columns of a CSV file, in the languages of the countries we know of."""

from collections.abc import Mapping, Sequence

from subscribers.normal import name_key

# Field -> headers, the better ones first; compared by `name_key`. Collected from what online banking offers for
# download in English, Spanish, Portuguese, German, French, Italian, Dutch and Arabic; not verified bank by bank.
HEADERS: dict[str, tuple[str, ...]] = {
    "booked_on": (
        "booking date", "booked on", "booked", "posting date", "transaction date", "date", "fecha operacion",
        "fecha de operacion", "fecha contable", "fecha", "data movimento", "data do movimento", "data mov",
        "data operacao", "data lancamento", "data de lancamento", "data", "buchungstag", "buchungsdatum", "buchung",
        "datum", "date operation", "date d operation", "date comptable", "date de comptabilisation",
        "data operazione", "data contabile", "boekdatum", "التاريخ", "تاريخ", "value date", "fecha valor",
        "data valor", "wertstellung", "date valeur", "data valuta",
    ),
    "amount": (
        "amount", "transaction amount", "importe", "monto", "cantidad", "montante", "valor", "quantia", "betrag",
        "umsatz", "montant", "importo", "bedrag", "المبلغ", "مبلغ",
    ),
    "credit": (
        "credit", "credit amount", "money in", "paid in", "deposit", "deposits", "haber", "abono", "abonos", "ingreso",
        "ingresos", "credito", "creditos", "entradas", "haben", "gutschrift", "avere", "entrate", "دائن", "ايداع",
    ),
    "debit": (
        "debit", "debit amount", "money out", "paid out", "withdrawal", "withdrawals", "debe", "cargo", "cargos",
        "debito", "debitos", "saidas", "soll", "lastschrift", "dare", "uscite", "مدين", "سحب",
    ),
    "direction": (
        "credit debit", "debit credit", "dr cr", "cr dr", "credit debit indicator", "soll haben", "debe haber",
        "debito credito", "af bij",
    ),
    "balance": (
        "balance", "running balance", "account balance", "closing balance", "saldo", "saldo contabilistico",
        "saldo disponible", "saldo nach buchung", "kontostand", "solde", "الرصيد", "رصيد",
    ),
    "currency": ("currency", "ccy", "moneda", "divisa", "moeda", "wahrung", "waehrung", "devise", "munt", "العملة"),
    "payer_name": (
        "payer name", "payer", "counterparty name", "counterparty", "sender", "debtor", "name", "ordenante",
        "remitente", "nombre", "nome", "beguenstigter zahlungspflichtiger", "begunstigter zahlungspflichtiger",
        "auftraggeber begunstigter", "auftraggeber empfanger", "name zahlungsbeteiligter", "auftraggeber", "nom",
        "donneur d ordre", "ordinante", "naam tegenpartij", "naam omschrijving", "المرسل", "الاسم",
    ),
    "payer_account": (
        "payer iban", "payer account", "counterparty iban", "counterparty account", "sender account",
        "cuenta ordenante", "cuenta de origen", "iban ordenante", "iban do ordenante", "kontonummer iban",
        "iban zahlungsbeteiligter", "iban", "tegenrekening",
    ),
    "text": (
        "description", "details", "transaction details", "payment details", "narrative", "memo",
        "remittance information", "concepto", "descripcion", "observaciones", "detalle",
        "descritivo", "descricao", "historico",
        "verwendungszweck", "buchungstext", "libelle", "motif", "causale", "descrizione", "omschrijving",
        "mededelingen", "البيان", "الوصف",
    ),
    "end_to_end_id": (
        "end to end id", "end to end reference", "end to end", "payment reference", "customer reference", "reference",
        "referencia", "kundenreferenz end to end", "kundenreferenz", "reference client", "riferimento", "المرجع",
    ),
    "servicer_reference": (
        "transaction id", "bank reference", "transaction reference", "transaction number", "numero de operacion",
        "numero operacion", "numero de transaccion", "numero da operacao", "bankreferenz",
    ),
    "account": ("own account", "account number", "account", "auftragskonto", "iban auftragskonto", "rekening"),
}  # fmt: skip
JOINED = ("text",)  # Several columns of these are one text.
CREDIT_WORDS = frozenset({"c", "cr", "credit", "h", "haben", "haber", "credito", "abono", "bij", "crdt"})
DEBIT_WORDS = frozenset({"d", "dr", "debit", "s", "soll", "debe", "debito", "cargo", "af", "dbit"})

_PLACE = {
    name_key(header): (field, place)
    for field, headers in HEADERS.items()
    for place, header in enumerate(headers)
}

Columns = Mapping[str, Sequence[int]]


def find_columns(header: Sequence[str]) -> dict[str, list[int]]:
    """Return which columns hold which field; empty when this row names no day or no amount."""
    found: dict[str, list[tuple[int, int]]] = {}
    for position, name in enumerate(header):
        if known := _PLACE.get(name_key(name)):
            found.setdefault(known[0], []).append((known[1], position))
    if "booked_on" not in found or not {"amount", "credit", "debit"} & set(found):
        return {}
    columns = {
        field: sorted(position for _, position in places) if field in JOINED else [min(places)[1]]
        for field, places in found.items()
    }
    if {"credit", "debit"} <= set(columns):
        columns.pop("amount", None)
    return columns
