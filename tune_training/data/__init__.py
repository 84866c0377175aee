"""From a folder or bucket of photos to a checked, split manifest."""
