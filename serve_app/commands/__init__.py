"""Commands beside the service: `python -m serve_app.commands.NAME`; the Makefile has a target for each."""
