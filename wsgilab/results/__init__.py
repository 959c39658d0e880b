"""The run's folder, and reading what others wrote into one."""
