"""The two addresses that deploy.sh asks by itself."""

import urllib.error
import urllib.request
from ipaddress import ip_address

OWN_ADDRESS = "https://checkip.amazonaws.com"
TIMEOUT_S = 20


def own_address(url: str = OWN_ADDRESS) -> str:
    """The public address of this machine.

    Raises:
        OSError, ValueError: it cannot be found out.
    """
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
        return str(ip_address(answer.read().decode().strip()))


def health(url: str) -> str:
    """Status and body of an answer; an error status is one, because a service may be asleep or paused.

    Raises:
        OSError: nothing answers.
    """
    try:
        answer = urllib.request.urlopen(url, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return f"HTTP {answer.status} {answer.read().decode()}"
