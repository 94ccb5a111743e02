"""From pydeck to what the client converts: a JSON declaration without data, checked against the real deck.gl classes.

pydeck takes any property and turns plain strings into expressions; @deck.gl/json takes few expressions and throws on others. Both are caught here,
at the start, with the layer's name, instead of in an operator's browser.
"""

import json
import re
from functools import cache
from pathlib import Path

import pydeck

EXTENSIONS = {"PathStyleExtension"}
"""deck.gl extensions that the client knows by name."""

_TOKEN = re.compile(r"\s+|'[^'\\]*'|\d+(?:\.\d+)?|[A-Za-z_][A-Za-z_0-9]*|===|!==|==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]]")
_ENUMS = {"lineWidthUnits", "pointRadiusUnits", "iconSizeUnits", "textSizeUnits", "sizeUnits", "radiusUnits", "widthUnits", "pointType", "refinementStrategy", "aggregation"}
_WORDS = {"properties", "geometry", "true", "false", "null", "coordinates", "id"}


@cache
def _classes() -> dict[str, dict[str, str]]:
    return json.loads((Path(__file__).parent / "deck_classes.json").read_text())["classes"]


def declared(layer: pydeck.Layer, layer_id: str) -> dict:
    """The declaration of a pydeck layer without its data: {"@@type", "id", properties in camelCase}.

    Raises ValueError for an id that is not the layer's, an unknown class, a property that the class does not have, or an expression that
    @deck.gl/json cannot convert.
    """
    spec = json.loads(layer.to_json())
    spec.pop("data", None)
    kind = spec.get("@@type")
    properties = _classes().get(kind)
    if properties is None:
        raise ValueError(f"deck.gl class {kind!r} is none of {sorted(_classes())}")
    if spec.get("id") != layer_id:
        raise ValueError(f"the pydeck layer has id {spec.get('id')!r}: give it id={layer_id!r}, or it changes at every start")
    extended = {"getDashArray", "dashJustified"} if any(item.get("@@type") == "PathStyleExtension" for item in spec.get("extensions", [])) else set()
    unknown = set(spec) - set(properties) - extended - {"@@type", "id"}
    if unknown:
        raise ValueError(f"{kind} has no properties {sorted(unknown)}")
    _walk(spec)
    return spec


def expressions(value: object) -> list[str]:
    """All `@@=` expressions of a declaration, without the mark."""
    if isinstance(value, str):
        return [value[3:]] if value.startswith("@@=") else []
    if isinstance(value, dict):
        return [found for item in value.values() for found in expressions(item)]
    return [found for item in value for found in expressions(item)] if isinstance(value, list) else []


def fields(expression: str) -> set[str]:
    """The properties that an expression reads.

    >>> sorted(fields("properties.a == 'properties.b' ? [1, 2] : [properties.c]"))
    ['a', 'c']
    """
    return set(re.findall(r"properties\.([A-Za-z_0-9]+)", re.sub(r"'[^']*'", "''", expression)))


def check_expression(text: str) -> None:
    """Raises ValueError for what @deck.gl/json cannot convert: calls, ??, ?., **, templates, unknown words.

    >>> check_expression("properties.n > 3 ? [1, 2, 3] : [0, 0, 0]")
    >>> check_expression("Math.max(1, 2)")
    Traceback (most recent call last):
        ...
    ValueError: expression 'Math.max(1, 2)' names 'Math': only properties, geometry and literals exist
    """
    if text == "-":
        return
    for pattern, name in ((r"\?\?", "??"), (r"\?\.(?!\d)", "?."), (r"\*\*", "**"), (r"`", "a template"), (r"=>", "a function")):
        if re.search(pattern, text):
            raise ValueError(f"expression {text!r} uses {name}, which @deck.gl/json cannot convert")
    position, before, depth = 0, "", []
    while position < len(text):
        found = _TOKEN.match(text, position)
        if not found:
            raise ValueError(f"expression {text!r} cannot be read from {text[position : position + 12]!r}")
        token, position = found.group(), found.end()
        if token.isspace():
            continue
        if re.match(r"[A-Za-z_]", token) and before != "." and token not in _WORDS:
            raise ValueError(f"expression {text!r} names {token!r}: only properties, geometry and literals exist")
        if token == "(" and (re.match(r"[A-Za-z_]", before) or before in (")", "]")):
            raise ValueError(f"expression {text!r} calls a function, which @deck.gl/json cannot convert")
        if token in "([":
            depth.append(token)
        elif token in (")", "]") and (not depth or depth.pop() + token not in ("()", "[]")):
            raise ValueError(f"expression {text!r} closes a bracket that is not open")
        before = token
    if depth:
        raise ValueError(f"expression {text!r} leaves a bracket open")


def _walk(spec: dict) -> None:
    for key, value in spec.items():
        if key in _ENUMS and isinstance(value, str) and value.startswith("@@="):
            raise ValueError(f"{key}: {value!r} became an expression: wrap it in pydeck.types.String")
        if key == "extensions":
            unknown = [item.get("@@type") for item in value if item.get("@@type") not in EXTENSIONS]
            if unknown:
                raise ValueError(f"extensions {unknown} are none of {sorted(EXTENSIONS)}")
        for text in expressions(value):
            check_expression(text)
