from aaa.api.actions import CoaView, DisconnectView, SessionActionViewSet

__all__ = ["CoaView", "DisconnectView", "SessionActionViewSet"]
