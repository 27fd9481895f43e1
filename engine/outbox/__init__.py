"""What is kept for a connection that is not there: the outbox, its options and its reports."""

from recloser.outbox.drops import Drop, Reason
from recloser.outbox.held import Held
from recloser.outbox.message import Message
from recloser.outbox.options import Outbox

__all__ = ["Drop", "Held", "Message", "Outbox", "Reason"]
