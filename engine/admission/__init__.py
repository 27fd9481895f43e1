"""The server's half: take as many connections as there is room, and say to others when to come.

from recloser.admission import Admission, aiohttp_admission

admission = Admission(capacity=200.0)
aiohttp_admission(app, admission)
"""

from recloser.admission.admission import Admission
from recloser.admission.aiohttp_admission import aiohttp_admission
from recloser.admission.asgi_admission import asgi_admission

__all__ = ["Admission", "aiohttp_admission", "asgi_admission"]
