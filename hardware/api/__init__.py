from hardware.api.discovery import DiscoverView, DiscoveryRunViewSet
from hardware.api.lines import DeviceStatusView, LiveDeviceStatusView, PingLineView, PingView
from hardware.api.live import OnuSignalView, OnuStatusView, PonStatsView, SyncView
from hardware.api.olts import OltViewSet, PonPortViewSet
from hardware.api.onus import OnuViewSet
from hardware.api.outages import OutageViewSet
from hardware.api.presets import OnuPresetViewSet
from hardware.api.provisioning import (
    OnuAuthorizeView,
    OnuUnauthorizeView,
    ProvisioningJobViewSet,
    WaitingOnuViewSet,
)
from hardware.api.signal_limits import SignalLimitsViewSet

__all__ = [
    "DeviceStatusView",
    "DiscoverView",
    "DiscoveryRunViewSet",
    "LiveDeviceStatusView",
    "OltViewSet",
    "OnuAuthorizeView",
    "OnuPresetViewSet",
    "OnuSignalView",
    "OnuStatusView",
    "OnuUnauthorizeView",
    "OnuViewSet",
    "OutageViewSet",
    "PingLineView",
    "PingView",
    "PonPortViewSet",
    "PonStatsView",
    "ProvisioningJobViewSet",
    "SignalLimitsViewSet",
    "SyncView",
    "WaitingOnuViewSet",
]
