"""Pages about finished results: figures, tables, HTML and Markdown. Nothing here computes a result."""
