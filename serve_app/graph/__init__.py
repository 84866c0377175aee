"""The Ray Serve graph: what carries a photo between replicas, batches it, retries it, and exchanges models under load."""
