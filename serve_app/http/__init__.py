"""The HTTP contract: requests in, the bodies of `answers` out. Nothing here knows of torch or pixels."""
