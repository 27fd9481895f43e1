"""The SQLite file of a durable outbox: schema, writer, snapshot and recovery."""
