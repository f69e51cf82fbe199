"""Make pages of the documentation site from the files at the root; a hook of mkdocs.

The site is built from the same files that are read in a repository: README.md is its front page,
CHANGELOG.md and its like are pages. Links to what is no page become plain names.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FROM_ROOT = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s:]+)(#[^)]*)?\)")


def on_config(config: Any) -> Any:
    """Put a page for every command into the navigation."""
    pages = sorted(f"cli/{path.name}" for path in (ROOT / "docs/cli").glob("*.md"))
    for section in config["nav"]:
        for entries in section.values() if isinstance(section, dict) else ():
            for entry in entries:
                if isinstance(entry, dict) and "Commands" in entry:
                    entry["Commands"] = pages
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from the root."""
    from mkdocs.structure.files import File

    for source, page in FROM_ROOT.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=with_site_links(text, source, page)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links of a page to pages."""
    source = page.file.src_uri
    if source in FROM_ROOT.values():
        return markdown
    return with_site_links(markdown, f"docs/{source}", source)


def with_site_links(text: str, source: str, page: str) -> str:
    """Return a text of the repository with its links as the site has them.

    Args:
        text: Markdown.
        source: Its path in the repository, to which its links are relative.
        page: Its path in the site.
    """

    def link(found: re.Match[str]) -> str:
        is_image, words, target, part = found.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if path in FROM_ROOT:
            inside = FROM_ROOT[path]
        elif path.startswith("docs/"):
            inside = path.removeprefix("docs/")
        else:
            return words
        relative = posixpath.relpath(inside, posixpath.dirname(page) or ".")
        return f"{is_image}[{words}]({relative}{part or ''})"

    return _LINK.sub(link, text)
