"""Compiles parsers/_speedups.c while the package is built, where that can be done; the package works without it, too."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Speedups(BuildHookInterface[Any]):
    """Puts the compiled module beside its source, for wheels and for editable installations."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; whatever is missing for that (a compiler, Python's headers) costs the speed and no more."""
        for older in Path(self.root, "parsers").glob("_speedups*"):
            if older.suffix in (".so", ".pyd"):
                older.unlink()  # rather none than an older one
        try:
            compiled = self._compile()
        except (Exception, SystemExit) as error:  # noqa: BLE001  a build without it is a good build, whatever is amiss
            self.app.display_warning(f"parsers/_speedups.c is not compiled, pages will be read more slowly: {error}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"].append(compiled)

    def _compile(self) -> str:
        from setuptools import Distribution, Extension
        from setuptools.command.build_ext import build_ext

        optimised = [] if sys.platform == "win32" else ["-O2"]
        module = Extension("parsers._speedups", ["parsers/_speedups.c"], extra_compile_args=optimised)
        with TemporaryDirectory() as folder:
            command = build_ext(Distribution({"name": self.metadata.name, "ext_modules": [module]}))
            command.inplace = True
            command.build_lib = command.build_temp = folder
            command.ensure_finalized()
            command.run()
        return f"parsers/{Path(command.get_ext_fullpath(module.name)).name}"
