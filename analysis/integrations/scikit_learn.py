"""A method on a backbone as a scikit-learn transformer: texts in, an array out."""

import gc
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Self
from weakref import WeakValueDictionary

from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .. import api
from ..backbones.backbone import Backbone
from ..backbones.catalog import DtypeName
from ..corpora.text_lists import as_texts, only_column
from ..embedding import named_methods
from ..embedding.checks import check_method
from ..embedding.methods import MethodName
from ..embedding.prompts import Role, check_role
from ..embedding.read_out import width
from ..errors import OutOfMemory
from ..experiments.plans import plan_of
from ..rerouting.plan import PLAIN

_LOADED: WeakValueDictionary[tuple[str, str, str], Backbone] = WeakValueDictionary()
_RECENT: deque[Backbone] = deque(maxlen=2)
"""The backbones in use, and those that stay loaded for the next copy that a search makes."""
_LOADING = threading.Lock()


class Vectorizer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Texts -> float32 (N, D) of unit length. Parameters are names, so that it can be pickled.

    Texts are any collection that :func:`analysis.corpora.text_lists.as_texts` reads, or a table of
    one column. Copies share a loaded backbone. Raises as :mod:`analysis.api` does.

    Attributes:
        plan_: which layers and heads are re-routed; none where the method re-routes none.
    """

    def __init__(self, backbone: str = "smollm2", method: MethodName = "kv-embedding",
                 layers: str = "auto", heads: str | None = None, bias: float = 1.0,
                 role: Role = "Context", dtype: DtypeName = "auto",
                 device: str = "auto") -> None:  # fmt: skip
        self.backbone, self.method, self.layers, self.heads = backbone, method, layers, heads
        self.bias, self.role, self.dtype, self.device = bias, role, dtype, device

    def fit(self, X: Iterable[str], y: Any = None) -> Self:  # noqa: ARG002
        """Choose the layers, and check the settings; the texts are checked and not encoded."""
        method = named_methods.method(self.method)
        check_role(self.role)
        if not isinstance(X, Iterator):  # which transform would then find empty
            _texts(X)
        backbone = self._use_backbone()
        reroutes = method.reroutes
        self.plan_ = (
            plan_of(backbone, self.layers, self.heads, bias=self.bias) if reroutes else PLAIN
        )
        check_method(backbone, method.planned(self.plan_))
        self._n_features_out = width(backbone, method)
        return self

    def transform(self, X: Iterable[str]) -> Any:
        """Embeddings of N texts."""
        check_is_fitted(self)
        method = named_methods.method(self.method).planned(self.plan_)
        return api.encode(self._use_backbone(), _texts(X), method, role=self.role)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.one_d_array = True, True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __getstate__(self) -> Any:
        return {key: value for key, value in super().__getstate__().items() if key != "_backbone"}

    def _use_backbone(self) -> Backbone:
        self._backbone = _load(self.backbone, self.dtype, self.device)
        return self._backbone


def _texts(X: Any) -> tuple[str, ...]:
    """The texts of a collection, or of the only column of a table."""
    return as_texts(only_column(X))


def _load(name: str, dtype: DtypeName, device: str) -> Backbone:
    """The backbone of that name, which is loaded unless it is in use or was one of the last two."""
    with _LOADING:
        key = (str(name), str(dtype), str(device))
        if (backbone := _LOADED.get(key)) is None:
            try:
                backbone = api.load_backbone(name, dtype=dtype, device=device)
            except OutOfMemory:  # perhaps only because others stayed loaded
                _RECENT.clear()
                gc.collect()
                backbone = api.load_backbone(name, dtype=dtype, device=device)
            _LOADED[key] = backbone
        if backbone not in _RECENT:
            _RECENT.append(backbone)
        return backbone
