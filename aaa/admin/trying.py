"""The test log-in: what is asked, and what the RADIUS server answered, in words."""

from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join

from aaa.admin.words import REASON_ADVICE, reason_words
from aaa.models import Reason
from aaa.models.fields import LONGEST_TEXT
from aaa.radius.logins import Method, Reply
from aaa.services.trying import KIND
from ispcore.admin import results
from ispcore.admin.actions import ActionForm
from ispcore.admin.fields import PasswordInput, Select, TextInput
from ispcore.admin.formats import duration, facts, pill
from ispcore.jobs.models import Job

VERDICTS = {
    Reply.ACCEPT: ("Let in", "good"),
    Reply.REJECT: ("Refused", "danger"),
    Reply.CHALLENGE: ("Asked for more (challenge)", "warning"),
    Reply.NONE: ("No answer", "danger"),
    Reply.BAD_REPLY: ("An answer with a wrong signature", "danger"),
}
ADVICE = {
    Reply.NONE: "The RADIUS server did not answer. Check that it runs and knows this NAS; it learns of a new one "
    "within a minute, and drops packets whose secret is wrong.",
    Reply.BAD_REPLY: "Somebody answered with another secret than this NAS' own.",
}
WORDS = {
    "Framed-IP-Address": "IPv4 address",
    "Framed-Pool": "IPv4 pool on the NAS",
    "Framed-IPv6-Prefix": "IPv6 prefix of the link",
    "Framed-IPv6-Pool": "IPv6 pool on the NAS",
    "Delegated-IPv6-Prefix": "Delegated IPv6 prefix",
    "Delegated-IPv6-Prefix-Pool": "Pool of delegated prefixes on the NAS",
    "Session-Timeout": "Session ends after",
    "Idle-Timeout": "Idle session ends after",
    "Acct-Interim-Interval": "Reports every",
    "Reply-Message": "What the subscriber is told",
    "Filter-Id": "Filter",
    "Mikrotik-Rate-Limit": "Speed, upload / download",
    "Mikrotik-Address-List": "Address list",
    "WISPr-Bandwidth-Max-Down": "Download, bit/s",
    "WISPr-Bandwidth-Max-Up": "Upload, bit/s",
    "Cisco-AVPair": "Setting of the session",
    "ERX-Qos-Profile-Name": "QoS profile",
    "ERX-CoS-Shaping-Pmt-Type": "Download",
    "Huawei-Qos-Profile-Name": "QoS profile",
    "Huawei-Input-Average-Rate": "Upload, bit/s",
    "Huawei-Output-Average-Rate": "Download, bit/s",
    "Huawei-Input-Peak-Rate": "Upload burst, bit/s",
    "Huawei-Output-Peak-Rate": "Download burst, bit/s",
    "ZTE-Rate-Ctrl-SCR-Down": "Download, kbit/s",
    "ZTE-Rate-Ctrl-SCR-Up": "Upload, kbit/s",
    "Alc-SLA-Prof-Str": "SLA profile",
    "Alc-Subsc-Prof-Str": "Subscriber profile",
    "Alc-Subscriber-QoS-Override": "Speed",
}
SECONDS = ("Session-Timeout", "Idle-Timeout", "Acct-Interim-Interval")
# Ours, echoed by the NAS in accounting, and read by programs alone.
MARKS = ("Class",)


class TestLoginForm(ActionForm):
    __test__ = False  # It is no test, whatever pytest makes of its name.

    username = forms.CharField(max_length=LONGEST_TEXT, label="User name", widget=TextInput)
    password = forms.CharField(
        required=False,
        max_length=128,
        strip=False,
        widget=PasswordInput,
        help_text="Empty: the account's own is sent, without being shown.",
    )
    method = forms.ChoiceField(
        label="How it is sent",
        choices=[
            (Method.PAP.value, "PAP, as most hotspots"),
            (Method.CHAP.value, "CHAP, as many PPPoE servers"),
        ],
        widget=Select,
    )
    station = forms.CharField(
        required=False,
        max_length=LONGEST_TEXT,
        label="Device",
        widget=TextInput,
        help_text="MAC address, for accounts that are bound to one. Empty: none is told. Name that of "
        "a session that runs already, and it does not count against it.",
    )


def shown(job: Job) -> str:
    """Write the verdict, the reason and what the NAS would be told."""
    found: dict[str, Any] = job.result or {}
    reply = Reply(found["reply"])
    words, tone = VERDICTS[reply]
    reason = found.get("reason", "")
    advice = ADVICE.get(reply, "")
    if reason in Reason.values:
        advice = REASON_ADVICE[Reason(reason)]
    rows = [
        ("User name", found["username"]),
        ("Asked as", found["sent_as"] if found["sent_as"] == found["nas"] else
         f"{found['sent_as']}, because packets of {found['nas']} come from elsewhere"),
        ("Sent as", str(found["method"]).upper()),
    ]  # fmt: skip
    if reply in (Reply.ACCEPT, Reply.REJECT, Reply.CHALLENGE):
        rows += [
            ("Took", f"{found['milliseconds']:.0f} ms"),
            ("Signed (Message-Authenticator)", "yes" if found["is_signed"] else "no"),
        ]
    if reason:
        rows.insert(0, ("Why", reason_words(reason)))
    told = [_attribute(name, value) for name, value in found["attributes"] if name not in MARKS]
    return format_html(
        '<p class="isp-below">{} <span class="isp-muted">{}</span></p>{}{}',
        pill(words, tone),
        advice,
        facts(rows),
        _table(told),
    )


def _attribute(name: str, value: str) -> tuple[str, str, str]:
    if name in SECONDS and value.isdecimal():
        return WORDS[name], duration(int(value)), name
    return WORDS.get(name, name), value, name if name in WORDS else ""


def _table(rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    body = format_html_join(
        "",
        '<tr><td data-label="What">{}</td><td data-label="Value">{}</td>'
        '<td class="isp-wide-cell" data-label="Attribute"><span class="isp-muted">{}</span></td></tr>',
        rows,
    )
    return format_html(
        '<h3 class="isp-slot">What the NAS is told</h3><table class="isp-table isp-cards">'
        '<thead><tr><th>What</th><th>Value</th><th class="isp-wide-cell">Attribute</th></tr></thead>'
        "<tbody>{}</tbody></table>",
        body,
    )


results.add(KIND, shown)
