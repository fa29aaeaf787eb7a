from hardware.api.discovery import DiscoverView, DiscoveryRunViewSet
from hardware.api.olts import OltViewSet, PonPortViewSet
from hardware.api.onus import OnuViewSet
from hardware.api.presets import OnuPresetViewSet
from hardware.api.provisioning import (
    OnuAuthorizeView,
    OnuUnauthorizeView,
    ProvisioningJobViewSet,
    WaitingOnuViewSet,
)

__all__ = [
    "DiscoverView",
    "DiscoveryRunViewSet",
    "OltViewSet",
    "OnuAuthorizeView",
    "OnuPresetViewSet",
    "OnuUnauthorizeView",
    "OnuViewSet",
    "PonPortViewSet",
    "ProvisioningJobViewSet",
    "WaitingOnuViewSet",
]
