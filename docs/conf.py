"""The site of these pages: `make docs` builds it, and every warning is an error."""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

project = "Seedrail"
author = "The Seedrail contributors"
copyright = author

extensions = ["myst_parser"]
myst_heading_anchors = 4
nitpicky = True
smartquotes = False  # two hyphens are an option

html_theme = "furo"
html_title = "Seedrail"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["seedrail.css"]


class Pictures(SphinxPostTransform):
    """Put the pictures into their pages, so that they are light or dark as the reader has the page.

    As files of their own, on a site of code, they follow the system by the style that is cut out here.
    """

    default_priority = 5
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Replace each image of `pictures/` by its drawing."""
        for image in list(self.document.findall(nodes.image)):
            file = Path(self.app.srcdir) / image["uri"]
            if file.parent.name == "pictures":
                drawing = re.sub(r"\s*<style>.*?</style>", "", file.read_text("utf-8"), flags=re.S)
                image.replace_self(nodes.raw("", f'<div class="picture">{drawing}</div>', format="html"))


def setup(app: Sphinx) -> None:
    """What is added to Sphinx."""
    app.add_post_transform(Pictures)
