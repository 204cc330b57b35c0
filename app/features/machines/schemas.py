"""The contract of `machines.json`."""

from app.features.documents import Document, Line, Name


class MachineDocument(Document):
    """One element of `machines.json`."""

    name: Name
    site: Line
    architecture: Line
    scheduler: Line
    gpu: bool = False
    notes: str | None = None
