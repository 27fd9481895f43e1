"""What is kept for a connection that is not there: the outbox, its options and its reports."""

from recloser.outbox.acknowledgements import Acknowledgements, UpTo
from recloser.outbox.drops import Drop, Reason
from recloser.outbox.held import Held
from recloser.outbox.message import Message
from recloser.outbox.options import Outbox

__all__ = ["Acknowledgements", "Drop", "Held", "Message", "Outbox", "Reason", "UpTo"]
