"""What is mutated: small things that work, made once."""

import json
import os
from pathlib import Path
from typing import Any

import torch
import yaml
from fakes import fake_archive
from families import family
from small_text import small_corpus
from tokens import word_tokenizer, wrapped

from dva_lens.data.tokenizer import train_tokenizer
from dva_lens.models.checkpoint import save_checkpoint
from dva_lens.models.config import ModelConfig
from dva_lens.models.decoder import build

OPEN_CALL = {
    "output": "page.children",
    "outputs": {"id": "page", "property": "children"},
    "inputs": [{"id": "address", "property": "pathname", "value": "/"}],
    "state": [{"id": "address", "property": "search", "value": ""}],
    "changedPropIds": ["address.pathname"],
}
STUDY: dict[str, Any] = {
    "name": "tiny",
    "presets": ["transformer"],
    "seeds": [0],
    "size": {"layers": 1, "width": 8, "heads": 1, "vocabulary": 260, "context": 16},
    "recipe": {
        "steps": 2,
        "batch": 1,
        "length": 16,
        "warmup": 1,
        "measurements": 1,
        "eval_every": 2,
        "learning_rate": 0.01,
        "betas": [0.9, 0.95],
    },
    "texts": ["held-out"],
    "statistics": ["gini"],
    "sequences": 2,
    "backend": "auto",
    "save_every": 1,
    "text": "notes",
}
PLAN = {
    "claims": [
        {
            "statistic": "entropy",
            "model": "dva",
            "direction": "equal",
            "contrast": "mean",
            "margin": 0.1,
            "test": "text",
        }
    ]
}
COMMANDS = {
    "own": ("measure", "own", "--text", "text.txt", "--out", "new"),
    "hf": ("measure", "hf", "--text", "text.txt", "--out", "new"),
    "study": ("study", "run", "study.yaml", "--out", "new"),
    "plan": ("compare", "runs", "--baseline", "transformer", "--plan", "plan.yaml"),
    "report": ("report", "runs", "--out", "report.html"),
    "compare": ("compare", "runs", "--baseline", "transformer"),
    "export": ("export", "runs", "--out", "tables"),
}


def make(place: Path) -> None:
    """Leave in a folder two checkpoints, a text, a study, a plan and an archive."""
    os.chdir(place)
    torch.manual_seed(0)
    corpus = small_corpus(documents=12, words=40)
    sizes = {"layers": 1, "width": 8, "heads": 1, "vocabulary": 260, "context": 16}
    tokenizer = train_tokenizer(corpus, 260)
    save_checkpoint(
        "own", build(ModelConfig(**sizes), seed=0), tokenizer, {"recipe": {"steps": 1}}
    )
    family("llama").save_pretrained("hf")
    wrapped(word_tokenizer(start=True)).save_pretrained("hf")
    Path("text.txt").write_text(" ".join("abcdefghij" * 6), encoding="utf-8")
    Path("notes").mkdir()
    for document in corpus.documents:
        Path("notes", f"{document.name}.txt").write_text(document.text, encoding="utf-8")
    Path("study.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    Path("plan.yaml").write_text(yaml.safe_dump(PLAN), encoding="utf-8")
    Path("call.json").write_text(json.dumps(OPEN_CALL), encoding="utf-8")
    fake_archive(Path("runs"), models=("transformer", "dva"), seeds=1)
