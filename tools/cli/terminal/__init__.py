"""The terminal of `recloser connect`: words, lines, a display, a conversation."""
