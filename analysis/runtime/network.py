"""Whether the Hugging Face hub can be reached, and whether it takes the user's access token."""

import os
import socket
import threading
from typing import Any
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


def causes(error: BaseException) -> list[BaseException]:
    """An error and what it was raised from, at most nine in all."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and len(chain) < 9:
        chain.append(cause)
    return chain


def refused_token(error: BaseException) -> str | None:
    """Which access token the hub answered is not one of its own; None where it did not.

    To a request without a token the hub says the same of what is private or does not exist.

    Args:
        error: what its client raised.

    Returns:
        The token in words, never itself.
    """
    for cause in causes(error):
        response = getattr(cause, "response", None)
        if getattr(response, "status_code", None) == 401 and _with_token(response):
            where = "in HF_TOKEN" if os.environ.get("HF_TOKEN") else "that hf auth login stored"
            return f"the access token {where}"
    return None


def _with_token(response: Any) -> bool:
    return "authorization" in response.request.headers


def without_token(sentence: str) -> str:
    """The sentence without the user's access token, should a library have quoted it."""
    from huggingface_hub import get_token

    token = get_token()
    return sentence.replace(token, "(the token)") if token else sentence
