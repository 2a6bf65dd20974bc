"""YAML as data alone: no anchors, aliases, tags or merging, not deep, and numbers in digits."""

import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent

from catalog.problems import Place, Problem

DEEPEST = 8  # a claim's field is five levels down


class _Plain(Composer):
    """Composes nodes, and refuses what is more than data before it is built."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.parser.peek_event()
        rule = None
        if isinstance(event, AliasEvent) or event.anchor:
            rule = "anchors and aliases are not for data"
        elif event.tag:
            rule = f"the tag {event.tag} is not for data"
        elif getattr(event, "value", None) == "<<":
            rule = "merging is not for data"
        elif self.depth >= DEEPEST:
            rule = f"this is nested deeper than {DEEPEST} levels"
        if rule:
            raise ComposerError(None, None, rule, event.start_mark)
        node = super().compose_node(parent, index)
        number = node.tag == "tag:yaml.org,2002:int"
        if number and not re.fullmatch("-?(0|[1-9][0-9]*)", node.value):
            rule = f"the number {node.value} is not in digits alone"
            raise ComposerError(None, None, rule, event.start_mark)
        return node


def yaml() -> YAML:
    """The one reader and writer of YAML: keeps lines and comments, builds no objects."""
    yaml = YAML()
    yaml.Composer = _Plain
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 10_000
    return yaml


def comments(text: str) -> list[tuple[str, int]]:
    """Every comment of a YAML text and its line: what stands between two tokens, space aside."""
    tokens = list(YAML(typ="safe", pure=True).scan(text))
    ends = [0, *(token.end_mark.index for token in tokens)]
    starts = [*(token.start_mark.index for token in tokens), len(text)]
    found = []
    for end, start in zip(ends, starts, strict=True):
        for match in re.finditer("#.*", text[end:start]):
            found.append((match[0].strip(), text.count("\n", 0, end + match.start()) + 1))
    return found


def load(text: str, name: str) -> tuple[Any, list[Problem]]:
    """The data of a YAML text, or what is wrong with it."""
    try:
        return yaml().load(text), []
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        what = " ".join(str(error.problem or error.context).split())
        return None, [Problem(Place(name, line), f"is not YAML: {what}.", "Mend this line.")]
    except (YAMLError, TypeError, ValueError) as error:
        what = " ".join(str(error).split())
        return None, [Problem(Place(name, 1), f"is not YAML: {what}.", "Mend the file.")]
