"""The live page of a service: every engine on its state, as it moves.

from recloser.inspector import Inspector, aiohttp_app

inspector = Inspector()
ws = recloser.connect(url)
inspector.watch("ada", ws)
app.add_subapp("/recloser/", aiohttp_app(inspector))
"""

from recloser.inspector.aiohttp_app import aiohttp_app
from recloser.inspector.asgi import asgi_app
from recloser.inspector.inspector import Inspector

__all__ = ["Inspector", "aiohttp_app", "asgi_app"]
