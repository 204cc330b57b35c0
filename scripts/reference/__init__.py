"""The parts of docs/ that are made of code: `make reference` writes them, and a test compares them."""
