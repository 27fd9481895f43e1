"""How it happens on the wire."""
