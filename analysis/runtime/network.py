"""Whether the Hugging Face hub can be reached, found out within a second."""

import os
import socket
import threading
from urllib.parse import urlsplit
from urllib.request import getproxies

from ..errors import one_line

PATIENCE = 1.0
"""Seconds in which the hub has to answer."""


def hub_unreachable() -> str | None:
    """Say why the hub cannot be reached, without the half minute of retries of its own client.

    Returns:
        The reason; None where it can be reached, and in the client's offline mode
        (``HF_HUB_OFFLINE``, ``HF_DATASETS_OFFLINE``), in which it answers at once.
    """
    if os.environ.get("HF_HUB_OFFLINE") or os.environ.get("HF_DATASETS_OFFLINE"):
        return None
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    proxies, scheme = getproxies(), urlsplit(endpoint).scheme
    address = urlsplit(proxies.get(scheme) or proxies.get("all") or endpoint)
    reasons: list[str | None] = []

    def connect() -> None:
        try:
            port = address.port or (443 if address.scheme == "https" else 80)
            socket.create_connection((address.hostname or "", port), PATIENCE).close()
            reasons.append(None)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            reasons.append(f"{address.hostname}: {reason or one_line(error)}")

    # In a thread, since looking up a name has no time limit of its own.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return reasons[0] if reasons else f"{address.hostname} did not answer within a second"
