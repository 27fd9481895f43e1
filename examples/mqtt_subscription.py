"""MQTT 3.1.1 over WebSocket in raw frames: subscribes and publishes anew on every connection.

    python examples/mqtt_subscription.py ws://127.0.0.1:9001/ recloser/demo

Sections are those of https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html
"""

import asyncio
import sys
from collections.abc import Iterator

import recloser
from recloser import policies

CONNECT, CONNACK, PUBLISH, SUBSCRIBE, SUBACK = 0x10, 0x20, 0x30, 0x82, 0x90


def text(value: str) -> bytes:
    """Encode a string (section 1.5.3)."""
    data = value.encode()
    return len(data).to_bytes(2) + data


def packet(kind: int, body: bytes) -> bytes:
    """Put the fixed header before a body (section 2.2)."""
    length, size = bytearray(), len(body)
    while True:
        size, digit = divmod(size, 128)
        length.append(digit | (0x80 if size else 0))
        if not size:
            return bytes([kind, *length]) + body


class Packets:
    """Cuts packets out of messages: they need not begin or end together (section 6)."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, message: str | bytes) -> Iterator[tuple[int, bytes]]:
        if isinstance(message, str):
            raise TypeError("MQTT is carried by binary messages alone (section 6)")
        self._data += message
        while (found := self._header()) is not None:
            start, end = found
            kind, body = self._data[0], self._data[start:end]
            self._data = self._data[end:]
            yield kind, body

    def _header(self) -> tuple[int, int] | None:
        """Find where the body of the first packet stands, if all of it is there."""
        size = 0
        for index, digit in enumerate(self._data[1:5]):
            size |= (digit & 0x7F) << (7 * index)
            if digit < 0x80:
                start = index + 2
                return (start, start + size) if len(self._data) >= start + size else None
        return None


class Subscription:
    """One topic on one broker; every connection starts with an empty buffer of its own."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self._packets = Packets()

    async def on_open(self, opening: recloser.Opening) -> None:
        """Log in, subscribe, and say hello, so that there is something to receive."""
        self._packets = packets = Packets()
        # A clean session, no keep-alive: the engine's heartbeat notices silence.
        flags, keep_alive = 0x02, 0
        login = text("MQTT") + bytes([4, flags]) + keep_alive.to_bytes(2) + text("")
        await opening.send(packet(CONNECT, login))
        await self._expect(opening, packets, CONNACK)
        await opening.send(packet(SUBSCRIBE, (1).to_bytes(2) + text(self.topic) + b"\0"))
        await self._expect(opening, packets, SUBACK)
        hello = f"hello from connection {opening.generation}".encode()
        await opening.send(packet(PUBLISH, text(self.topic) + hello))

    async def _expect(self, opening: recloser.Opening, packets: Packets, wanted: int) -> None:
        while True:
            for kind, body in packets.feed(await opening.receive()):
                if kind != wanted:
                    raise ValueError(f"the broker sent {kind:#x} instead of {wanted:#x}")
                if body[-1]:
                    raise PermissionError(f"the broker refused with code {body[-1]}")
                return

    def published(self, message: str | bytes) -> Iterator[bytes]:
        """Give what was published in a message of the broker."""
        for kind, body in self._packets.feed(message):
            if kind & 0xF0 == PUBLISH:
                yield body[2 + int.from_bytes(body[:2]) :]


async def main(url: str, topic: str) -> None:
    subscription = Subscription(topic)
    ws = recloser.connect(
        url,
        subprotocols=("mqtt",),
        on_open=subscription.on_open,
        policy=policies.for_service("mqtt"),
    )
    async with ws:
        async for message in ws:
            for payload in subscription.published(message):
                print("connection", ws.generation, "received:", payload.decode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
