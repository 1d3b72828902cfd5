# Sphinx: make docs

import neuralcrop

project = "neuralcrop"
author = "The neuralcrop developers"
release = version = neuralcrop.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"
html_theme = "alabaster"
