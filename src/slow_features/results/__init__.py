"""Results: where they are made (store), kept (record), compared (verify) and read (files)."""
