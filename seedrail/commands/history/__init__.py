"""Commands about revisions: they need the files of the history, and no database."""
