"""A method on a backbone as a scikit-learn transformer: texts in, an array out."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Self

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .. import api
from ..backbones.catalog import DtypeName
from ..embedding.methods import MethodName
from ..embedding.prompts import Role

_loaded = lru_cache(maxsize=1)(api.load_backbone)


class Vectorizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Texts -> float32 (N, D) of unit length. Parameters are names, so that it can be pickled.

    ``fit`` only chooses ``layers_``. Copies share a backbone. Raises as :mod:`analysis.api` does.
    """

    def __init__(self, backbone: str = "smollm2", method: MethodName = "kv-embedding",
                 layers: str = "auto", bias: float = 1.0, role: Role = "Context",
                 dtype: DtypeName = "auto", device: str = "auto") -> None:  # fmt: skip
        self.backbone, self.method, self.layers, self.bias = backbone, method, layers, bias
        self.role, self.dtype, self.device = role, dtype, device

    def fit(self, X: Iterable[str], y: Any = None) -> Self:  # noqa: ARG002
        """Choose the layers; the texts are not used."""
        self.layers_ = api.select_layers(self._backbone(), self.layers)
        return self

    def transform(self, X: Iterable[str]) -> Any:
        """Embeddings of N texts."""
        check_is_fitted(self)
        return api.encode(
            self._backbone(), list(X), self.method,
            layers=self.layers_, bias=self.bias, role=self.role,
        )  # fmt: skip

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        return tags

    def _backbone(self) -> Any:
        return _loaded(self.backbone, dtype=self.dtype, device=self.device)
