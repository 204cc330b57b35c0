"""What a move and a look at the rows have to tell: conflicts, and what differs from the seed."""
