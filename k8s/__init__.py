"""The service on Kubernetes: kustomize base and overlays, and what writes the parts of them that other files decide."""
