"""Windows of load, what drives them, and what records them."""
