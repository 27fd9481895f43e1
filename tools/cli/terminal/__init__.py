"""The parts of `recloser connect`: what is typed, what is shown, and what is between."""
