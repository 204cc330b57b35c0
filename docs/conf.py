"""The site of these pages: `make docs` builds it, and every warning is an error."""

project = "Seedrail"
author = "The Seedrail contributors"
copyright = author

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_title = "Seedrail"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["seedrail.css"]
