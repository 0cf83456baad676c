"""What a practitioner should do on a small model: sentences that follow from the stored runs."""

from dataclasses import dataclass

from analysis.evaluation.comparison import Difference, difference
from benchmarks.report import tables
from benchmarks.report.sets import BASE, PAIRS, RATED, RATED_EOL, UNRATED

EARLY = "prompt-eol, one layer early"


@dataclass(frozen=True)
class Choice:
    """A choice between two methods that differ in one thing.

    Attributes:
        method: with it.
        without: the same without it.
        ahead: the advice if it is clearly better.
        behind: the advice if it is clearly worse.
        level: the advice if neither is clear.
    """

    method: str
    without: str
    ahead: str
    behind: str
    level: str


CHOICES = (
    Choice(
        *("prompt-eol", "mean", "Ask for one word instead of averaging the bare text"),
        *("Average the bare text rather than ask for one word", "One word or an average: try both"),
    ),
    Choice(
        *("prompt-eol", BASE, "Prefer the one-word prompt to the compression prompt and its mean"),
        "Prefer the compression prompt and its mean to the one-word prompt",
        "The one-word prompt and the compression prompt do equally well",
    ),
    Choice(
        *(EARLY, "prompt-eol", "Read the last layer but one"),
        "Read the last layer, not the one before",
        "Which of the last two layers is read does not decide",
    ),
    Choice(
        *("pretended-cot", EARLY, "Let the prompt pretend to think step by step"),
        "Do not let the prompt pretend to think step by step",
        "A prompt that pretends to think brings nothing to count on",
    ),
    Choice(
        *("knowledge", EARLY, "Say in the prompt what matters in a sentence"),
        "Do not say in the prompt what matters in a sentence",
        "Saying in the prompt what matters in a sentence brings nothing to count on",
    ),
    Choice(
        *("token-prepending", EARLY, "Let a placeholder in front take the last token's state"),
        "Do not let a placeholder in front take the last token's state",
        "A placeholder that takes the last token's state brings nothing to count on",
    ),
    Choice(
        *("prompt-eol, centred", "prompt-eol", "Subtract the mean vector of some plain sentences"),
        "Do not subtract the mean vector of plain sentences",
        "Centring changes little",
    ),
    Choice(
        *("echo", "mean", "If there is no prompt to be had, give the text twice"),
        "Do not give the text twice",
        "Giving the text twice brings nothing to count on",
    ),
    Choice(
        *(BASE, "prompt-only", "Re-route the layers of lowest dimension"),
        "Do not re-route the layers of lowest dimension",
        "Re-routing the layers of lowest dimension brings nothing to count on",
    ),
    Choice(
        *(RATED, "prompt-only", "With a hundred rated pairs, choose heads to re-route by them"),
        "Do not choose heads by a hundred rated pairs",
        "Heads chosen by a hundred rated pairs bring nothing to count on",
    ),
    Choice(
        *(UNRATED, "prompt-only", "Without ratings, choose heads by agreement with prompt-eol"),
        "Do not choose heads by agreement with prompt-eol",
        "Heads chosen by agreement with prompt-eol bring nothing to count on",
    ),
    Choice(
        *(RATED_EOL, "prompt-eol", "Choose heads for the one-word prompt, too"),
        "Do not choose heads for the one-word prompt",
        "Heads chosen for the one-word prompt bring nothing to count on",
    ),
    Choice(
        *("bidirectional", "mean", "Take the causal mask away"),
        "Leave the causal mask in place",
        "Taking the causal mask away brings nothing to count on",
    ),
)


def sentences(results: tables.Results) -> list[str]:
    """The advice of one backbone's runs on rated pairs; empty where the draws are not stored.

    Each choice is judged by the mean of Spearman's correlation over all sets, in which every set
    counts the same; the heads were chosen on a part of one of them.

    Args:
        results: the backbone's runs by name.
    """
    if not set(PAIRS) <= set(results):
        return []
    found = []
    for choice in CHOICES:
        change = _change(results, choice.method, choice.without)
        if change is None:
            continue
        clear = not change.ci_low <= 0 <= change.ci_high
        said = (choice.ahead if change.delta > 0 else choice.behind) if clear else choice.level
        little = ", clear but less than a point" * (clear and abs(change.delta) < 1)
        found.append(
            f"{said}: {choice.method} against {choice.without} "
            f"{change.delta:+.1f} [{change.ci_low:+.1f}, {change.ci_high:+.1f}]{little}."
        )
    return found


def _change(results: tables.Results, first: str, second: str) -> Difference | None:
    """The difference of two methods' means over the sets of rated pairs."""
    one, other = (tables.mean_over(results, PAIRS, name, "Spearman") for name in (first, second))
    return None if one is None or other is None else difference(one, other, (first, second))
