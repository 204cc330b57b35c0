"""What the tests stand on: databases and processes."""
