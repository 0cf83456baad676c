"""Every string that reaches the screen is written in the code, a number, or made plain.

Streamlit reads Markdown in nearly every text that it is given. So what is given to it must be
written in the code (literals, constants in capitals and what is composed of them), be a number
(with a format that only numbers have), or come from ``display.escaped``. A text that a function or
class of the pages hands on is annotated ``Markdown`` there, and checked where it is called.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([ROOT / "app.py", *(ROOT / "pages").rglob("*.py")])

_MARKDOWN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            *("button", "download_button", "link_button", "form_submit_button", "selectbox"),
            *("multiselect", "slider", "select_slider", "number_input", "text_input", "text_area"),
            *("toggle", "checkbox", "file_uploader", "date_input", "time_input", "expander"),
            *("popover", "status"),
        ),
        ("label",),
    ),
    **dict.fromkeys(("radio", "segmented_control", "pills"), ("label", "options")),
    **dict.fromkeys(("markdown", "caption", "title", "header", "subheader"), ("body",)),
    **dict.fromkeys(("info", "warning", "error", "success", "toast"), ("body",)),
    "metric": ("label", "value", "delta"),
    "page_link": ("-page", "label"),
    "progress": ("-value", "text"),
    "spinner": ("text",),
    "tabs": ("tabs",),
    "table": ("data",),
    "set_page_config": ("page_title",),
}
"""Streamlit's functions and their parameters by position; ``-`` is before what is no Markdown."""
_ALWAYS = ("help", "captions", "text", "label", "body")
"""Parameters that are Markdown wherever they are named."""
_NUMERIC = tuple("bcdoxXeEfFgGn%,")
"""Ends of formats that refuse a string."""
_METHODS = ("format", "join", "strip", "removesuffix", "rstrip", "lower", "upper", "capitalize")
_NUMBERS = (
    "len",
    "sum",
    "round",
    "int",
    "float",
    "abs",
    "signed",
    "moved_by",
    "format_layers",
    "range",
)
"""Functions that give a number, or write numbers."""
_OWN = ("program", "layers_in_words", "plan_in_words", "layers_of", "linked")
"""Functions that give words written in the library, and numbers, or a document of ``docs``."""


class Texts:
    """What the pages' own functions and classes take as Markdown: names of parameters by name."""

    def __init__(self, trees: dict[Path, ast.Module]) -> None:
        self.parameters: dict[str, tuple[str, ...]] = {}
        self.fields: set[str] = set()
        self.returns: set[str] = set()
        for tree in trees.values():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                    names = [a.arg for a in arguments if a.arg not in ("self", "cls")]
                    if any(map(_is_markdown, (a.annotation for a in arguments))):
                        self.parameters[node.name] = tuple(
                            name if _is_markdown(a.annotation) else f"-{name}"
                            for name, a in zip(
                                names,
                                [a for a in arguments if a.arg not in ("self", "cls")],
                                strict=True,
                            )
                        )
                    if _is_markdown(node.returns):
                        self.returns.add(node.name)
                if isinstance(node, ast.ClassDef):
                    fields = [f for f in node.body if isinstance(f, ast.AnnAssign)]
                    if any(_is_markdown(f.annotation) for f in fields):
                        self.parameters[node.name] = tuple(
                            f"{'' if _is_markdown(f.annotation) else '-'}{ast.unparse(f.target)}"
                            for f in fields
                        )
                        self.fields |= {
                            ast.unparse(f.target) for f in fields if _is_markdown(f.annotation)
                        }


def _is_markdown(annotation: ast.expr | None) -> bool:
    return annotation is not None and "Markdown" in ast.unparse(annotation)


class Scope:
    """One function, or a module: what its names were given."""

    def __init__(self, body: ast.AST, texts: Texts, outer: "Scope | None") -> None:
        self.texts, self.outer = texts, outer
        self.values: dict[str, list[ast.expr]] = {}
        self.markdown: set[str] = set()
        if isinstance(body, ast.FunctionDef | ast.Lambda):
            for a in [*body.args.posonlyargs, *body.args.args, *body.args.kwonlyargs]:
                if _is_markdown(a.annotation):
                    self.markdown.add(a.arg)
        for node in _own(body):
            match node:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        self._bind(target, value)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self._bind(target, value)
                case (
                    ast.AugAssign(target=target, value=value)
                    | ast.NamedExpr(target=target, value=value)
                ):
                    self._bind(target, value)
                case (
                    ast.For(target=target, iter=iterated)
                    | ast.comprehension(target=target, iter=iterated)
                ):
                    self._bind_each(target, iterated)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.values.setdefault(target.id, []).append(value)
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for part, item in zip(target.elts, value.elts, strict=False):
                self._bind(part, item)
        elif isinstance(target, ast.Tuple):
            for part in target.elts:
                self._bind(part, value)

    def _bind_each(self, target: ast.expr, iterated: ast.expr) -> None:
        if (
            isinstance(target, ast.Tuple)
            and isinstance(iterated, ast.Call)
            and ast.unparse(iterated.func) == "zip"
        ):
            for part, along in zip(target.elts, iterated.args, strict=True):
                self._bind_each(part, along)
            return
        if isinstance(iterated, ast.Tuple | ast.List):
            for item in iterated.elts:
                self._bind(target, item)
        else:
            self._bind(target, iterated)

    def plain(self, node: ast.AST, depth: int = 0) -> bool:
        """Whether a value can hold no string but what is written in the code or made plain."""
        if depth > 12:
            return False

        def all_plain(nodes: "list[ast.expr] | list[ast.expr | None]") -> bool:
            return all(node is None or self.plain(node, depth + 1) for node in nodes)

        match node:
            case ast.Constant():
                return True
            case ast.JoinedStr(values=parts):
                return all_plain(parts)
            case ast.FormattedValue(value=value, format_spec=spec):
                form = ast.unparse(spec)[2:-1] if spec else ""
                return form.endswith(_NUMERIC) or self.plain(value, depth + 1)
            case ast.IfExp(body=one, orelse=other):
                return all_plain([one, other])
            case ast.BinOp(left=left, right=right):
                return all_plain([left, right])
            case ast.UnaryOp() | ast.Compare():
                return True
            case ast.BoolOp(values=values):
                return all_plain(values)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return all_plain(items)
            case ast.Dict(keys=keys, values=values):
                return all_plain(keys) and all_plain(values)
            case ast.Starred(value=value):
                return self.plain(value, depth + 1)
            case ast.DictComp(key=key, value=value):
                return all_plain([key, value])
            case ast.GeneratorExp(elt=item) | ast.ListComp(elt=item):
                return self.plain(item, depth + 1)
            case ast.Subscript(value=value):
                return self.plain(value, depth + 1)
            case ast.Attribute(value=value, attr=name):
                written = name.lstrip("_").isupper() or name in self.texts.fields
                looked_up = name == "__getitem__" and self.plain(value, depth + 1)
                return written or looked_up or _rooted(value)
            case ast.Name(id=name):
                return self._named(name, depth)
            case ast.Call(func=function, args=arguments, keywords=keywords):
                name = function.attr if isinstance(function, ast.Attribute) else ""
                name = function.id if isinstance(function, ast.Name) else name
                if name in ("escaped", *_NUMBERS, *_OWN) or name in self.texts.returns:
                    return True
                given = [*arguments, *(keyword.value for keyword in keywords)]
                if isinstance(function, ast.Attribute) and name in (*_METHODS, "items", "values"):
                    return self.plain(function.value, depth + 1) and all_plain(given)
                return name in ("list", "tuple", "zip", "map", "fromkeys", "Series") and all_plain(
                    given
                )
        return False

    def _named(self, name: str, depth: int) -> bool:
        if name.lstrip("_").isupper() or name in self.markdown:
            return True
        if name in self.values:
            return all(self.plain(value, depth + 1) for value in self.values[name])
        return self.outer is not None and self.outer._named(name, depth)


def _rooted(node: ast.AST) -> bool:
    """Whether a value is a constant, or a part of one."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Attribute) and node.attr.lstrip("_").isupper():
            return True
        node = node.value
    return isinstance(node, ast.Name) and node.id.lstrip("_").isupper()


def _own(body: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function or module without those of the functions inside it."""
    for node in ast.iter_child_nodes(body):
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield node
            yield from _own(node)


def breaches(tree: ast.Module, texts: Texts) -> Iterator[tuple[int, str]]:
    """Lines and texts that pass by the door."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    scopes: dict[ast.AST, Scope] = {}

    def scope_of(node: ast.AST) -> Scope:
        while not isinstance(node, ast.FunctionDef | ast.Lambda | ast.Module):
            node = parents[node]
        if node not in scopes:
            outer = None if isinstance(node, ast.Module) else scope_of(parents[node])
            scopes[node] = Scope(node, texts, outer)
        return scopes[node]

    for node in ast.walk(tree):
        if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
            function: ast.AST = node
            while not isinstance(function, ast.FunctionDef | ast.Lambda | ast.Module):
                function = parents[function]
            returning = texts.returns - {"escaped"}
            if getattr(function, "name", "") in returning and not scope_of(node).plain(node.value):
                yield node.lineno, ast.unparse(node.value)
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        own = isinstance(node.func, ast.Name) or ast.unparse(node.func).startswith("display.")
        names = texts.parameters.get(name) if own or name not in _MARKDOWN else None
        names = names or (_MARKDOWN.get(name) if isinstance(node.func, ast.Attribute) else None)
        if names is None:
            continue
        given = {**dict(zip(names, node.args, strict=False))}
        given |= {keyword.arg or "**": keyword.value for keyword in node.keywords}
        for parameter, value in given.items():
            if parameter == "format_func" and ast.unparse(value) == "written":
                continue  # of Menu.show, whose callers are checked
            if parameter == "format_func" and name not in ("selectbox", "multiselect"):
                if "escaped" in ast.unparse(value) or scope_of(node).plain(value):
                    continue
            elif parameter not in (*names, *_ALWAYS) or parameter.startswith("-"):
                continue
            if parameter == "options" and "format_func" in given:
                continue
            if not scope_of(node).plain(value):
                yield value.lineno, f"{name}({parameter}={ast.unparse(value)})"


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text("utf-8")) for path in FILES}


def test_nothing_passes_by_the_door(trees: dict[Path, ast.Module]) -> None:
    texts = Texts(trees)
    listed = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path, tree in trees.items()
        for line, text in breaches(tree, texts)
    ]
    assert not listed, "\n".join(["not made plain:", *listed])
