"""Pages: the dashboards in a browser."""
