"""Makes an API key: `python -m serve_app.commands.keys NAME`, or `make keys NAME=...`."""

import argparse

from serve_app.http.keys import digest, new_key
from serve_app.settings import KEY_NAME


def main(arguments: list[str] | None = None) -> None:
    """Prints a new key, and what the service has to know of it."""
    parser = argparse.ArgumentParser(prog="python -m serve_app.commands.keys", description=__doc__)
    parser.add_argument("name", help="whose key it is: letters, digits, dot, dash and underscore")
    name = parser.parse_args(arguments).name
    if not KEY_NAME.fullmatch(name):
        parser.error(f"{name!r} is no name: up to 40 letters, digits, dots, dashes and underscores")
    key = new_key()
    print(f"The key of {name}, which is kept nowhere:        {key}")
    print(f"For API_KEYS, or a line of API_KEYS_FILE:  {name}:{digest(key)}")


if __name__ == "__main__":
    main()
