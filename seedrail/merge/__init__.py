"""What a move does to a database: the live catalog, staging, the program, the ledger."""
