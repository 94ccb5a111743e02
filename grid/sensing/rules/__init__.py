"""Alert rules, one file each: a file exposes one `RULE`; the folder is scanned at start, checked, and the set is frozen.

A file that cannot be imported, exposes no Rule, repeats an id or claims a kind of finding that another rule owns stops the start with its name.
"""

import importlib.util
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from grid.sensing.rule import Rule

_ID = re.compile(r"[a-z][a-z0-9_]{1,39}")
_CODE = re.compile(r"[0-9]{2,8}")


def discover(*folders: Path) -> Mapping[str, Rule]:
    """All rules of the folders, by id. Raises RuntimeError naming the file at fault."""
    found: dict[str, Rule] = {}
    owners: dict[str, str] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"):
        rule = _load(path)
        if rule.id in found:
            raise RuntimeError(f"rule file {path} repeats the id {rule.id!r}")
        for kind in rule.kinds:
            if kind in owners:
                raise RuntimeError(f"rule file {path} claims the kind {kind!r}, which rule {owners[kind]!r} owns")
            owners[kind] = rule.id
        found[rule.id] = rule
    return MappingProxyType(found)


@lru_cache(maxsize=1)
def every() -> Mapping[str, Rule]:
    """The rules of this product, by id."""
    return discover(Path(__file__).parent)


def _load(path: Path) -> Rule:
    name = f"{__name__}.{path.stem}" if path.parent == Path(__file__).parent else f"_rule_{abs(hash(path))}_{path.stem}"
    try:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    except Exception as error:
        sys.modules.pop(name, None)
        raise RuntimeError(f"rule file {path} cannot be imported: {error}") from error
    rule = getattr(module, "RULE", None)
    if not isinstance(rule, Rule):
        raise RuntimeError(f"rule file {path} exposes no RULE of type Rule")
    wrong = _wrong(rule)
    if wrong:
        raise RuntimeError(f"rule file {path}: {wrong}")
    return rule


def _wrong(rule: Rule) -> str:
    if not _ID.fullmatch(rule.id):
        return f"id {rule.id!r} is not lower case letters, digits and _"
    if not rule.kinds or not (rule.title and rule.title_en and rule.version):
        return "kinds, titles and a version are needed"
    if rule.merge_m <= 0 or rule.merge_s <= 0 or rule.slack_m < 0:
        return "merge_m and merge_s must be above 0, slack_m not below"
    if not _CODE.fullmatch(rule.category_code):
        return f"category_code {rule.category_code!r} is not 2 to 8 digits"
    expected = {example.expect for example in rule.examples}
    if expected != {"opens", "does not open", "extends"}:
        return f"examples must show opens, does not open and extends; they show {sorted(expected)}"
    return ""
