"""Reads what Linux tells of its network interfaces: rtnetlink(7), flags as in netdevice(7)."""

import struct
from collections.abc import Iterator
from typing import Final

LINK: Final = 0x1
IPV4_ADDRESS: Final = 0x10
IPV6_ADDRESS: Final = 0x100
"""Groups to listen to: RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR."""

_NEWLINK, _DELLINK, _NEWADDR, _DELADDR = 16, 17, 20, 21
_HEADER: Final = struct.Struct("=IHHII")
_LINK_BODY: Final = struct.Struct("=BxHiII")
_ADDRESS_BODY: Final = struct.Struct("=BBBBI")
_ATTRIBUTE: Final = struct.Struct("=HH")
_UP, _LOOPBACK, _RUNNING = 0x1, 0x8, 0x40
_TENTATIVE: Final = 0x40 | 0x08
"""IFA_F_TENTATIVE and IFA_F_DADFAILED: an IPv6 address that cannot be used, or not yet."""
_HOST: Final = 254
"""RT_SCOPE_HOST: an address of the loopback."""
_IFA_ADDRESS: Final = 1


class Interfaces:
    """Remembers which interfaces run and which addresses there are, to tell news from repeats.

    The kernel repeats its messages, for every renewal of an IPv6 address among others. What
    was there before this object is not known, so the first message about it is news.
    """

    __slots__ = ("_addresses", "_running")

    def __init__(self) -> None:
        self._running: dict[int, bool] = {}
        self._addresses: set[tuple[int, int, bytes]] = set()

    def changed(self, datagram: bytes) -> bool:
        """Take one datagram; whether by it an interface or an address came or went."""
        news = False
        for kind, body in _messages(datagram):
            if kind in (_NEWLINK, _DELLINK) and len(body) >= _LINK_BODY.size:
                news |= self._link(kind, body)
            elif kind in (_NEWADDR, _DELADDR) and len(body) >= _ADDRESS_BODY.size:
                news |= self._address(kind, body)
        return news

    def _link(self, kind: int, body: bytes) -> bool:
        _, _, index, flags, _ = _LINK_BODY.unpack_from(body)
        running = kind == _NEWLINK and flags & (_UP | _RUNNING) == _UP | _RUNNING
        if flags & _LOOPBACK:
            return False
        before = self._running.get(index)
        self._running[index] = running
        if kind == _DELLINK:
            del self._running[index]
        return before is not running

    def _address(self, kind: int, body: bytes) -> bool:
        family, _, flags, scope, index = _ADDRESS_BODY.unpack_from(body)
        address = (index, family, _first_attribute(body[_ADDRESS_BODY.size :], _IFA_ADDRESS))
        if scope == _HOST:
            return False
        if kind == _DELADDR:
            self._addresses.discard(address)
            return not flags & _TENTATIVE
        if flags & _TENTATIVE or address in self._addresses:
            return False
        self._addresses.add(address)
        return True


def _messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and body of each message; a damaged rest is left out."""
    while len(datagram) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(datagram)
        if not _HEADER.size <= length <= len(datagram):
            return
        yield kind, datagram[_HEADER.size : length]
        datagram = datagram[_aligned(length) :]


def _first_attribute(attributes: bytes, wanted: int) -> bytes:
    while len(attributes) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(attributes)
        if not _ATTRIBUTE.size <= length <= len(attributes):
            break
        if kind == wanted:
            return attributes[_ATTRIBUTE.size : length]
        attributes = attributes[_aligned(length) :]
    return b""


def _aligned(length: int) -> int:
    return (length + 3) & ~3
