from aaa.api.accounts import AccountViewSet, TopUpViewSet
from aaa.api.actions import CoaView, DisconnectView, SessionActionViewSet
from aaa.api.lines import RadiusStatusView, RadiusUsageView
from aaa.api.nas import NasViewSet
from aaa.api.profiles import PolicyViewSet, ServiceProfileViewSet, VirtualServerViewSet
from aaa.api.sessions import AuthAttemptsView, SessionViewSet
from aaa.api.settings import RadiusSettingsView
from aaa.api.usage import UsageView
from aaa.api.vouchers import RedeemView, VoucherBatchViewSet, VoucherViewSet

__all__ = [
    "AccountViewSet",
    "AuthAttemptsView",
    "CoaView",
    "DisconnectView",
    "NasViewSet",
    "PolicyViewSet",
    "RadiusSettingsView",
    "RadiusStatusView",
    "RadiusUsageView",
    "RedeemView",
    "ServiceProfileViewSet",
    "SessionActionViewSet",
    "SessionViewSet",
    "TopUpViewSet",
    "UsageView",
    "VirtualServerViewSet",
    "VoucherBatchViewSet",
    "VoucherViewSet",
]
