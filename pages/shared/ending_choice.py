"""Which of the two texts of the page on causal limits a step shows."""

from typing import Any

_ENDINGS = ("sentence A", "sentence B")


def choose_text(texts: tuple[str, str], place: Any) -> str:
    """Show the choice, which all steps share, in a container or ``st``; the text that is chosen."""
    ending = place.segmented_control(
        "Text", _ENDINGS, default=_ENDINGS[0], required=True, key="ending", bind="query-params"
    )
    return texts[_ENDINGS.index(ending)]
