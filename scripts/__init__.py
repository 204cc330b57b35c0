"""What the Makefile runs beside tools."""
