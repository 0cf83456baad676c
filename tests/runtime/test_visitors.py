"""Who a request is from, and the tokens that a hosted server encodes for a visitor."""

import threading
from pathlib import Path

import pytest

from analysis.backbones.backbone import Backbone
from analysis.embedding import encoder
from analysis.embedding.methods import DEFAULT
from analysis.errors import LimitError
from analysis.runtime import hosting, visitors
from analysis.runtime.visitors import visiting


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """The time, in a list to be changed, on a server of 600 tokens a minute."""
    settings = tmp_path / "hosted.yaml"
    settings.write_text("tokens: 600\n")
    monkeypatch.setenv(hosting.VARIABLE, str(settings))
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(visitors, "_DEBTS", {})
    return now


def test_a_thread_is_a_visitor_of_its_own_until_it_is_told() -> None:
    assert visitors.current() == (threading.get_ident(),)
    with visiting("a person", "a tab"):
        assert visitors.current() == ("a person", "a tab")
    assert visitors.current() == (threading.get_ident(),)


def test_a_visitor_has_its_tokens_a_minute(clock: list[float]) -> None:
    with visiting("a", "1"):
        visitors.check_tokens()
        visitors.count_tokens(1_500)  # what has begun is done
    with visiting("a", "2"), pytest.raises(LimitError, match=r"600 tokens .* in 90 seconds"):
        visitors.check_tokens()
    with visiting("b", "3"):
        visitors.check_tokens()
        visitors.count_tokens(600)
        visitors.check_tokens()
    clock[0] = 91
    with visiting("a", "1"):
        visitors.check_tokens()
        visitors.count_tokens(1)
    assert list(visitors._DEBTS) == ["a"], "who owes nothing is forgotten"


def test_nobody_is_limited_elsewhere(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    del clock
    visitors.count_tokens(10**9)  # no visitor: a script or a command of the operator
    visitors.check_tokens()
    monkeypatch.setenv(hosting.VARIABLE, "0")
    with visiting("a", "1"):
        visitors.count_tokens(10**9)
        visitors.check_tokens()
    assert not visitors._DEBTS


def test_tokens_are_counted_where_they_are_encoded(llama: Backbone, clock: list[float]) -> None:
    del clock
    texts = [f"Text {i} {'word ' * i}" for i in range(12)]
    with visiting("a", "1"):
        tokens = encoder.encode(llama, texts, DEFAULT).tokens
        assert visitors._DEBTS["a"][0] >= tokens > 600
        with pytest.raises(LimitError):
            encoder.encode(llama, texts, DEFAULT)
    encoder.encode(llama, texts, DEFAULT)
