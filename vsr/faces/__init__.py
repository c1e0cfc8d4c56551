"""Find, follow, cut out and paste back faces."""
