"""What is asked about tickets."""

from typing import Any, ClassVar

from django import forms
from django.db.models import Q

from ispcore.admin.actions import ActionForm
from ispcore.admin.base import TenantForm
from ispcore.admin.fields import CheckBox, Select, TextArea, TextInput
from support.admin.desk import staff_choices
from support.models import Priority, Subject, Team, Ticket, TicketStatus
from support.services.tickets.moving import ALLOWED
from support.services.tickets.talking import LONGEST


class NewTicketForm(TenantForm):
    description = forms.CharField(
        required=False,
        max_length=LONGEST,
        widget=TextArea(attrs={"rows": 5}),
        help_text="What the customer says.",
    )
    force = forms.BooleanField(
        required=False,
        widget=CheckBox,
        label="Another matter",
        help_text="Open it although a ticket of the same service and subject is open.",
    )
    refused_fields: ClassVar = {
        "service_id": "subscription",
        "subject_id": "subject",
        "zone_id": "subscription",
    }

    class Meta:
        model = Ticket
        fields: tuple[str, ...] = ()
        help_texts: ClassVar = {
            "subject": "Priority, team and due time follow from it.",
            "subscription": "What it is about; the customer and the zone are the service's.",
            "subscriber": "Where it is about no one service.",
            "title": "Empty: the subject's name.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("title", "subscription", "subscriber"):
            if name in self.fields:
                self.fields[name].required = False


class CommentForm(forms.Form):
    body = forms.CharField(
        required=False,
        max_length=LONGEST,
        label="Answer",
        widget=TextArea(attrs={"rows": 5, "accesskey": "c"}),
    )
    is_internal = forms.BooleanField(required=False, label="For colleagues only", widget=CheckBox)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})


class AssignForm(ActionForm):
    assignee = forms.ChoiceField(required=False, label="To", widget=Select)
    team = forms.ChoiceField(required=False, widget=Select)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assignee"].choices = [("", "Nobody"), *staff_choices()]  # type: ignore[attr-defined]
        teams = Team.objects.filter(is_active=True).order_by("name")
        self.fields["team"].choices = [("", "No team"), *((str(each.pk), each.name) for each in teams)]  # type: ignore[attr-defined]
        if (only := self.rows.first()) is not None:
            self.fields["assignee"].initial = str(only.assignee_id or "")
            self.fields["team"].initial = str(only.team_id or "")


class ChangeForm(ActionForm):
    subject = forms.ChoiceField(widget=Select)
    title = forms.CharField(max_length=200, widget=TextInput)
    priority = forms.ChoiceField(
        choices=Priority.choices, widget=Select, help_text="Set by hand, it no longer follows the subject."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        only = self.rows.first()
        subjects = Subject.objects.filter(Q(is_active=True) | Q(pk=only.subject_id if only else None))
        self.fields["subject"].choices = [  # type: ignore[attr-defined]
            (str(each.pk), each.name) for each in subjects.order_by("position", "name")
        ]
        if only is not None:
            self.fields["subject"].initial = str(only.subject_id)
            self.fields["title"].initial, self.fields["priority"].initial = only.title, only.priority


class MoveForm(ActionForm):
    status = forms.ChoiceField(label="To", widget=Select)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        only = self.rows.first()
        possible = ALLOWED[TicketStatus(only.status)] if only else frozenset(TicketStatus)
        self.fields["status"].choices = [  # type: ignore[attr-defined]
            (status.value, status.label) for status in TicketStatus if status in possible
        ]


class MergeForm(ActionForm):
    number = forms.CharField(
        max_length=20, label="Into ticket", widget=TextInput, help_text="Its number, such as TKT-000184."
    )
