"""The documents, held against what they tell of."""
