"""Credentials of a dial: their provider, the time for which they are kept, and their place."""

from recloser.credentials.places import Place, header, in_band, query, subprotocol
from recloser.credentials.store import Credential, Credentials, Provider
from recloser.credentials.token import Token

__all__ = [
    "Credential",
    "Credentials",
    "Place",
    "Provider",
    "Token",
    "header",
    "in_band",
    "query",
    "subprotocol",
]
