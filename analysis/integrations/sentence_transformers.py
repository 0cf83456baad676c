"""A method on a backbone with the interface of a ``SentenceTransformer``.

Code that uses ``encode`` and ``similarity`` of a ``SentenceTransformer`` accepts an ``Embedder``.
Prompts belong to the method; a caller chooses the role of a text. That library is not imported.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from ..backbones.backbone import Backbone, load
from ..backbones.catalog import DtypeName
from ..backbones.devices import SPREAD
from ..corpora.text_lists import as_texts
from ..dimension.selection import RuleName
from ..embedding import methods, named_methods
from ..embedding.cached_encoder import CachedEncoder
from ..embedding.encoder import Encoder, MethodEncoder
from ..embedding.finishing import finished
from ..embedding.methods import Method, MethodName
from ..embedding.prompts import Role
from ..embedding.read_out import width
from ..errors import PlanError
from ..experiments.plans import Heads, Layers, plan_of
from ..rerouting.plan import KeyPosition
from ..runtime.lookup import by_name
from .encode_options import Card, check_device, check_loaded, check_options, check_prompt, role_of
from .similarities import SIMILARITIES, pairwise, similarities

Vectors = NDArray[np.float32] | torch.Tensor | list[torch.Tensor]


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
        output_layer: the layer whose output is read, from 0, or from -1 backwards; the method's
            own by default.
        max_tokens: texts are cut so that no prompt is longer. ``texts_cut`` counts those that
            lost their end, over all calls.
        dtype: dtype of a backbone loaded by name; one that is loaded keeps its own.
        device: device of a backbone loaded by name.
        cached: whether embeddings are read from disk and stored there.

    Raises:
        PlanError: there is no such method or layer, layers are given to a method that does not
            re-route, or the limit is below 1.
        BackboneError: the backbone cannot be loaded, or cannot carry out the method or its plan.
    """

    def __init__(
        self,
        backbone: str | PathLike[str] | Backbone = "smollm2",
        method: MethodName | str | Method = "kv-embedding",
        *,
        layers: Layers | None = None,
        heads: Heads | None = None,
        rule: RuleName = "paper",
        bias: float = 1.0,
        key_position: KeyPosition = "own",
        output_layer: int | None = None,
        max_tokens: int | None = None,
        dtype: DtypeName = "auto",
        device: str = "auto",
        cached: bool = True,
    ) -> None:
        chosen = named_methods.method(method) if isinstance(method, str) else method
        chosen = methods.variant(chosen, output_layer=output_layer)
        if isinstance(backbone, Backbone):
            check_loaded(backbone, dtype, device)
        else:
            backbone = load(backbone, dtype=dtype, device=device)
        if layers is None and isinstance(method, str) and not chosen.has_plan:
            layers = "auto"
        if chosen.reroutes and (layers is not None or heads is not None):
            chosen = chosen.under(
                plan_of(
                    *(backbone, "auto" if layers is None else layers, heads),
                    rule=rule,
                    bias=bias,
                    key_position=key_position,
                )
            )
        elif layers not in (None, "auto", "none") or heads not in (None, "none"):
            raise PlanError(
                f"{chosen.name} re-routes no layers and no heads; leave them out, or choose a "
                "method that re-routes, such as kv-embedding."
            )
        self.cached = cached
        self.texts_cut = 0
        self.model_card_data = Card()
        self._use(MethodEncoder(backbone, chosen, max_tokens))
        self._similarity_name = "cosine"

    def _use(self, encoder: MethodEncoder) -> None:
        self.encoder = encoder
        name = f"{encoder.backbone.facts.name} {encoder.method.name}"
        self.model_card_data.base_model = f"{name} {encoder.identity}"

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
        """Tokens of the longest prompt, or None where the backbone sets no limit; can be set."""
        return min(filter(None, (self.max_tokens, self.backbone.facts.context)), default=None)

    @max_seq_length.setter
    def max_seq_length(self, value: int | None) -> None:
        self._use(replace(self.encoder, max_tokens=value))

    @property
    def device(self) -> torch.device:
        """Where the backbone computes; the CPU if it is spread over several devices."""
        name = self.backbone.device.value
        return torch.device("cpu" if name == SPREAD else name)

    @property
    def similarity_fn_name(self) -> str:
        """How vectors are compared: ``cosine``, ``dot``, ``euclidean`` or ``manhattan``."""
        return self._similarity_name

    @similarity_fn_name.setter
    def similarity_fn_name(self, value: Any) -> None:
        name = "cosine" if value is None else getattr(value, "value", value)  # or an enumeration's
        by_name(SIMILARITIES, name, "similarity")
        self._similarity_name = name

    def eval(self) -> Self:
        """This object: a backbone is always frozen."""
        return self

    def to(self, device: str | torch.device) -> Self:
        """This object; PlanError for another device than the backbone's."""
        check_device(device, self.device)
        return self

    def start_multi_process_pool(self, *_: Any, **__: Any) -> None:
        """PlanError: an embedder works in this process."""
        raise PlanError(
            "An embedder works in its own process; leave the pool out, or encode files with "
            "kv-embedding encode --engine ray."
        )

    def get_embedding_dimension(self) -> int:
        """Length D of an embedding."""
        return width(self.backbone, self.method)

    def get_sentence_embedding_dimension(self) -> int:
        """Length D of an embedding, by sentence-transformers' older name."""
        return self.get_embedding_dimension()

    def encode(
        self,
        inputs: str | Iterable[str] | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: str | None = "sentence_embedding",
        precision: str | None = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: str | torch.device | None = None,
        normalize_embeddings: bool = True,
        truncate_dim: int | None = None,
        pool: None = None,
        chunk_size: int | None = None,
        *,
        sentences: str | Iterable[str] | None = None,
        **options: Any,
    ) -> Vectors:
        """Embeddings float32 (N, D) of ``inputs``, or (D,) of a single string.

        Args:
            inputs: one string, or N texts in any collection that
                :func:`analysis.corpora.text_lists.as_texts` reads; no text gives shape (0, D).
            prompt_name: the role of the texts, a key of :data:`~.encode_options.ROLES`; None is a
                document.
            prompt: only None or an empty string, since a prompt belongs to the method.
            batch_size: not used: a batch holds as many texts as fit into a budget of tokens
                (:func:`analysis.embedding.batching.budget`).
            show_progress_bar: show a bar on standard error.
            output_value: only ``"sentence_embedding"``.
            precision: only ``"float32"``.
            convert_to_numpy: return an array; if False, a list of N tensors.
            convert_to_tensor: return one tensor on ``device``; overrides ``convert_to_numpy``.
            device: only None or the backbone's own.
            normalize_embeddings: whether embeddings have unit length; if False, they are the pooled
                vectors, averaged over a method's templates if it has several.
            truncate_dim: only None, since no method is trained to be cut.
            pool: only None, since all work is done in this process.
            chunk_size: not used.
            sentences: an older name of ``inputs``.
            options: other options of sentence-transformers; only values that change nothing.

        Raises:
            PlanError: a prompt, an unknown ``prompt_name``, or an option that is not supported.
            CorpusError: no list of texts, or a text is missing, blank or cannot be encoded.
            BackboneError: the states overflowed the backbone's dtype.
        """
        del batch_size, chunk_size
        role = role_of(prompt_name)
        check_prompt(prompt)
        check_device(device, self.device)
        limits = {"output_value": output_value, "precision": precision}
        check_options(options | limits | {"truncate_dim": truncate_dim, "pool": pool})
        if inputs is not None and sentences is not None:
            raise PlanError("Texts are given twice, as inputs and as sentences; leave one out.")
        given = sentences if inputs is None else inputs
        single = isinstance(given, str)
        texts = as_texts([given] if isinstance(given, str) else given)  # type: ignore[arg-type]
        vectors = self._rows(texts, role, bool(show_progress_bar), bool(normalize_embeddings))
        if convert_to_numpy and not convert_to_tensor:
            return vectors[0] if single else vectors
        tensor = torch.from_numpy(vectors).to(self.device)
        if single:
            return tensor[0]
        return tensor if convert_to_tensor else list(tensor)

    def encode_query(
        self,
        inputs: str | Iterable[str] | None = None,
        prompt_name: str | None = None,
        *further: Any,
        **options: Any,
    ) -> Vectors:
        """``encode`` in the role Query unless ``prompt_name`` is given; raises the same."""
        return self.encode(inputs, prompt_name or "query", *further, **options)

    def encode_document(
        self,
        inputs: str | Iterable[str] | None = None,
        prompt_name: str | None = None,
        *further: Any,
        **options: Any,
    ) -> Vectors:
        """``encode`` in the role Context unless ``prompt_name`` is given; raises the same."""
        return self.encode(inputs, prompt_name or "document", *further, **options)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> torch.Tensor:
        """Similarities float32 (N, M) of embeddings (N, D) and (M, D); (D,) counts as one row."""
        return similarities(self._similarity_name, embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> torch.Tensor:
        """Similarities float32 (N,) of the rows of two (N, D), first with first and so on."""
        return pairwise(self._similarity_name, embeddings1, embeddings2)

    def _rows(
        self, texts: Sequence[str], role: Role, show_bar: bool, normalized: bool
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
            if not self.cached:
                encoding = finished(
                    self.encoder, encoding, lambda raw, fitted_on, _: raw.encode(fitted_on)
                )
            progress(bar.total, bar.total)  # all may have been stored
        self.texts_cut += encoding.texts_cut
        return encoding.embeddings if normalized else encoding.pooled
