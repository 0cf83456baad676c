"""A method on a backbone as one object that encodes, called as sentence-transformers calls.

What takes a ``SentenceTransformer`` for its ``encode`` and ``similarity`` takes an ``Embedder``.
Prompts belong to the method here, so that a caller chooses only the role of a text. Neither
sentence-transformers nor mteb is imported.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from ..backbones.backbone import Backbone
from ..embedding import encoder
from ..embedding.methods import Method
from ..embedding.prompts import Role
from ..errors import CorpusError, PlanError

ROLES: dict[str, Role] = {
    "query": "Query",
    "document": "Context",
    "Query": "Query",
    "Context": "Context",
}
"""The role that each ``prompt_name`` means; a method without a role in its prompt ignores it."""

_INDIFFERENT: dict[str, tuple[Any, ...]] = {
    "precision": ("float32",),
    "output_value": ("sentence_embedding",),
    "prompt_type": ("query", "document"),
}
"""Further options of sentence-transformers, and the values that ask for what is done anyway."""

Vectors = NDArray[np.float32] | torch.Tensor | list[torch.Tensor]


class Card:
    """Keeps the metrics that sentence-transformers' evaluators report to a model."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}

    def set_evaluation_metrics(
        self, evaluator: Any, metrics: Mapping[str, float], *_: Any, **__: Any
    ) -> None:
        """Remember ``metrics`` under the names that the ``evaluator`` gave them."""
        del evaluator
        self.metrics.update(metrics)


class Embedder:
    """``method`` on ``backbone``, encoding as a ``SentenceTransformer`` does.

    ``max_tokens`` cuts texts so that no prompt is longer; ``texts_cut`` counts those that lost
    their end, over all calls.

    Raises:
        PlanError, BackboneError: the backbone cannot carry out the method or its plan, or the
            limit is below 1.
    """

    similarity_fn_name = "cosine"

    def __init__(
        self,
        backbone: Backbone,
        method: Method,
        max_tokens: int | None = None,
    ) -> None:
        self.backbone, self.method = backbone, method
        self.max_tokens = max_tokens
        self.texts_cut = 0
        self.model_card_data = Card()
        if max_tokens is not None and max_tokens < 1:
            raise PlanError(f"A limit of {max_tokens} tokens is none; give at least 1, or None.")
        encoder.check_method(backbone, method)

    @property
    def max_seq_length(self) -> int | None:
        """Tokens of the longest prompt, or None where the backbone sets no limit."""
        return min(filter(None, (self.max_tokens, self.backbone.facts.context)), default=None)

    def get_embedding_dimension(self) -> int:
        """Length D of an embedding."""
        return self.backbone.facts.hidden

    def get_sentence_embedding_dimension(self) -> int:
        """Length D of an embedding, by sentence-transformers' older name."""
        return self.get_embedding_dimension()

    def encode(
        self,
        sentences: str | Sequence[str],
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = False,
        normalize_embeddings: bool = True,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        **options: Any,
    ) -> Vectors:
        """Embeddings float32 (N, D) of ``sentences``, or (D,) of a single string.

        Args:
            sentences: N texts or one; none at all gives shape (0, D).
            prompt_name: the role of the texts, see :data:`ROLES`; None is a document.
            prompt: refused, since a prompt belongs to the method.
            batch_size: accepted and not used: a batch holds as many texts as fit into a budget
                of tokens (``batches.budget``). It changes no embedding.
            show_progress_bar: a bar on standard error.
            normalize_embeddings: accepted and not used: embeddings have unit length either way,
                as those of a ``SentenceTransformer`` that ends in a normalising module.
            convert_to_numpy: an array; if False, a list of N tensors.
            convert_to_tensor: one tensor on the CPU instead; goes before ``convert_to_numpy``.
            options: sentence-transformers' others, where None or asking for what is done anyway.

        Raises:
            PlanError: a prompt, an unknown ``prompt_name``, or an option that cannot be met.
            CorpusError: a text is blank, no string, or cannot be encoded.
            BackboneError: the states overflowed the backbone's dtype.
        """
        del batch_size, normalize_embeddings
        role = _role(prompt_name)
        _check(prompt, options)
        single = isinstance(sentences, str)
        texts = [sentences] if isinstance(sentences, str) else list(sentences)
        for number, text in enumerate(texts, 1):
            if not isinstance(text, str):
                raise CorpusError(
                    f"Text {number} is not a string but of the type {type(text).__name__}; "
                    "give a string or a list of strings."
                )
        rows = self._rows(texts, role, bool(show_progress_bar))
        found = rows[0] if single else rows
        if convert_to_tensor:
            return torch.from_numpy(found)
        if convert_to_numpy:
            return found
        return torch.from_numpy(found) if single else list(torch.from_numpy(found))

    def encode_query(
        self, sentences: str | Sequence[str], *, prompt_name: str | None = None, **options: Any
    ) -> Vectors:
        """``encode`` in the role Query, unless ``prompt_name`` says otherwise; raises alike."""
        return self.encode(sentences, prompt_name=prompt_name or "query", **options)

    def encode_document(
        self, sentences: str | Sequence[str], *, prompt_name: str | None = None, **options: Any
    ) -> Vectors:
        """``encode`` in the role Context, unless ``prompt_name`` says otherwise; raises alike."""
        return self.encode(sentences, prompt_name=prompt_name or "document", **options)

    def similarity(self, first: Any, second: Any) -> torch.Tensor:
        """Cosines float32 (N, M) of embeddings (N, D) and (M, D); (D,) counts as one row."""
        return (_unit(first) @ _unit(second).T).float()

    def similarity_pairwise(self, first: Any, second: Any) -> torch.Tensor:
        """Cosines float32 (N,) of the rows of two (N, D), first with first and so on."""
        return (_unit(first) * _unit(second)).sum(dim=1).float()

    def _rows(self, texts: list[str], role: Role, shown: bool) -> NDArray[np.float32]:
        if not texts:
            return np.empty((0, self.get_embedding_dimension()), np.float32)
        with tqdm(total=len(texts), desc="encoding", unit="text", disable=not shown) as bar:

            def progress(done: int, whole: int) -> None:
                bar.total = whole  # distinct prompts, of which there may be more or fewer
                bar.update(done - bar.n)

            found = encoder.encode(
                self.backbone,
                texts,
                self.method,
                role=role,
                max_tokens=self.max_tokens,
                progress=progress,
            )
        self.texts_cut += found.texts_cut
        return found.embeddings


def _role(name: str | None) -> Role:
    if name is None:
        return "Context"
    if name not in ROLES:
        raise PlanError(f"There is no prompt name {name!r}; choose one of {', '.join(ROLES)}.")
    return ROLES[name]


def _check(prompt: str | None, options: Mapping[str, Any]) -> None:
    """Refuse what would change an embedding and is not done here."""
    if prompt is not None:
        raise PlanError(
            "A prompt cannot be given, since prompts belong to the method; leave it out, or choose "
            "another method or prompt_name."
        )
    for name, value in options.items():
        if value is not None and value not in _INDIFFERENT.get(name, ()):
            raise PlanError(f"The option {name}={value!r:.60} is not offered here; leave it out.")


def _unit(vectors: Any) -> torch.Tensor:
    """Rows float64 (N, D) of unit length, of an array, a tensor, or a list of either."""
    if isinstance(vectors, list):
        vectors = torch.stack([torch.as_tensor(row) for row in vectors])
    rows = torch.as_tensor(vectors).detach().cpu().double()
    return torch.nn.functional.normalize(rows.reshape(-1, rows.shape[-1]), dim=-1)
