"""A JSON text: where its values stand, how it is written, and one value set or removed."""
