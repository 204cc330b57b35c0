"""What a move does to a database: staging, decisions, writes, the ledger."""
