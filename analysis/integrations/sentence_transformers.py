"""A method on a backbone with the interface of a ``SentenceTransformer``.

Code that uses ``encode`` and ``similarity`` of a ``SentenceTransformer`` accepts an ``Embedder``.
Prompts belong to the method, so a caller chooses only the role of a text. Neither
sentence-transformers nor mteb is imported.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from ..backbones.backbone import Backbone, load
from ..backbones.catalog import DtypeName
from ..dimension.selection import RuleName
from ..embedding import methods
from ..embedding.cached_encoder import CachedEncoder
from ..embedding.encoder import Encoder, MethodEncoder
from ..embedding.methods import Method, MethodName
from ..embedding.prompts import Role
from ..errors import CorpusError, PlanError
from ..experiments.dimension import select_layers
from ..rerouting.plan import KeyPosition, Plan
from ..runtime.lookup import by_name

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
"""Further options of sentence-transformers, and the values that change nothing here."""

Vectors = NDArray[np.float32] | torch.Tensor | list[torch.Tensor]


class Card:
    """Keeps the metrics that sentence-transformers' evaluators report to a model."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}

    def set_evaluation_metrics(
        self, evaluator: Any, metrics: Mapping[str, float], *_: Any, **__: Any
    ) -> None:
        """Store ``metrics`` under the evaluator's names."""
        del evaluator
        self.metrics.update(metrics)


class Embedder:
    """A method on a backbone, encoding as a ``SentenceTransformer`` does.

    ``Embedder("smollm2", method="kv-embedding", layers="auto")`` loads what it needs. Stored
    vectors are read from disk.

    Args:
        backbone: a loaded backbone, or its name: a packaged name, a hub id
            (``owner/name@revision``), a folder or a GGUF file.
        method: a name of :data:`analysis.embedding.methods.METHODS`, or a method of your own.
        layers: the layers to re-route, if the method does: ``"auto"``, ``"none"``, ``"all"``, a
            list such as ``"26-29"``, or numbers from 0. The default is ``"auto"`` for a method by
            name, and its own plan for a method of your own.
        rule: how ``"auto"`` selects layers from the curve of the calibration corpus.
        bias: added to the re-routed pair's attention logit.
        key_position: position of the re-routed key.
        max_tokens: texts are cut so that no prompt is longer. ``texts_cut`` counts those that
            lost their end, over all calls.
        dtype: dtype of a backbone loaded by name.
        device: device of a backbone loaded by name.
        cached: whether embeddings are read from disk and stored there.

    Raises:
        PlanError: there is no such method or layer, layers are given to a method that does not
            re-route, or the limit is below 1.
        BackboneError: the backbone cannot be loaded, or cannot carry out the method or its plan.
    """

    similarity_fn_name = "cosine"

    def __init__(
        self,
        backbone: str | Backbone = "smollm2",
        method: MethodName | Method = "kv-embedding",
        *,
        layers: str | Sequence[int] | None = None,
        rule: RuleName = "paper",
        bias: float = 1.0,
        key_position: KeyPosition = "own",
        max_tokens: int | None = None,
        dtype: DtypeName = "auto",
        device: str = "auto",
        cached: bool = True,
    ) -> None:
        chosen = methods.method(method) if isinstance(method, str) else method
        if isinstance(backbone, str):
            backbone = load(backbone, dtype=dtype, device=device)
        if layers is None and isinstance(method, str):
            layers = "auto"
        if chosen.reroutes and layers is not None:
            selected = select_layers(backbone, layers, rule=rule)
            chosen = chosen.under(Plan(selected, bias, key_position))
        elif layers not in (None, "auto", "none"):
            raise PlanError(
                f"{chosen.name} re-routes no layers; leave layers out, or choose a method that "
                "re-routes, such as kv-embedding."
            )
        self.encoder = MethodEncoder(backbone, chosen, max_tokens)
        self.cached = cached
        self.texts_cut = 0
        self.model_card_data = Card()

    @property
    def backbone(self) -> Backbone:
        """The decoder."""
        return self.encoder.backbone

    @property
    def method(self) -> Method:
        """How a text becomes a vector, the plan included."""
        return self.encoder.method

    @property
    def max_tokens(self) -> int | None:
        """Maximum tokens of a prompt, if limited."""
        return self.encoder.max_tokens

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
            sentences: N texts or one string; an empty list gives shape (0, D).
            prompt_name: the role of the texts, see :data:`ROLES`; None is a document.
            prompt: refused, since a prompt belongs to the method.
            batch_size: accepted and not used: a batch holds as many texts as fit into a budget
                of tokens (:func:`analysis.embedding.batching.budget`).
            show_progress_bar: show a bar on standard error.
            normalize_embeddings: whether embeddings have unit length; if False, they are the pooled
                vectors, averaged over a method's templates if it has several.
            convert_to_numpy: return an array; if False, a list of N tensors.
            convert_to_tensor: return one tensor on the CPU; overrides ``convert_to_numpy``.
            options: other options of sentence-transformers; only values that change nothing.

        Raises:
            PlanError: a prompt, an unknown ``prompt_name``, or an option that is not supported.
            CorpusError: a text is blank, not a string, or cannot be encoded.
            BackboneError: the states overflowed the backbone's dtype.
        """
        del batch_size
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
        rows = self._rows(texts, role, bool(show_progress_bar), bool(normalize_embeddings))
        vectors = rows[0] if single else rows
        if convert_to_tensor:
            return torch.from_numpy(vectors)
        if convert_to_numpy:
            return vectors
        return torch.from_numpy(vectors) if single else list(torch.from_numpy(vectors))

    def encode_query(
        self, sentences: str | Sequence[str], *, prompt_name: str | None = None, **options: Any
    ) -> Vectors:
        """``encode`` in the role Query unless ``prompt_name`` is given; raises the same."""
        return self.encode(sentences, prompt_name=prompt_name or "query", **options)

    def encode_document(
        self, sentences: str | Sequence[str], *, prompt_name: str | None = None, **options: Any
    ) -> Vectors:
        """``encode`` in the role Context unless ``prompt_name`` is given; raises the same."""
        return self.encode(sentences, prompt_name=prompt_name or "document", **options)

    def similarity(self, first: Any, second: Any) -> torch.Tensor:
        """Cosines float32 (N, M) of embeddings (N, D) and (M, D); (D,) counts as one row."""
        return (_unit(first) @ _unit(second).T).float()

    def similarity_pairwise(self, first: Any, second: Any) -> torch.Tensor:
        """Cosines float32 (N,) of the rows of two (N, D), first with first and so on."""
        return (_unit(first) * _unit(second)).sum(dim=1).float()

    def _rows(
        self, texts: list[str], role: Role, show_bar: bool, normalized: bool
    ) -> NDArray[np.float32]:
        if not texts:
            return np.empty((0, self.get_embedding_dimension()), np.float32)
        encoder: Encoder = self.encoder
        if self.cached:
            encoder = CachedEncoder(self.encoder, norms=not normalized)
        with tqdm(total=len(set(texts)), desc="encoding", unit="text", disable=not show_bar) as bar:

            def progress(done: int, total: int) -> None:
                bar.total = total  # distinct prompts, whose number may differ
                bar.update(done - bar.n)

            encoding = encoder.encode(texts, role=role, progress=progress)
            progress(bar.total, bar.total)  # all may have been stored
        self.texts_cut += encoding.texts_cut
        return encoding.embeddings if normalized else encoding.pooled


def _role(name: str | None) -> Role:
    return "Context" if name is None else by_name(ROLES, name, "prompt name")


def _check(prompt: str | None, options: Mapping[str, Any]) -> None:
    """Refuse options that would change an embedding and are not supported."""
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
