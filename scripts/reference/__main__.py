"""`python -m scripts.reference`: write what the code says into the pages."""

import sys

from scripts.reference.pages import PAGES, written

for page in PAGES:
    text = page.read_text("utf-8")
    if (new := written(text)) != text:
        page.write_text(new, "utf-8")
        sys.stdout.write(f"{page.name} is written anew\n")
