"""The lists of support as files: with the fields that the API shows."""

from ispcore.files.exports import register_views
from ispcore.files.tenant_export.contents import Rule, carry, leave_out
from support.api.desk import CannedAnswerViewSet, SubjectViewSet, TeamViewSet
from support.api.notices import ConsentViewSet, MassMessageViewSet, NoticeTemplateViewSet, NoticeViewSet
from support.api.tickets import TicketViewSet

register_views(
    {
        "tickets": TicketViewSet,
        "subjects": SubjectViewSet,
        "teams": TeamViewSet,
        "canned-answers": CannedAnswerViewSet,
        "notices": NoticeViewSet,
        "notice-templates": NoticeTemplateViewSet,
        "consents": ConsentViewSet,
        "mass-messages": MassMessageViewSet,
    }
)

# Of a whole provider's export.
leave_out("support.PortalLink", "A link that logs in once leads to the installation that sent it.")
carry(
    "support.Notice",
    Rule(
        values={
            "status": "CASE WHEN t.status IN ('waiting', 'sending') THEN 'skipped' ELSE t.status END",
            "detail": "CASE WHEN t.status IN ('waiting', 'sending') "
            "THEN 'It was under way where this was exported.' ELSE t.detail END",
        }
    ),
)
