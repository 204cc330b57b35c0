"""Files in, canonical rows out: sources, faults with their places, integrity."""
