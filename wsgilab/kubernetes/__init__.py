"""What compose.yaml describes, as manifests for a Kubernetes cluster. Nothing here speaks to one."""
