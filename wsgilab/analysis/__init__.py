"""From windows to a verdict. Pure: no clock, no file, no process."""
