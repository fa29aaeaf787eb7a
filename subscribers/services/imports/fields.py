"""What a column of a file may hold, and which column probably holds what."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ispcore.errors import DomainError
from subscribers import normal
from subscribers.models import CustomField, OnDuplicate

METADATA = "metadata."
CUSTOM = "custom."
METADATA_NAME = re.compile(r"metadata\.[\w .-]{1,40}\Z")


@dataclass(frozen=True)
class Field:
    """One thing a cell can say; `names` are what columns of it are called, in any spelling."""

    key: str
    label: str
    group: str
    names: tuple[str, ...]
    example: str = ""


_WHO, _ADDRESS, _SERVICE, _PREMISE = "Subscriber", "Address", "Service", "Premise of the service"

# English, Portuguese and Spanish, as other systems' exports and ISPs' own lists have them.
FIELDS: dict[str, Field] = {
    field.key: field
    for field in (
        Field("full_name", "Name", _WHO, (
            "full name", "name", "customer", "customer name", "subscriber", "client", "client name", "nome",
            "nome completo", "cliente", "nome do cliente", "nombre", "nombre completo", "nombre cliente", "titular",
            "razao social", "razon social",
        ), "Maria Santos"),
        Field("external_id", "External ID", _WHO, (
            "external id", "externalid", "id", "customer id", "client id", "customer number", "codigo",
            "codigo cliente", "id cliente", "id externo", "numero cliente", "numero de cliente", "n cliente", "account",
            "account number",
        ), "C-1001"),
        Field("email", "E-mail", _WHO, (
            "email", "e mail", "mail", "email address", "correio eletronico", "correo", "correo electronico",
            "endereco de email",
        ), "maria@customer.example"),
        Field("phone", "Phone", _WHO, (
            "phone", "phone number", "telephone", "mobile", "cell", "telefone", "telemovel", "celular", "contacto",
            "telefono", "movil", "tel", "whatsapp",
        ), "+351 912 345 678"),
        Field("document_type", "Document type", _WHO, (
            "document type", "tipo de documento", "tipo documento", "doc type", "id type",
        ), "tax_id"),
        Field("document_number", "Document number", _WHO, (
            "document", "document number", "documento", "numero documento", "numero de documento", "n documento",
            "nif", "nipc", "cpf", "cnpj", "cpf cnpj", "dni", "nie", "cif", "rut", "ruc", "cedula", "curp", "rfc", "vat",
            "vat number", "tax id", "tax number", "contribuinte", "n contribuinte", "passport",
        ), "123456789"),
        Field("status", "Status", _WHO, ("status", "customer status", "estado do cliente", "situacao"), "active"),
        Field("billing_profile", "Billing profile", _WHO, (
            "billing profile", "perfil de faturacao", "perfil de facturacion", "perfil de faturamento",
        )),
        Field("tags", "Tags", _WHO, ("tags", "tag", "labels", "etiquetas"), "vip; business"),
        Field("terms_accepted_at", "Terms accepted", _WHO, (
            "terms accepted at", "terms accepted", "terms", "termos aceites", "terminos aceptados",
        ), "2026-01-31"),
        Field("marketing_consent_at", "Marketing consent", _WHO, (
            "marketing consent at", "marketing consent", "consentimento", "consentimento marketing", "consentimiento",
        )),
        Field("address_line1", "Street and number", _ADDRESS, (
            "address line1", "address line 1", "address", "address 1", "street", "street address", "morada", "endereco",
            "logradouro", "rua", "direccion", "calle", "domicilio",
        ), "Rua do Porto 12"),
        Field("address_line2", "Floor, flat or building", _ADDRESS, (
            "address line2", "address line 2", "address 2", "complemento", "andar", "apartment", "flat", "piso",
        )),
        Field("city", "City", _ADDRESS, (
            "city", "town", "cidade", "localidade", "municipio", "ciudad", "poblacion", "concelho",
        ), "Porto"),
        Field("state", "State or district", _ADDRESS, (
            "state", "region", "county", "district", "distrito", "provincia", "uf", "estado",
        )),
        Field("postal_code", "Postal code", _ADDRESS, (
            "postal code", "post code", "postcode", "zip", "zip code", "codigo postal", "cep", "cp",
        ), "4000-001"),
        Field("country", "Country", _ADDRESS, ("country", "country code", "pais"), "PT"),
        Field("plan", "Plan, by code or name", _SERVICE, (
            "plan", "plan code", "plan name", "product", "package", "plano", "codigo do plano", "pacote", "produto",
            "paquete", "internet plan", "tarifa", "tariff",
        ), "FIBRE-100"),
        Field("service_status", "Service status", _SERVICE, (
            "service status", "estado do servico", "estado servico", "estado del servicio", "status do servico",
        ), "active"),
        Field("provisioned_on", "In operation since", _SERVICE, (
            "provisioned on", "provisioned date", "provisioned", "installation date", "installed on", "active since",
            "data de instalacao", "data instalacao", "fecha de instalacion", "data de ativacao", "start date",
        ), "2025-06-30"),
        Field("isp_reference", "ISP reference", _SERVICE, (
            "isp reference", "reference", "referencia", "service reference", "contract", "contrato",
        )),
        Field("sales_agent", "Sold by", _SERVICE, ("sales agent", "sold by", "vendedor", "agente", "comercial")),
        Field("wifi_name", "WiFi name", _SERVICE, ("wifi name", "ssid", "wifi", "nome wifi", "wifi ssid")),
        Field("wifi_password", "WiFi password", _SERVICE, (
            "wifi password", "wifi key", "wpa key", "psk", "senha wifi", "chave wifi", "clave wifi",
            "palavra passe wifi", "contrasena wifi", "wifi senha",
        )),
        Field("zone", "Zone, by name", _PREMISE, ("zone", "zona", "area", "premise zone"), "Harbour"),
        Field("premise_line1", "Premise: street and number", _PREMISE, (
            "premise line1", "premise address", "installation address", "service address", "morada de instalacao",
            "morada instalacao", "endereco de instalacao", "direccion de instalacion", "premise",
        )),
        Field("premise_line2", "Premise: floor, flat or building", _PREMISE, ("premise line2", "premise address 2")),
        Field("premise_city", "Premise: city", _PREMISE, ("premise city", "installation city", "service city")),
        Field("premise_state", "Premise: state or district", _PREMISE, ("premise state", "installation state")),
        Field("premise_postal_code", "Premise: postal code", _PREMISE, (
            "premise postal code", "installation postal code", "service postal code",
        )),
        Field("premise_country", "Premise: country", _PREMISE, ("premise country", "installation country")),
    )
}  # fmt: skip
SERVICE_FIELDS = frozenset(key for key, field in FIELDS.items() if field.group in (_SERVICE, _PREMISE))
SECRET_FIELDS = frozenset({"wifi_password"})
# A column that is probably a secret is never shown as a sample, whatever it is mapped to.
SECRET_NAME = re.compile(r"pass|senha|clave|contrasena|psk|wpa|secret|\bkey\b|chave")

_BY_NAME = {
    normal.name_key(name): field.key for field in FIELDS.values() for name in (field.key, *field.names)
}


class WrongMapping(DomainError):
    code = "validation_error"
    message = "{why}"
    status = 422
    field = "mapping"


def guess_mapping(columns: Iterable[str], definitions: Iterable[CustomField]) -> dict[str, str]:
    """Return the field of each column whose name says it; of two columns with one field the first has it."""
    by_name = dict(_BY_NAME)
    for definition in definitions:
        by_name.setdefault(normal.name_key(definition.key), CUSTOM + definition.key)
        by_name.setdefault(normal.name_key(definition.label), CUSTOM + definition.key)
    keys = {CUSTOM + definition.key for definition in definitions}
    found: dict[str, str] = {}
    for column in columns:
        spelt = column.strip().lower()
        if spelt in keys or METADATA_NAME.match(spelt):
            field = spelt if spelt in keys else METADATA + column.strip()[len(METADATA) :]
        else:
            field = by_name.get(normal.name_key(column), "")
        if field and field not in found.values():
            found[column] = field
    return found


def check_mapping(
    mapping: Mapping[str, str], *, columns: Iterable[str], definitions: Iterable[CustomField]
) -> dict[str, str]:
    """Return the columns that are taken in, and their fields. Raises WrongMapping."""
    known, custom = set(columns), {CUSTOM + definition.key for definition in definitions}
    by_field: dict[str, str] = {}
    for column, field in mapping.items():
        if column not in known:
            raise WrongMapping(why=f"The file has no column “{column[:80]}”.")
        if not field:
            continue
        if field not in FIELDS and field not in custom and not METADATA_NAME.match(field):
            raise WrongMapping(why=f"There is no field “{field[:80]}”, which column “{column}” was to fill.")
        if field in by_field:
            raise WrongMapping(
                why=f"Columns “{by_field[field]}” and “{column}” both fill “{label_of(field)}”."
            )
        by_field[field] = column
    return {column: field for field, column in by_field.items()}


def require_what_is_needed(mapping: Mapping[str, str], *, on_duplicate: str) -> None:
    """Raise WrongMapping when no row of such a file could be taken in."""
    fields = set(mapping.values())
    only_updates = on_duplicate == OnDuplicate.UPDATE and "external_id" in fields
    if "full_name" not in fields and not only_updates:
        raise WrongMapping(why="Say which column holds the subscriber's name.")
    if fields & SERVICE_FIELDS and "plan" not in fields:
        raise WrongMapping(why="Columns of a service are there, but none with its plan. Say which one it is.")


def label_of(field: str) -> str:
    """Name a field as staff read it."""
    if field in FIELDS:
        return FIELDS[field].label
    return field.removeprefix(CUSTOM) if field.startswith(CUSTOM) else field


def is_metadata(field: str) -> bool:
    """Whether a cell may be kept under this name among a subscriber's further data."""
    return METADATA_NAME.match(field) is not None


def is_secret(column: str, field: str) -> bool:
    """Whether what stands in this column must not be shown."""
    return field in SECRET_FIELDS or SECRET_NAME.search(normal.fold(column)) is not None
