"""Dials with aiohttp, and carries frames with picows."""

from typing import ClassVar

from recloser.transport.aiohttp_transport import AiohttpTransport
from recloser.transport.picows_upgrade import PicowsUpgrade
from recloser.transport.upgrade import Upgrade


class PicowsTransport(AiohttpTransport):
    """Another transport with the options of `AiohttpTransport`: the frames are picows'.

    A dial is aiohttp's, with its sessions, proxies, redirects and TLS. Once the upgrade is
    answered, the connection goes over to picows.
    """

    __slots__ = ()

    upgrade_class: ClassVar[type[Upgrade]] = PicowsUpgrade
