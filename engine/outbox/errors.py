"""The errors of an outbox, a branch of `RecloserError`; each carries its facts as attributes.

RecloserError
 +-- OutboxFull         sending while not open, with no room left to keep the message
 +-- OutboxUnusable     the file of a durable outbox cannot be used; it was left as it is
      +-- OutboxInUse       another engine or process has it
      +-- OutboxForeign     it is something else, or from another version
      +-- OutboxDamaged     it cannot be read
      +-- OutboxNotSaved    it cannot be written: a full disk, say
"""

from recloser.fsm.errors import RecloserError


class OutboxFull(RecloserError):
    """There is no room for the message; it was not accepted. `what` names the bound, `size` counts.

    `what` is `"max_bytes"` for a message for which there will never be room.
    """

    def __init__(self, what: str, size: int) -> None:
        super().__init__(what, size)
        self.what = what
        self.size = size

    def __str__(self) -> str:
        if self.what == "max_bytes":
            return f"the message can never fit (max_bytes: {self.size}): split it, or raise that"
        return f"the outbox is full ({self.what}: {self.size}): wait, or give Outbox other bounds"


class OutboxUnusable(RecloserError):
    """The file at `path` cannot be used; `problem` says why. It was left as it is.

    The error of SQLite or of the system, if there is one, is the `__cause__`.
    """

    advice = "check the path and its permissions"

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"the outbox file {self.path} {self.problem}: {self.advice}"


class OutboxInUse(OutboxUnusable):
    """Another engine or process has the file open: two would send each message twice."""

    advice = "close the other engine, or give each a path of its own"


class OutboxForeign(OutboxUnusable):
    """The file is not an outbox, or another version of recloser wrote it."""

    advice = "give another path, or use the version that wrote it"


class OutboxDamaged(OutboxUnusable):
    """The file cannot be read, or not as a whole."""

    advice = "save what can be read with 'recloser outbox FILE --salvage NEW', and use NEW"


class OutboxNotSaved(OutboxUnusable):
    """The file cannot be written. Raised by `send`: the message was not accepted.

    Messages that were saved before are still in the file. Those in memory go out as usual.
    """

    advice = "make room on the disk, or check its health; sending again will try again"
