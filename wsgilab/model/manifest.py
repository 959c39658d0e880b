"""What a run says about itself: manifest.json."""

MANIFEST_SCHEMA = 1
