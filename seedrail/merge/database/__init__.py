"""What a move asks of the database around its rows: session, locks, live schema, loads."""
