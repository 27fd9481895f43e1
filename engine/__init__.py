"""recloser: the reconnection engine for WebSockets in asyncio services."""
