"""Which text tells of an event in which way, and what it says of one customer."""

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any
from uuid import UUID

from django.db import transaction

from ispcore.errors import DomainError
from ispcore.tenants.base import changed, locked
from support.models import Channel, NoticeChannel, NoticeKind, NoticeTemplate
from support.services.notices import words
from support.services.settings import Invalid

MOST_SUBJECT = 200


class UnknownPlaceholder(Invalid):
    message = "{{{name}}} is no placeholder here. Known: {known}."


class BadBraces(Invalid):
    message = "A brace is open. Write a placeholder as {{customer}}, and a brace of the text itself twice."


class SubjectMissing(Invalid):
    message = "An e-mail needs a subject."
    field = "subject"


class SentByBilling(Invalid):
    message = "Invoices and reminders go by e-mail from billing, once each: choose another way here."
    field = "channel"


class NotATemplate(Invalid):
    message = "A mass message brings its own text."
    field = "kind"


class DuplicateTemplate(DomainError):
    code = "duplicate_notice_template"
    message = "There is a text for this event, language and way already: change that one."
    field = "kind"


@dataclass(frozen=True)
class Text:
    """How an event is told in one way, placeholders and all."""

    channel: str
    subject: str
    body: str

    def filled(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Return subject and body for one customer; a subject is one line whatever the values are."""
        return " ".join(self.subject.format_map(values).split()), self.body.format_map(values)


@transaction.atomic
def create_template(**fields: Any) -> NoticeTemplate:
    """Use a text of one's own.

    Raises UnknownPlaceholder, BadBraces, SubjectMissing, SentByBilling, NotATemplate, DuplicateTemplate.
    """
    template = NoticeTemplate(**fields)
    _check(template)
    template.save()
    return template


@transaction.atomic
def change_template(*, template_id: UUID, **fields: Any) -> NoticeTemplate:
    """Change what is given; notices that wait keep their words. Safe to repeat. Raises as `create_template`."""
    template = locked(NoticeTemplate, template_id)
    for name, value in fields.items():
        setattr(template, name, value)
    _check(template)
    return changed(template, {})


@transaction.atomic
def remove_template(*, template_id: UUID) -> None:
    """Go back to the text that comes with the product."""
    locked(NoticeTemplate, template_id).delete()


def texts_of(kind: str, *, language: str, usual: str) -> list[Text]:
    """List how an event is told in a language, in the ways that are open.

    A provider's own text goes first, if there is none in this language the one in their `usual`: what they wrote or
    switched off is meant for all. The product's own follows.
    """
    rows = NoticeTemplate.objects.filter(kind=kind, language__in={language, usual})
    own = {each.channel: each for each in sorted(rows, key=lambda each: each.language == language)}
    gateways = NoticeChannel.objects.filter(is_enabled=True).values_list("channel", flat=True)
    found = []
    for channel in [Channel.EMAIL, *sorted(gateways)]:
        if channel == Channel.EMAIL and kind in words.NEVER_BY_EMAIL:
            continue
        mine = own.get(channel)
        if mine is not None:
            if mine.is_active:
                found.append(Text(channel, mine.subject, mine.body))
        elif kind in words.USUAL[channel]:
            found.append(usual_text(kind, channel=channel, language=language))
    return found


def usual_text(kind: str, *, channel: str, language: str) -> Text:
    """Return the text that comes with the product."""
    subject, sentence = words.TEXTS[kind][language]
    if channel == Channel.EMAIL:
        return Text(channel, subject, f"{words.GREETING[language]}\n\n{sentence}\n\n{{provider}}\n")
    return Text(channel, "", f"{{provider}}: {sentence}")


def check_text(kind: str, *, channel: str, subject: str, body: str) -> None:
    """Raise UnknownPlaceholder, BadBraces or SubjectMissing for a text that could not be filled in."""
    _check_braces("subject", subject, kind)
    _check_braces("body", body, kind)
    if channel == Channel.EMAIL and not subject.strip():
        raise SubjectMissing


def preview(kind: str, *, channel: str, subject: str, body: str, provider: str = "") -> tuple[str, str]:
    """Show a text with sample values in it, and the provider's name. Raises as `check_text`."""
    check_text(kind, channel=channel, subject=subject, body=body)
    return Text(channel, subject, body).filled(words.SAMPLES | ({"provider": provider} if provider else {}))


def _check(template: NoticeTemplate) -> None:
    if template.kind == NoticeKind.MASS:
        raise NotATemplate
    if template.channel == Channel.EMAIL and template.kind in words.NEVER_BY_EMAIL:
        raise SentByBilling
    if template.channel != Channel.EMAIL:
        template.subject = ""
    check_text(template.kind, channel=template.channel, subject=template.subject, body=template.body)
    same = NoticeTemplate.objects.filter(
        kind=template.kind, language=template.language, channel=template.channel
    )
    if same.exclude(pk=template.pk).exists():
        raise DuplicateTemplate


def _check_braces(field: str, text: str, kind: str) -> None:
    known = words.PLACEHOLDERS[kind]
    try:
        found = [
            (name, spec, conversion)
            for _, name, spec, conversion in Formatter().parse(text)
            if name is not None
        ]
    except ValueError as error:
        raise _at(field, BadBraces()) from error
    for name, spec, conversion in found:
        # A bare name only: str.format would follow dots and brackets into what the value is made of.
        if name not in known or spec or conversion:
            wanted = ", ".join(f"{{{each}}}" for each in known)
            raise _at(field, UnknownPlaceholder(name=name, known=wanted))


def _at(field: str, refusal: DomainError) -> DomainError:
    refusal.field = field
    return refusal
