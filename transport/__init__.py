"""How it happens on the wire."""

from recloser.transport.aiohttp_ws import AiohttpTransport
from recloser.transport.base import Delivery, DialFailed, Frame, Opcode, Request, Transport, Wire
from recloser.transport.liveness import Heartbeat

__all__ = [
    "AiohttpTransport",
    "Delivery",
    "DialFailed",
    "Frame",
    "Heartbeat",
    "Opcode",
    "Request",
    "Transport",
    "Wire",
]
