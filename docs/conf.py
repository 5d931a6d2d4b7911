"""How the documentation site is built: offline, from the pages beside this file.

The pages of the programming interface are written anew on every build, one per package, from the
docstrings; everything else is committed.
"""

import re
import shutil
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

import dva_lens

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "dva_lens"
WITHOUT = {"dva_lens.cli", "dva_lens.kernels.fused"}  # run or compiled, not called

project = "dva-lens"
author = "The dva-lens developers"
release = dva_lens.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
html_title = project
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "show_version_warning_banner": False,
}
html_show_sourcelink = False
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]
html_math_renderer = "mathml"
nb_execution_mode = "off"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
# Links to files that are no pages of the site; words of docstrings that several classes have.
suppress_warnings = ["myst.xref_missing", "ref.python"]


def modules(package: str) -> list[str]:
    """Return the modules of a package that are its own, without those of packages below."""
    found = import_module(package)
    names = [f"{package}.{each.name}" for each in iter_modules(found.__path__) if not each.ispkg]
    return [package, *(name for name in names if not name.endswith("__main__"))]


def packages(package: str) -> list[str]:
    """Return a package and all packages below it that have a page."""
    found = [package]
    for each in iter_modules(import_module(package).__path__):
        name = f"{package}.{each.name}"
        if each.ispkg and name not in WITHOUT and Path(PACKAGE.parent, *name.split(".")).is_dir():
            found += packages(name)
    return found


def write_api() -> None:
    """Write one page per package, and a page that lists them."""
    folder = HERE / "api"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    names = packages("dva_lens")
    for package in names:
        listed = modules(package)
        sections = [
            f".. automodule:: {name}\n   :members:\n   :ignore-module-all:\n" for name in listed
        ]
        title = package if package != "dva_lens" else "dva_lens: the package itself"
        body = "\n\n".join(
            f"{name}\n{'-' * len(name)}\n\n{section}"
            for name, section in zip(listed, sections, strict=True)
        )
        (folder / f"{package}.rst").write_text(f"{title}\n{'=' * len(title)}\n\n{body}")
    lines = "\n".join(f"   {name}" for name in names)
    (folder / "index.rst").write_text(
        "Programming interface\n=====================\n\n.. toctree::\n   :maxdepth: 1\n\n" + lines
    )


def copy_notebooks() -> None:
    """Bring the notebooks, which stand beside this folder, into the site, unexecuted."""
    only = shutil.ignore_patterns("*.py", "__pycache__")
    shutil.copytree(HERE.parent / "notebooks", HERE / "notebooks", dirs_exist_ok=True, ignore=only)


def plain(
    _app: object, _what: str, _name: str, _thing: object, _options: object, lines: list[str]
) -> None:
    """Let bars, stars and trailing underscores of docstrings be read as text."""
    for index, line in enumerate(lines):
        parts = re.split(r"(`[^`]*`)", line)
        escaped = "".join(
            part if part.startswith("`") else re.sub(r"([|*])|(\w)_(?!\w)", _escaped, part)
            for part in parts
        )
        lines[index] = re.sub(r"^(\s*)\\\* ", r"\1* ", escaped)  # a star may begin a list


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[1]}" if found[1] else f"{found[2]}\\_"


def _inline_formula(writer: HTML5Translator, node: nodes.math) -> None:
    writer.body.append(convert(node.astext(), display="inline"))
    raise nodes.SkipNode


def _formula(writer: HTML5Translator, node: nodes.math_block) -> None:
    writer.body.append(convert(node.astext(), display="block"))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Write the generated pages before they are read, and clean docstrings before napoleon."""
    # Browsers draw MathML themselves, so formulas need no script from elsewhere.
    app.add_html_math_renderer("mathml", (_inline_formula, None), (_formula, None))
    app.connect("autodoc-process-docstring", plain, priority=400)
    write_api()
    copy_notebooks()
