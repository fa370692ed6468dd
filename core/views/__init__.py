"""Pages of the floor, one noun a module."""
