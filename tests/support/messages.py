"""Every sentence that the program may say to a person, taken from its source: what varies stands as `…`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# where else a sentence is made, and which argument it is
_SAID_BY = {
    "NoUsableAnswerError": 1,
    "failed": 1,
    "VerifyProblem": 1,
    "_at_most": 4,
    "BoundResult": 4,
    "complain": 0,
    "remark": 0,
    "_say": 0,
}
_SAID_BY |= {"HarvestOutcome": 1, "Condition": 1, "Uncompared": 2}
_NAMED = {"error", "message"}  # arguments by name
_KEPT_AS = {"reason", "why", "warning", "message", "_down"}  # names that hold a sentence until it is said
# functions that return sentences, alone, in lists or in pairs
_RETURN = set(
    "run_command send_text unencrypted ping keep_old_run anchor_harvest explain _explain _status_error _post _run "
    "write_log _remarks _noise with_secrets _unread_block _sentence _reason parser_failed".split()
)


def messages() -> dict[str, str]:
    """Sentence → where it is said first, such as `breaker.py:86`."""
    said: dict[str, str] = {}
    files = sorted([*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "flows").rglob("*.py")])
    errors = _errors(files)
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in _said(tree, errors):
            text = _template(node)
            if len(re.sub(r"[…\W]", "", text)) > 3:
                said.setdefault(text, f"{file.name}:{node.lineno}")
    return said


def _errors(files: list[Path]) -> set[str]:
    """The names of our errors, by following the base classes."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }
    errors = {"BmaProgressError", "UsageError"}
    while more := {name for name, parents in bases.items() if parents & errors} - errors:
        errors |= more
    return errors


def _said(tree: ast.AST, errors: set[str]) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
            place = 0 if name in errors else _SAID_BY.get(name)
            if place is not None and len(node.args) > place:
                yield node.args[place]
            for word in node.keywords:
                if word.arg in _NAMED:
                    yield from _sentences(word.value)
        elif isinstance(node, ast.Assign):
            target = node.targets[0]
            if (getattr(target, "id", None) or getattr(target, "attr", "")) in _KEPT_AS:
                yield from _sentences(node.value)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in _RETURN:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and inner.value is not None:
                    yield from _sentences(inner.value)


def _sentences(value: ast.expr) -> Iterator[ast.expr]:
    """The sentences in what a function returns."""
    if isinstance(value, ast.List | ast.Tuple):
        for element in value.elts:
            yield from _sentences(element)
    elif isinstance(value, ast.BoolOp):
        for element in value.values:
            yield from _sentences(element)
    elif isinstance(value, ast.IfExp):
        yield from (*_sentences(value.body), *_sentences(value.orelse))
    elif isinstance(value, ast.JoinedStr) or (isinstance(value, ast.Constant) and " " in str(value.value)):
        yield value


def _template(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value).strip() if isinstance(node.value, str) else "…"
    if isinstance(node, ast.JoinedStr):
        text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        return re.sub("…+", "…", text).strip()
    if isinstance(node, ast.BinOp):
        return re.sub("…+", "…", _template(node.left) + _template(node.right)).strip()
    return "…"


if __name__ == "__main__":
    for sentence, where in messages().items():
        print(f"{where:<24}{sentence}")
