"""One engine at work: feeds the core with events and performs its effects."""
