"""What becomes of staged rows: which live ones they are, what is touched, and the cases that decide."""
