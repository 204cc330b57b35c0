"""What the repository holds: changes and their algebra, change files, the rail of revisions."""
