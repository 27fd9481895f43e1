"""Pictures for light and dark pages.

GitHub chooses between the sources of a `<picture>` and draws Mermaid itself. The site has a switch
of its own and no network, so each becomes two images, of which the theme shows one: a picture that
is named `x-light.svg` beside an `x-dark.svg`, and Mermaid text that is a file of `diagrams/`.
"""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform

PICTURE = re.compile(r"<picture>.*?<img ([^>]*)>.*?</picture>", re.DOTALL)
ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')


class Themes(SphinxTransform):
    """Replaces each picture by one for each theme."""

    default_priority = 200

    def apply(self, **_: Any) -> None:
        """Change one page, before Sphinx copies its images."""
        for raw in list(self.document.findall(nodes.raw)):
            if found := PICTURE.search(raw.astext()):
                words = dict(ATTRIBUTE.findall(found[1]))
                raw.replace_self(self._pair(words["src"], words.get("alt", "")))
        for block in list(self.document.findall(nodes.literal_block)):
            if block.get("language") == "mermaid":
                block.replace_self(self._drawn(block.astext()))
        for image in list(self.document.findall(nodes.image)):
            if not image["classes"]:
                image.replace_self(self._pair(image["uri"], image.get("alt", "")))

    def _drawn(self, text: str) -> list[nodes.Node]:
        """Return the drawings of the machine whose text this is."""
        root = Path(self.env.srcdir)
        for path in sorted((root / "diagrams").glob("*.mmd")):
            if path.read_text(encoding="utf-8").strip() == text.strip():
                return self._pair(f"/diagrams/{path.stem}-light.svg", path.stem)
        raise ExtensionError(f"{self.env.docname}: this Mermaid text is no file of diagrams/")

    def _pair(self, light: str, alt: str) -> list[nodes.Node]:
        """Return the image, or one for each theme if there are two."""
        dark = light.replace("-light.", "-dark.")
        _, path = self.env.relfn2path(dark, self.env.docname)
        if dark == light or not Path(path).is_file():
            return [nodes.image(uri=light, alt=alt, classes=["drawing"])]
        return [
            nodes.image(uri=uri, alt=alt, classes=["drawing", only])
            for uri, only in ((light, "only-light"), (dark, "only-dark"))
        ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to the events of Sphinx."""
    app.add_transform(Themes)
    return {"parallel_read_safe": True}
