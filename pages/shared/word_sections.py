"""What word did it think of? The words of a text and of a corpus, layer by layer."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.embedding import logit_lens
from analysis.embedding.methods import Method
from analysis.experiments import words as experiment
from analysis.experiments.specs import Words
from analysis.experiments.words_result import Words as Found
from analysis.figures import words as figures
from analysis.recipes import words as findings
from analysis.recipes.chart import table
from analysis.recipes.recipe import Recipe
from analysis.recipes.rows import Row, grouped
from analysis.rerouting.plan import Plan
from pages.shared import display, own_texts, progress, session, valid_values
from pages.shared.ending_choice import choose_text
from pages.shared.page_question import SIDEBAR
from pages.shared.questions import WORDS

if TYPE_CHECKING:
    from pages.shared.causal_view import View

LENS = (
    "Each row is the output of a layer at the last token, put through the model's own final norm "
    "and unembedding (the *logit lens*, nostalgebraist 2020). The top "
    "row is what the model would write next; those below are what it would write if no layer "
    "followed, for which none was trained. A word is a token, so a long one shows by its first "
    "piece. \u2423 is a space, \u21b5 a line break. Framed: layers that re-route."
)

_CORPUS = ("corpus", "samples")
_BY_LAYER = "Words by layer"


def step(view: "View") -> None:
    """Show the word that each of the two texts makes the model think of."""
    if not view.presenting:
        st.markdown(
            "A compression prompt asks for one word. The state that becomes the embedding is the "
            "one from which the model would write it. **Which word is it, and does re-routing "
            "change it?**"
        )
    place = view.choices.container(horizontal=True)
    text = choose_text(view.texts, place)
    name = _choose_method(place, logit_lens.readable(), "word_method")
    method = view.methods[name]
    with display.errors_skip_section():
        sides = _found(view.backbone, [text], method, view.plan)
        _say(_rows(sides))
        _show(sides, view.show, _BY_LAYER, *((3, 3) if view.presenting else ()))
        if not view.presenting:
            st.caption(LENS)
            _command(name, text=[text], **view.asked)


def of_text(backbone: Backbone, plan: Plan, methods: Mapping[str, Method], text: str) -> None:
    """Show the words that a text makes the model think of, and offer those of a corpus.

    Args:
        backbone: the loaded backbone.
        plan: the sidebar's plan.
        methods: methods by their names or spellings.
        text: the text.
    """
    readable = [name for name, method in methods.items() if logit_lens.is_readable(method)]
    if not readable:
        st.info(
            "None of the methods above reads the last token alone. Choose one that does, such as "
            "prompt-eol or kv-embedding."
        )
        return
    name = _choose_method(st, readable, "words_method")
    with display.errors_skip_section():
        sides = _found(backbone, [text or "..."], methods[name], plan)
        _say(_rows(sides))
        session.figures_of("one text")
        _show(sides, display.figure, _BY_LAYER)
        st.caption(LENS)
        _command(name, text=[text or "..."])
        if st.toggle(
            "Show the words of a corpus",
            key="words_shown",
            bind="query-params",
            help="Reads all its texts.",
        ):
            _of_corpus(backbone, plan, name, methods[name])


def _of_corpus(backbone: Backbone, plan: Plan, name: str, method: Method) -> None:
    left, right = st.columns([3, 1])
    WORDS.show("corpus", left, door=st.container())
    WORDS.show("samples", right)
    asked = {
        option: WORDS.control(option).read(valid_values.values())[option] for option in _CORPUS
    }
    texts = experiment.drawn(session.texts(asked["corpus"]), asked["samples"])
    sides = _found(backbone, texts, method, plan)
    rows = _rows(sides)
    session.figures_of(f"{texts.name}, n = {len(texts.texts):,} texts")
    _say(rows)
    for prompt, members in grouped(rows, lambda row: row["prompt"]).items():
        beside, of_prompt = table(members), _of_prompt(prompt)
        display.figure(figures.frequent_words(members), beside, f"Most frequent words{of_prompt}")
        display.figure(figures.entropy_by_layer(members), beside, f"Entropy by layer{of_prompt}")
    _show(sides, display.figure, "Most frequent words by layer")
    st.caption(
        f"{len(texts.texts):,} of {texts.total:,} distinct texts; 95% intervals over texts. Beside "
        "a bar: the mean probability of the word in the texts whose first word it is. The lower "
        "the entropy, the surer the model is of one word."
    )
    _command(name, **asked)


def _choose_method(place: Any, names: Sequence[str], key: str) -> str:
    """Choose a method that reads the last token; prompt-eol where it is offered."""
    first = "prompt-eol" if "prompt-eol" in names else names[0]
    chosen: str = place.selectbox(
        "Prompt of the method",
        names,
        list(names).index(first),
        key=key,
        bind="query-params",
        help="Methods that read the last token. The word does not depend on the pooling.",
    )
    return chosen


def _found(backbone: Backbone, texts: Any, method: Method, plan: Plan) -> list[Found]:
    with progress.progress("Reading words") as show_progress:
        return experiment.words(backbone, texts, method, plan, progress=show_progress)


def _show(
    sides: Sequence[Found], show: Any, title: str, every: int = 1, most: int | None = None
) -> None:
    """Show both sides next to each other, each prompt of the method for itself.

    Of ``every`` so many layers one is drawn, and ``most`` words of it.
    """
    for prompt, of_prompt in grouped(_rows(sides), lambda row: row["prompt"]).items():
        by_side = grouped(
            [row for row in of_prompt if most is None or row["rank"] <= most],
            lambda row: row["model"],
        )
        for (side, members), column in zip(by_side.items(), st.columns(len(by_side)), strict=True):
            with column:
                name = f"{title}, {side}{_of_prompt(prompt)}"
                show(figures.layer_map(members, every), table(members), name)


def _rows(sides: Sequence[Found]) -> list[Row]:
    return [row for side in sides for row in side.to_rows()]


def _of_prompt(number: int) -> str:
    """The prompt in a name, for methods of several."""
    return f", prompt {number}" if number > 1 else ""


def _say(rows: Sequence[Row]) -> None:
    for sentence in findings.sentences(rows):
        st.markdown(f"**{display.escaped(sentence)}**")


def _command(name: str, **asked: Any) -> None:
    """Offer the words that are shown as a command and a script."""
    shared = {k: v for k, v in SIDEBAR.spec().values().items() if k in Words.options()}
    spec = Words.read({**shared, "method": [name], **asked})
    label = "Reproduce the words of the corpus" if spec.corpus else "Reproduce the words"
    with display.folded(label) as is_open:
        if is_open:
            display.command_and_script(Recipe(spec, about=own_texts.about(spec.corpus)))
