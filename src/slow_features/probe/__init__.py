"""The linear probe and the error that the paper reports."""
