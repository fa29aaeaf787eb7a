"""What staff say of a file: which it is, what its columns fill, and what becomes of records that are here."""

from typing import Any, ClassVar

from django import forms

from ispcore.admin.base import TenantForm
from ispcore.admin.fields import Select
from subscribers.models import CustomField, Import, OnDuplicate
from subscribers.services import imports

ON_DUPLICATE_HELP = (
    "A record is the same by its external ID, else by what your duplicate rules say. When it is updated, empty cells "
    "change nothing."
)
ENCODINGS = [("", "Find out")] + [(name, name) for name in imports.ENCODINGS]


class UploadForm(TenantForm):
    # Not the model's own names: Django would put the upload itself where a stored file belongs.
    refused_fields: ClassVar = {"file": "upload", "mapping": "upload"}

    upload = forms.FileField(
        label="File",
        help_text="CSV or XLSX, at most 50 MiB and 500,000 rows. The first row names the columns.",
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx", "class": "isp-input"}),
        allow_empty_file=True,
    )
    written_in = forms.ChoiceField(
        label="Encoding", choices=ENCODINGS, required=False, widget=Select,
        help_text="Of a CSV file. Choose one only when letters with accents come out wrong.",
    )  # fmt: skip
    again = forms.BooleanField(
        label="Import it again",
        required=False,
        help_text="A file that was imported already is refused unless this is set.",
    )

    class Meta:
        model = Import
        fields = ("on_duplicate",)
        labels = {"on_duplicate": "Subscribers who are here already"}
        help_texts = {"on_duplicate": ON_DUPLICATE_HELP}


class ColumnsForm(forms.Form):
    """What each column of the file fills."""

    on_duplicate = forms.ChoiceField(
        label="Subscribers who are here already",
        choices=OnDuplicate.choices,
        widget=Select,
        help_text=ON_DUPLICATE_HELP,
    )

    def __init__(self, of_import: Import, data: Any = None) -> None:
        initial = {"on_duplicate": of_import.on_duplicate, "encoding": of_import.encoding}
        initial |= {
            f"column_{n}": of_import.mapping.get(name, "") for n, name in enumerate(of_import.columns)
        }
        super().__init__(data, initial=initial, label_suffix="")
        self.of_import = of_import
        if of_import.file_format == "csv":
            self.fields["encoding"] = forms.ChoiceField(
                label="Encoding", choices=ENCODINGS[1:], widget=Select,
                help_text="Choose another when letters with accents look wrong in the samples.",
            )  # fmt: skip
        choices = _field_choices(of_import)
        for n, name in enumerate(of_import.columns):
            self.fields[f"column_{n}"] = forms.ChoiceField(
                label=name,
                choices=choices,
                required=False,
                widget=Select(attrs={"aria-label": f"Fills, for {name}"}),
            )

    def columns(self) -> list[dict[str, Any]]:
        """List the columns with their choice and the cells of the first rows."""
        return [
            {
                "name": name,
                "field": self[f"column_{n}"],
                "samples": [row[n] for row in self.of_import.samples if n < len(row) and row[n]],
            }
            for n, name in enumerate(self.of_import.columns)
        ]

    def others(self) -> list[Any]:
        return [self[name] for name in ("on_duplicate", "encoding") if name in self.fields]

    def mapping(self) -> dict[str, str]:
        return {name: self.cleaned_data[f"column_{n}"] for n, name in enumerate(self.of_import.columns)}


def _field_choices(of_import: Import) -> list[Any]:
    groups: dict[str, list[tuple[str, str]]] = {}
    for field in imports.FIELDS.values():
        groups.setdefault(field.group, []).append((field.key, field.label))
    own = [(f"custom.{each.key}", each.label) for each in CustomField.objects.order_by("position", "key")]
    if own:
        groups["Custom fields"] = own
    metadata = {f"metadata.{name}": name for name in of_import.columns if len(name) <= 40}
    metadata |= {
        field: field.partition(".")[2]
        for field in of_import.mapping.values()
        if field.startswith("metadata.")
    }
    usable = [(key, name) for key, name in metadata.items() if imports.is_metadata(key)]
    if usable:
        groups["Further data, kept as"] = usable
    return [("", "Not taken in"), *groups.items()]
