"""The nouns of the lab, and the words for them. Pure."""
