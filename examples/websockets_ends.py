"""What the errors of the `websockets` library say of an end, as the record that a policy reads."""

import socket
import ssl
from datetime import UTC, datetime

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from recloser.fsm import Cause, Close, Origin
from recloser.transport.handshake import one_line, retry_after


def record_of(error: Exception) -> Close:
    """Make the record of a connection that ended, or of a dial that failed, with this error."""
    match error:
        case ConnectionClosed(rcvd=None, sent=sent):
            return Close.cut(sent_code=None if sent is None else sent.code, error=error)
        case ConnectionClosed(rcvd=frame, sent=sent):
            code = None if sent is None else sent.code
            return Close.frame(frame.code, frame.reason, sent_code=code)
        case InvalidStatus(response=answer):
            names = answer.headers
            headers = {name.lower(): ", ".join(names.get_all(name)) for name in names}
            return Close.refused(
                answer.status_code,
                headers=headers,
                body=one_line(bytes((answer.body or b"")[:200])),
                retry_after=retry_after(headers, datetime.now(UTC)),
            )
        case InvalidURI():
            return Close.by_engine(Cause.CONFIGURATION, error=error)
        case ssl.SSLCertVerificationError():
            return Close(code=1015, origin=Origin.ENGINE, cause=Cause.TLS, error=error)
        case ssl.SSLError():
            return Close.cut(Cause.TLS, error=error)
        case socket.gaierror():
            return Close.cut(Cause.DNS, error=error)
        case EOFError():
            return Close.cut(Cause.EOF, error=error)
        case OSError():
            return Close.cut(Cause.TCP, error=error)
        case InvalidHandshake():
            return Close.by_engine(Cause.PROTOCOL, error=error)
        case _:  # what the application does with a message has failed
            return Close.by_engine(Cause.HOOK, error=error)
