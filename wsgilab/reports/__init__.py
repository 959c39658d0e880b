"""A verdict as a terminal table, as Markdown, as one self-contained HTML page. Nothing here computes a figure."""
