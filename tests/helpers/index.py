"""A package index on disk, with dummy releases: what a set-up does on a day when something new was published.

tomorrow = Index(folder)
sha = tomorrow.wheel("coverage", "7.17.3", "Requires-Dist: tomli ; extra == 'toml'")
tomorrow.pages()                 # folder/simple/coverage/index.html; PIP_INDEX_URL=tomorrow.url
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from importlib.metadata import Distribution
from pathlib import Path

from packaging.utils import canonicalize_name


class Index:
    """Files of distributions, and the pages by which pip finds them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, dict[str, str]] = {}  # by package: file name, SHA-256
        (folder / "files").mkdir(parents=True)

    @property
    def url(self) -> str:
        return (self.folder / "simple").as_uri()

    def add(self, name: str, file: str, content: bytes) -> str:
        """Publish a file; returns its SHA-256."""
        (self.folder / "files" / file).write_bytes(content)
        sha = hashlib.sha256(content).hexdigest()
        self.files.setdefault(canonicalize_name(name), {})[file] = sha
        return sha

    def wheel(self, name: str, version: str, metadata: str = "", *, build: str = "", files: dict | None = None) -> str:
        """Publish a wheel whose one module says its version; `build` is a build tag: the same version, built again."""
        stem = canonicalize_name(name).replace("-", "_")
        tag = f"{stem}-{version}"
        files = {f"{stem}_dummy.py": f"version = {version + build!r}\n"} if files is None else files
        files = files | {
            f"{tag}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}\n",
            f"{tag}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{file},,\n" for file in [*files, f"{tag}.dist-info/RECORD"])
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for file, text in {**files, f"{tag}.dist-info/RECORD": record}.items():
                archive.writestr(zipfile.ZipInfo(file), text)
        return self.add(name, f"{tag}{f'-{build}' if build else ''}-py3-none-any.whl", content.getvalue())

    def source(self, name: str, version: str) -> str:
        """Publish a source distribution in the old way, by setup.py alone: no wheel of it is there."""
        stem = name.replace("-", "_")
        setup = (
            f"from setuptools import setup\nsetup(name={name!r}, version={version!r}, py_modules=['{stem}_dummy'])\n"
        )
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            for file, text in (("setup.py", setup), (f"{stem}_dummy.py", f"version = {version!r}\n")):
                entry = tarfile.TarInfo(f"{stem}-{version}/{file}")
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
        return self.add(name, f"{stem}-{version}.tar.gz", content.getvalue())

    def copy(self, found: Distribution) -> str:
        """Publish an installed pure distribution again, as it is here."""
        prefix = f"{found.metadata['Name']}-{found.version}.dist-info/"
        own = {
            file.as_posix(): Path(str(found.locate_file(file))).read_bytes()
            for file in found.files or []
            if ".." not in file.parts and "__pycache__" not in file.parts and not file.as_posix().startswith(prefix)
        }
        points = {f"{prefix}entry_points.txt": found.read_text("entry_points.txt") or ""}
        return self.wheel(found.metadata["Name"], found.version, files=own | points)

    def pages(self) -> None:
        """Write the index's pages, newest releases last, as an index lists them."""
        for name, files in self.files.items():
            page = self.folder / "simple" / name / "index.html"
            page.parent.mkdir(parents=True, exist_ok=True)
            links = [f'<a href="../../files/{file}#sha256={sha}">{file}</a><br>' for file, sha in files.items()]
            page.write_text("\n".join(["<!DOCTYPE html><html><body>", *links, "</body></html>"]))
