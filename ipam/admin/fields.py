"""What staff type of addresses: one, several with commas between, or ranges line by line."""

from typing import Any

from django import forms

from ipam.models import Vrf
from ipam.models.fields import canonical
from ipam.models.space import MOST_DNS_SERVERS
from ipam.services import ranges
from ispcore.admin.fields import TextArea, TextInput
from subscribers.models import Subscription
from subscribers.normal import line_number


class AddressField(forms.CharField):
    """One address, without a mask."""

    widget = TextInput

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            address = canonical(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        if "/" in address:
            raise forms.ValidationError("An address without a mask.")
        return address


class AddressOrPrefixField(AddressField):
    """An address, or a prefix with its mask."""

    def clean(self, value: Any) -> Any:
        text = forms.CharField.clean(self, value)
        try:
            return canonical(text) if text else None
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class AddressesField(forms.CharField):
    """A few addresses with commas between."""

    widget = TextInput

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        found = [AddressField().clean(part) for part in text.replace(",", " ").split()]
        if len(found) > MOST_DNS_SERVERS:
            raise forms.ValidationError(f"At most {MOST_DNS_SERVERS}.")
        return list(dict.fromkeys(found))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(super().has_changed(self.prepare_value(initial), data))


class LinesField(forms.CharField):
    """Ranges, one a line: a first and a last address, or a network; `words` adds what stands behind #.

    Cleans to a list of dictionaries with `first`, `last` and, with `words`, that word.
    """

    widget = TextArea

    def __init__(self, *, words: str = "", **kwargs: Any) -> None:
        self.words = words
        super().__init__(strip=True, **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        found = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            try:
                found.append(self._read(line))
            except ValueError as error:
                raise forms.ValidationError(f"Line {number}: {error}") from error
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        return str(initial or "").split("\n") != str(data or "").replace("\r", "").strip().split("\n")

    def _read(self, line: str) -> dict[str, str]:
        spans, _, word = line.partition("#")
        parts = spans.replace("–", "-").replace(" to ", "-").split("-")
        if len(parts) > 2 or not all(part.strip() for part in parts):
            raise ValueError("write a first and a last address with - between, or a network.")
        first, last = canonical(parts[0]), canonical(parts[-1])
        if len(parts) == 2 and ("/" in first or "/" in last):
            raise ValueError("write a first and a last address, or one network, not both.")
        if len(parts) == 1:
            first, last = bounds(first)
        if word.strip() and not self.words:
            raise ValueError("nothing may stand behind the addresses.")
        return {"first": first, "last": last, **({self.words: word.strip()[:120]} if self.words else {})}


class ServiceField(forms.CharField):
    """A service, by the number staff know it by."""

    widget = TextInput

    def clean(self, value: Any) -> Any:
        text = super().clean(value).removeprefix("#").strip()
        if not text:
            return None
        number = line_number(text)
        if number is None:
            raise forms.ValidationError("The service's number, such as 1042.")
        line = Subscription.objects.select_related("subscriber").filter(number=number).first()
        if line is None:
            raise forms.ValidationError(f"There is no service {text}.")
        return line


def bounds(network: str) -> tuple[str, str]:
    """Return the first and last address of a network, or an address twice.

    Raises ValueError for a network with bits set behind its mask.
    """
    span, family, length = ranges.span_of(network), ranges.family_of(network), ranges.length_of(network)
    if span.first % ranges.unit_size(family, length):
        begin = span.first // ranges.unit_size(family, length) * ranges.unit_size(family, length)
        raise ValueError(f"{network} is no network; {ranges.text_of(begin, family)}/{length} may be meant.")
    return ranges.text_of(span.first, family), ranges.text_of(span.last, family)


def only_vrf() -> dict[str, Any]:
    """Return what a new record's form begins with: the VRF, where there is but one to choose."""
    keys = list(Vrf.objects.order_by("pk").values_list("pk", flat=True)[:2])
    return {"vrf": keys[0]} if len(keys) == 1 else {}
