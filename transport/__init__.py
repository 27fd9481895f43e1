"""How it happens on the wire."""

from recloser.transport.aiohttp_ws import AiohttpTransport
from recloser.transport.base import DialFailed, Frame, Opcode, Request, Transport, Wire
from recloser.transport.delivery import Delivery
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
