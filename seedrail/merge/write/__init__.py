"""What a move writes: rows, in an order that every constraint allows, and what was applied."""
