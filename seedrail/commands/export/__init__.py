"""`seedrail export`: rows of the database as documents."""
