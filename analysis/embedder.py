"""A method on a backbone as an object with the ``encode`` that sentence-transformers has.

So that code written for a sentence-transformers model takes a frozen decoder in its place:
searching, scoring, clustering. What is asked of a model and makes no sense here is refused.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from analysis import encoder
from analysis.backbone import Backbone
from analysis.errors import PlanError
from analysis.methods import DEFAULT, Method
from analysis.prompting import Role
from analysis.rerouting import PLAIN, Plan

Array = NDArray[np.float32] | torch.Tensor
ROLES: dict[str | None, Role] = {
    None: "Context",
    "context": "Context",
    "document": "Context",
    "passage": "Context",
    "query": "Query",
}
"""What a prompt's name, in any case, says of the text's role."""


class Embedder:
    """``method`` on ``backbone``, re-routed by ``plan``; texts are cut at ``max_tokens``.

    Raises:
        PlanError, BackboneError: the backbone cannot carry out the plan or the method.
    """

    def __init__(
        self,
        backbone: Backbone,
        method: Method = DEFAULT,
        plan: Plan = PLAIN,
        *,
        max_tokens: int | None = None,
    ) -> None:
        self.backbone, self.method = backbone, method
        self.plan = plan if method.reroutes else PLAIN
        self.max_tokens = max_tokens
        encoder.check_plan(backbone, self.plan)
        encoder.check_method(backbone, method)

    @property
    def max_seq_length(self) -> int | None:
        """Tokens that a prompt may have; None if the backbone names no limit."""
        return min(filter(None, (self.max_tokens, self.backbone.facts.context)), default=None)

    def get_sentence_embedding_dimension(self) -> int:
        """Numbers in an embedding."""
        return self.backbone.facts.hidden

    get_embedding_dimension = get_sentence_embedding_dimension

    def encode(
        self,
        sentences: str | Sequence[str],
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,  # noqa: ARG002  (batches go by tokens, see analysis.batches)
        show_progress_bar: bool | None = None,
        *,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        normalize_embeddings: bool = True,
        **ignored: Any,  # noqa: ARG002  (device, precision and the like are the backbone's)
    ) -> Array:
        """Embeddings float32 (N, D) of texts, or (D,) of one, of unit length.

        ``prompt_name`` is a role: query, or document (also passage, context, or None). They come
        as an array, or as a tensor with ``convert_to_tensor`` or without ``convert_to_numpy``.
        ``batch_size`` is taken and not needed: batches go by a budget of tokens.

        Raises:
            PlanError: a prompt of the caller's own, another prompt name, or embeddings that are
                not to be normalised.
            CorpusError, BackboneError: what encoding raises.
        """
        if prompt is not None:
            raise PlanError(
                f"A prompt of one's own cannot be given: it belongs to {self.method.name}; choose "
                "another method, or query or document as prompt_name."
            )
        role = prompt_name.lower() if prompt_name else None
        if role not in ROLES:
            raise PlanError(
                f"There is no prompt called {prompt_name!r}; use one of "
                f"{', '.join(name for name in ROLES if name)}."
            )
        if not normalize_embeddings:
            raise PlanError("Embeddings are always of unit length; leave normalize_embeddings on.")
        texts = [sentences] if isinstance(sentences, str) else list(sentences)
        if not texts:
            found = np.empty((0, self.backbone.facts.hidden), np.float32)
        else:
            with tqdm(disable=not show_progress_bar, file=sys.stderr, unit="texts") as bar:

                def show(done: int, whole: int) -> None:
                    bar.total = whole
                    bar.update(done - bar.n)

                found = encoder.encode(
                    self.backbone,
                    texts,
                    self.method,
                    self.plan,
                    role=ROLES[role],
                    max_tokens=self.max_tokens,
                    progress=show,
                ).embeddings
        one = found[0] if isinstance(sentences, str) else found
        return torch.from_numpy(one) if convert_to_tensor or not convert_to_numpy else one

    def encode_query(self, sentences: str | Sequence[str], **how: Any) -> Array:
        """``encode`` in the role of queries."""
        return self.encode(sentences, **how | {"prompt_name": "query"})

    def encode_document(self, sentences: str | Sequence[str], **how: Any) -> Array:
        """``encode`` in the role of documents."""
        return self.encode(sentences, **how | {"prompt_name": "document"})

    def similarity(self, embeddings1: Array, embeddings2: Array) -> torch.Tensor:
        """Cosines of all of (N, D) with all of (M, D): (N, M)."""
        a, b = _unit(embeddings1), _unit(embeddings2)
        return a @ b.T

    def similarity_pairwise(self, embeddings1: Array, embeddings2: Array) -> torch.Tensor:
        """Cosines of rows of (N, D) with those of (N, D) at the same place: (N,)."""
        a, b = _unit(embeddings1), _unit(embeddings2)
        return (a * b).sum(dim=-1)


def _unit(embeddings: Array) -> torch.Tensor:
    wide = torch.as_tensor(embeddings).float()
    wide = wide[None] if wide.ndim == 1 else wide
    return torch.nn.functional.normalize(wide, dim=-1)
