"""The help of the command line: every command and option is listed and explained."""

import pytest

from analysis.cli import parser
from analysis.experiments.spec import choices
from analysis.experiments.specs import SPECS


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns, whatever the one that runs the tests has."""
    monkeypatch.setenv("COLUMNS", "80")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        parser.parse(arguments)
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_the_list_of_commands_explains_each(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "--help")
    for spec in SPECS.values():
        assert any(
            line.split(maxsplit=1) == [spec.command, spec.summary] for line in text.splitlines()
        )
    assert "\n  run " in text
    assert "\n  app " in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("command", [*SPECS, "run", "app"])
def test_every_option_is_explained_with_its_choices(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, command, "--help")
    words = " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    for name, field in SPECS[command].options().items() if command in SPECS else ():
        assert f"\n  --{name}" in text
        assert field.description
        assert field.description in words
        for choice in choices(field):
            assert choice in words


def test_defaults_are_shown_but_for_switches(capsys: pytest.CaptureFixture[str]) -> None:
    words = " ".join(printed(capsys, "dimension", "--help").split())
    assert "all random draws (default: 0)" in words
    assert "leave out the compression prompt --rule" in words
    words = " ".join(printed(capsys, "space", "--help").split())
    assert "(default: mean kv-embedding)" in words
    assert "(default: those of --layers)" in words


def test_the_usage_names_what_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    assert " encode --input FILE --output FILE.npy [OPTION ...]\n" in printed(
        capsys, "encode", "--help"
    )
    assert " score [OPTION ...]\n" in printed(capsys, "score", "--help")
