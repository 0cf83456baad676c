"""The first of a method's five parts: prompts by name, each with its meaning and source.

The others are in :mod:`analysis.embedding.method_parts`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .control_tokens import PLACEHOLDER
from .one_word_prompts import KNOWLEDGE, ONE_WORD, SHORT_TASKS, TASKS, THINKING
from .prompts import BARE, COMPRESSION
from .tidying import end_paragraph, end_sentence, end_with_stop, words_reversed

KV_EMBEDDING = "https://arxiv.org/abs/2601.01046"
PROMPT_EOL = "https://arxiv.org/abs/2307.16645"
META_EOL = "https://arxiv.org/abs/2402.18458"
ECHO = "https://arxiv.org/abs/2402.15449"
TOKEN_PREPENDING = "https://arxiv.org/abs/2412.11556"
PRETENDED_COT = "https://github.com/ZBWpro/PretCoTandKE"
HIERARCHICAL = "https://arxiv.org/abs/2511.14868"
RE_ATTENTION = "https://arxiv.org/abs/2502.20726"
REVERSE_EOL = "https://arxiv.org/abs/2606.05858"


@dataclass(frozen=True)
class Prompt:
    """What a text is put into: one template or several, whose vectors are averaged.

    Attributes:
        name: its name.
        meaning: what it asks, in a few words.
        templates: each with the fields ``{role}`` and ``{text}``, and ``{placeholder}`` if a
            placeholder is prepended; their vectors are averaged before normalisation.
        tidy: prepares the text.
        source: the link of its publication, if there is one.
        backwards: the numbers of those templates, from 0, that get the text's words in reverse
            order.
    """

    name: str
    meaning: str
    templates: tuple[str, ...]
    tidy: Callable[[str], str] = str
    source: str = ""
    backwards: tuple[int, ...] = ()

    def prepared(self, number: int, text: str) -> str:
        """A text as it enters the template of this number, from 0."""
        return self.tidy(words_reversed(text) if number in self.backwards else text)


def own_prompt(*templates: str, tidy: Callable[[str], str] = str) -> Prompt:
    """A prompt of one's own.

    Args:
        templates: each with the field ``{text}``; their vectors are averaged.
        tidy: prepares the text.
    """
    return Prompt("own", "a prompt of one's own", templates, tidy)


PROMPTS = {
    prompt.name: prompt
    for prompt in (
        Prompt("bare", "the text alone", (BARE,)),
        Prompt(
            "compression",
            "to compress the text in one word",
            (COMPRESSION["newline"],),
            source=KV_EMBEDDING,
        ),
        Prompt("eol", "the text in one word", (ONE_WORD,), end_with_stop, PROMPT_EOL),
        Prompt(
            "eol-placeholder",
            "the text in one word, a placeholder before its quotation mark",
            (ONE_WORD.replace('"', f'{PLACEHOLDER} "', 1),),
            end_with_stop,
            TOKEN_PREPENDING,
        ),
        Prompt(
            "bare-placeholder",
            "the text alone, placeholders before it",
            (PLACEHOLDER + BARE,),
            end_paragraph,
            HIERARCHICAL,
        ),
        Prompt("tasks", "one word for each of eight tasks", TASKS, end_with_stop, META_EOL),
        Prompt(
            "echo",
            "to repeat the text, which is given twice",
            ("Rewrite the following paragraph: {text}. The rewritten paragraph: {text}",),
            source=ECHO,
        ),
        Prompt("twice", "the text, twice", ("{text}{text}",), source=RE_ATTENTION),
        Prompt(
            "thinking",
            "the text in one word, after a pretended chain of thought",
            (THINKING,),
            end_with_stop,
            PRETENDED_COT,
        ),
        Prompt(
            "knowledge",
            "the text in one word, after what the essence of a sentence is",
            (KNOWLEDGE,),
            end_with_stop,
            PRETENDED_COT,
        ),
        Prompt(
            "thinking-and-knowledge",
            "thinking and knowledge, averaged",
            (THINKING, KNOWLEDGE),
            end_with_stop,
            "https://arxiv.org/abs/2505.12831",
        ),
        Prompt(
            "eol-both-ways",
            "the text in one word, and the text with its words in reverse order, averaged",
            (ONE_WORD, ONE_WORD),
            end_with_stop,
            REVERSE_EOL,
            backwards=(1,),
        ),
        Prompt("eol-question", "eol; a final question mark stays", (ONE_WORD,), end_sentence),
        Prompt(
            "eol-placeholder-inside",
            "the text in one word, a placeholder after its quotation mark",
            (ONE_WORD.replace("{text}", f"{PLACEHOLDER}{{text}}"),),
            end_sentence,
        ),
        Prompt("short-tasks", "eight short tasks, one word for each", SHORT_TASKS, end_sentence),
        Prompt(
            "echo-sentence",
            "echo about a sentence, with a line break between the copies",
            ("Rewrite the following sentence: {text}\nThe rewritten sentence: {text}",),
        ),
        Prompt(
            "echo-again",
            "the prompt for documents of echo's trained models",
            ("Document:{text}\nDocument again:{text}",),
            source=ECHO,
        ),
    )
}
"""The library's prompts; the wording is quoted from their authors where a source is named."""
