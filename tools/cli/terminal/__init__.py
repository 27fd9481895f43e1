"""What a terminal shows and takes: words, lines, a display with a status bar, a conversation."""
