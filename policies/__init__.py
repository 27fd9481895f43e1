"""What should happen: a close record in, a decision out."""
