"""Settings: declared, loaded, checked and explained."""
