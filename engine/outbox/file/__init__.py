"""The SQLite file of a durable outbox: what is in it, how it is written, and what can be saved."""
