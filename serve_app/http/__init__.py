"""The HTTP contract: `app` has the routes, `answers` the bodies, `ingress` joins them to the graph. No torch, Ray or pixels here."""
