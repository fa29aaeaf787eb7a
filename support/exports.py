"""The lists of support as files: with the fields that the API shows."""

from ispcore.files.exports import Export, register
from support.api.desk import CannedAnswerViewSet, SubjectViewSet, TeamViewSet
from support.api.notices import ConsentViewSet, MassMessageViewSet, NoticeTemplateViewSet, NoticeViewSet
from support.api.tickets import TicketViewSet

for name, view in {
    "tickets": TicketViewSet,
    "subjects": SubjectViewSet,
    "teams": TeamViewSet,
    "canned-answers": CannedAnswerViewSet,
    "notices": NoticeViewSet,
    "notice-templates": NoticeTemplateViewSet,
    "consents": ConsentViewSet,
    "mass-messages": MassMessageViewSet,
}.items():
    register(Export(name=name, view=view))
