"""SQLite and PostgreSQL: how to connect to them, and all that they do differently."""
