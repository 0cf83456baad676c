"""What word did it think of? The words that prompts make a backbone think of, layer by layer.

An EOL-type or compression prompt asks for one word, and the last token's state is read. Decoded
through the final norm and the unembedding (:mod:`analysis.embedding.logit_lens`), that state says
which word the backbone would go on with, plain and with layers or heads re-routed.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace

from ..backbones.backbone import Backbone
from ..corpora import sampling
from ..corpora.types import Texts
from ..embedding import logit_lens
from ..embedding.checks import check_output_layer
from ..embedding.logit_lens import Lens
from ..embedding.methods import Method
from ..embedding.prompts import check_text
from ..embedding.token_words import MOST, token_words
from ..errors import CorpusError, PlanError
from ..rerouting.plan import PLAIN, Plan
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import lock_for
from ..storage import result_store
from .words_result import Side, Words

MOST_OWN = 20
"""Texts of one's own at most: each is shown for itself, layer by layer."""


def drawn(corpus: Texts, samples: int | None) -> Texts:
    """The texts of a corpus whose words are looked at, distinct and drawn with seed 0.

    Args:
        corpus: the full corpus.
        samples: how many; all if None or if there are fewer.
    """
    distinct = len(sampling.first_places(corpus.texts))
    texts = sampling.sample(corpus, samples or max(distinct, 1), 0)
    return replace(texts, total=distinct)


def words(
    backbone: Backbone,
    texts: Sequence[str] | Texts,
    method: Method,
    plan: Plan = PLAIN,
    *,
    progress: Progress = quiet,
) -> list[Words]:
    """The words of texts by one method, plain and, where the plan re-routes, re-routed.

    What has been computed before is read from the store.

    Args:
        backbone: the decoder.
        texts: texts of one's own, or those drawn from a corpus, see :func:`drawn`.
        method: a method that reads the last token. One that re-routes nothing gets the plan too.
        plan: which layers and heads re-route; a method's own counts where it has one.
        progress: counts distinct prompts.

    Raises:
        PlanError: the method reads no state of the last token, or does not fit the backbone.
        CorpusError: there is no text, or one is blank or cannot be encoded.
        BackboneError: the backbone has no unembedding, or its states overflowed.
        OutOfMemory: the unembedding does not fit into memory.
    """
    logit_lens.check_readable(method)
    check_output_layer(method.reading.layer, backbone.facts)
    corpus = texts if isinstance(texts, Texts) else None
    listed = tuple(corpus.texts if corpus else texts)
    found: list[Words] = []
    for side, sided in sides(method, plan).items():
        lens = _lens(backbone, listed, sided, found[0].lens if found else None, progress)
        found.append(
            Words(
                sided,
                side,
                listed,
                corpus.name if corpus else "",
                (corpus.total if corpus else None) or len(listed),
                lens,
                token_words(backbone.tokenizer, set(lens.ids.ravel().tolist())),
                method.reading.layer % backbone.layers,
                backbone.provenance(),
            )
        )
    return found


def sides(method: Method, plan: Plan) -> dict[Side, Method]:
    """A method with nothing re-routed, and with a plan that re-routes something.

    Args:
        method: the method; where it has a plan that re-routes, that is taken.
        plan: the plan.
    """
    plan = method.plan if method.has_plan else plan
    plain = method.under(PLAIN)
    if not plan.active or not method.change.causal:
        return {"plain": plain}
    rerouting = replace(plain, change=replace(method.change, reroutes=True))
    return {"plain": plain, "re-routed": rerouting.under(plan)}


def check_texts(texts: Sequence[str] | Texts) -> None:
    """Refuse texts that no backbone can read, and too many of one's own.

    Args:
        texts: texts of one's own, or a corpus.

    Raises:
        CorpusError: a text is blank or cannot be encoded, or there are more than :data:`MOST_OWN`.
    """
    if not isinstance(texts, Texts) and len(texts) > MOST_OWN:
        raise CorpusError(
            f"Words are shown for {MOST_OWN} texts of one's own at most, not {len(texts):,}; give "
            "them as a corpus."
        )
    for number, text in enumerate(texts, 1):
        check_text(text, number)


def check_top(top: int) -> None:
    """Refuse more words of a distribution than are kept.

    Raises:
        PlanError: there are more, or none.
    """
    if not 1 <= top <= MOST:
        raise PlanError(
            f"Of each distribution 1 to {MOST} words are kept, not {top}; choose fewer."
        )


def _lens(
    backbone: Backbone,
    texts: tuple[str, ...],
    method: Method,
    plain: Lens | None,
    progress: Progress,
) -> Lens:
    """The lens of texts, from the store or computed."""
    key = result_store.key(
        "words",
        **backbone.identity,
        **logit_lens.lens_method(method).identity,
        texts=result_store.digest(list(texts)),
    )
    with lock_for(key):
        if (stored := result_store.get(key)) is None:
            lens = logit_lens.logit_lens(backbone, texts, method, plain=plain, progress=progress)
            arrays = asdict(lens)
            facts = {"cut": list(arrays.pop("cut"))}
            result_store.put(key, facts, arrays)
            return lens
    facts, arrays = stored
    return Lens(**arrays, cut=tuple(facts["cut"]))
