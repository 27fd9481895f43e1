"""Credentials of a dial: who is asked for them, how long they are kept, and where they are put."""

from recloser.credentials.places import Place, header, query, subprotocol
from recloser.credentials.store import Credential, Credentials, Provider
from recloser.credentials.token import Token

__all__ = [
    "Credential",
    "Credentials",
    "Place",
    "Provider",
    "Token",
    "header",
    "query",
    "subprotocol",
]
