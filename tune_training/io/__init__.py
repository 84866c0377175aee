"""Folders and S3, processes and clusters: what all commands stand on."""
