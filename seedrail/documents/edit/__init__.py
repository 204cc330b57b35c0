"""Edits of a document's text that leave everything else in it as it stands: order, spacing and style."""
