"""How fast the service is, against a bare loop over the same models and against peers, and how it scales."""
