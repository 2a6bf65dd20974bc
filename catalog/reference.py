"""Reference pages: Sphinx reads ntklib's docstrings, this module says which and links them.

One page a module that exports something, below `reference/` (ignored by git).
"""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from catalog.library import KEY, LIBRARY, PublicName, module_titles, public_names, uses

FOLDER = "reference"
# How autodoc spells out the types of JAX: as their private places, and an alias as its union.
_ARRAY = re.compile(r"~?(jax\.)?jaxlib\._jax\.Array")
_ARRAY_LIKE = re.compile(
    r"Array \| ~?numpy\.ndarray \| ~?numpy\.bool \| ~?numpy\.number "
    r"\| bool \| int \| float \| complex( \| ~?[\w.]*TypedNdArray)?"
)


def setup(app: Sphinx) -> None:
    """Register with Sphinx; autodoc and napoleon do the reading."""
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.connect("config-inited", _configure)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("missing-reference", _public_place)


def pages(root: Path) -> dict[str, str]:
    """The text of each reference page, by the module's name."""
    titles = module_titles(root)
    by_module: dict[str, list[PublicName]] = {}
    for public in public_names(root):
        by_module.setdefault(public.module, []).append(public)
    return {module: _page(titles[module], names) for module, names in by_module.items()}


def _page(title: str, names: list[PublicName]) -> str:
    lines = ["---", "orphan: true", "---", f"# {title.rstrip('.')}", "", "````{eval-rst}"]
    for public in names:
        is_class = public.name[0].isupper()
        lines.append(f".. auto{'class' if is_class else 'function'}:: {LIBRARY}.{public.name}")
        if is_class:
            lines += ["   :members:", "   :special-members: __call__"]
        lines.append("")
    return "\n".join([*lines, "````", ""])


def _configure(app: Sphinx, config: Any) -> None:
    config.autodoc_member_order = "bysource"
    config.default_role = "code"
    # types of other packages have no page here
    config.nitpick_ignore_regex = [(r"py:.*", rf"(?!{LIBRARY}\.[A-Za-z_]+$).*")]


def _signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str, returns: str
) -> tuple[str | None, str | None]:
    return _readable(signature), _readable(returns)


def _readable(text: str | None) -> str | None:
    if text is None:
        return None
    text = _ARRAY_LIKE.sub("ArrayLike", _ARRAY.sub("Array", text))
    return re.sub(r"~?ntklib\.\w+\.", "", text).replace("<factory>", "...")


def _docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Cost and source stand out, keys become citations, and the notebooks that use it are named."""
    for index, line in enumerate(lines):
        line = re.sub(r"\b(Cost|Source): ", r"**\1.** ", line)
        lines[index] = KEY.sub(r":paper:`\g<0>`", line)
    used = uses(Path(app.srcdir)).get(name.removeprefix(f"{LIBRARY}."), [])
    if used:
        links = ", ".join(f":doc:`/notebooks/{notebook}`" for notebook in used)
        lines += ["", f"**Used in** {links}.", ""]


def _public_place(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """A type named by the module that defines it is documented under its public name."""
    if node.get("refdomain") != "py":
        return None
    name = f"{LIBRARY}.{node['reftarget'].rpartition('.')[2]}"
    domain = env.domains["py"]
    found: nodes.Node | None = domain.resolve_xref(
        env, node["refdoc"], app.builder, "obj", name, node, content
    )
    return found
