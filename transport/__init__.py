"""Transports: they dial, and carry messages over a wire."""

from recloser.transport.aiohttp_transport import AiohttpTransport
from recloser.transport.base import Delivery, DialFailed, Frame, FrameRefused, Opcode, Request
from recloser.transport.flow_control import FlowControl
from recloser.transport.frame_writer import FrameWriter
from recloser.transport.heartbeat import Heartbeat
from recloser.transport.outgoing import Outgoing
from recloser.transport.resumption import ResumingContext
from recloser.transport.socket_wire import SocketWire
from recloser.transport.wire import Transport, Wire

__all__ = [
    "AiohttpTransport",
    "Delivery",
    "DialFailed",
    "FlowControl",
    "Frame",
    "FrameRefused",
    "FrameWriter",
    "Heartbeat",
    "Opcode",
    "Outgoing",
    "Request",
    "ResumingContext",
    "SocketWire",
    "Transport",
    "Wire",
]
