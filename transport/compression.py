"""Judges the answer to an offer of permessage-deflate (RFC 7692). Pure.

aiohttp makes the offer, and its parser inflates. What is sent is not compressed: section 6 of the
RFC leaves that to the sender of each message, and the account of what has not left the process
needs the size of each frame (G4).
"""

from typing import Final

NAME: Final = "permessage-deflate"
LARGEST: Final = 15
"""Bits of the largest window, 32 KiB, which is that of an offer without a number."""
SMALLEST: Final = 9
"""Bits of the smallest window that zlib can compress with."""

_FLAGS: Final = ("server_no_context_takeover", "client_no_context_takeover")
_BITS: Final = ("server_max_window_bits", "client_max_window_bits")
_SIZES: Final = frozenset(map(str, range(8, LARGEST + 1)))


def check_compression(compression: object, max_message_size: int) -> int:
    """Return the bits of the window to offer; 0 is no offer. Raises `TypeError` or `ValueError`."""
    if not isinstance(compression, int):
        raise TypeError(
            f"compression must be True, False or the bits of a window, not {compression!r}"
        )
    if not compression:
        return 0
    bits = LARGEST if compression is True else compression
    if not SMALLEST <= bits <= LARGEST:
        raise ValueError(f"compression must be {SMALLEST} to {LARGEST} bits, not {bits}")
    if not max_message_size:
        raise ValueError(
            "compression needs a max_message_size: a small frame may expand to a thousand times "
            "its size"
        )
    return bits


def unfit_answer(answer: str, offer: str) -> str | None:
    """Say why the extensions of an answer do not fit those of the request; None if they do.

    >>> unfit_answer("permessage-deflate", "permessage-deflate; client_max_window_bits")
    >>> unfit_answer("permessage-deflate", "")
    'the answer names an extension, and none was offered'
    """
    if not answer.strip():
        return None
    if not offer.strip():
        return "the answer names an extension, and none was offered"
    name, *parameters = (part.strip() for part in answer.split(";"))
    if name.lower() != NAME or "," in answer:
        return "the answer names an extension that was not offered"
    agreed: dict[str, str] = {}
    for parameter in parameters:
        key, equals, value = (part.strip() for part in parameter.partition("="))
        value = value.removeprefix('"').removesuffix('"')
        known = (key in _FLAGS and not equals) or (key in _BITS and value in _SIZES)
        if not known or key in agreed:
            return f"the answer has a parameter that {NAME} does not have: {parameter!r}"
        agreed[key] = value
    _, asked, bits = offer.partition("server_max_window_bits=")
    if asked and int(agreed.get("server_max_window_bits", LARGEST)) > int(bits):
        return "the answer promises no window as small as the one asked for"
    return None
