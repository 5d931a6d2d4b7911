"""One run of a study with all that it needs: what is planned, in which study, on which texts."""

import hashlib
import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, final

import torch

from dva_lens.data.evaluation import EvaluationText
from dva_lens.statistics.table import RECORDED
from dva_lens.study.definition import Study
from dva_lens.study.keys import measure_key
from dva_lens.study.planned import PlannedRun
from dva_lens.study.texts import Texts


@final
@dataclass(frozen=True)
class Job:
    """A run to be trained and measured; whoever works on it needs nothing else.

    `study` is the part that the run belongs to, of the `whole` study.
    """

    study: Study
    run: PlannedRun
    texts: Texts
    whole: Study

    @property
    def statistics(self) -> tuple[str, ...]:
        """The names of the statistics that are measured on every text."""
        return tuple(dict.fromkeys((*RECORDED, *self.study.statistics)))

    @property
    def about(self) -> dict[str, Any]:
        """What a measurement says of the run it is of."""
        return {
            "model": self.run.preset,
            "preset": self.run.preset,
            "seed": self.run.seed,
            "label": self.run.label,
        }

    @property
    def provenance(self) -> dict[str, Any]:
        """What the training rests on besides what is planned."""
        plan = self.whole.plan_sha256
        return {
            **({} if plan is None else {"plan_sha256": plan}),
            "text": self.texts.name,
            "text_sha256": self.texts.sha256,
            "data": self.texts.data,
            "tokenizer_sha256": self.texts.tokenizer_sha256,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "dva_lens": version("dva-lens"),
        }

    def measure_key(self, name: str) -> str:
        """Return the key of the measurement on an evaluation text of the study."""
        text: EvaluationText = self.texts.evaluation[name]
        tokens = hashlib.sha256(text.tokens.tobytes())
        tokens.update(text.lengths.tobytes())
        return measure_key(
            self.run.key,
            self.run.recipe.measure_steps,
            tokens=tokens.hexdigest(),
            length=int(text.tokens.shape[1]),
            backend=self.study.backend,
        )
