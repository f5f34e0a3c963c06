"""Pages about finished results: figures, tables, HTML and Markdown. No result is computed here."""
