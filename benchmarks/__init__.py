"""Speed of the package beside the straightforward form, both measured in the same run."""
