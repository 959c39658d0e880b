"""The workshop: its exercises, what counts as having done one, the quiz, and how far somebody is."""
