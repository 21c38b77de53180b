"""HTML pages: Jinja2 templates, one stylesheet, and plots as inline SVG.

A page is a single file. It runs no scripts, loads nothing from the network, and escapes every value.
"""
