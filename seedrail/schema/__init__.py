"""What a seeded table and its values are: types, frozen tables, natural keys, defaults."""
