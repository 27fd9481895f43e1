"""Transports: they dial, and carry messages over a wire."""

from recloser.transport.aiohttp_transport import AiohttpTransport
from recloser.transport.base import Delivery, DialFailed, Frame, Opcode, Request
from recloser.transport.liveness import Heartbeat
from recloser.transport.wire import Transport, Wire

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
