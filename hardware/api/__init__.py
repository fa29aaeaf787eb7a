from hardware.api.discovery import DiscoverView, DiscoveryRunViewSet
from hardware.api.olts import OltViewSet, PonPortViewSet
from hardware.api.onus import OnuViewSet

__all__ = ["DiscoverView", "DiscoveryRunViewSet", "OltViewSet", "OnuViewSet", "PonPortViewSet"]
