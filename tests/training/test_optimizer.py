from tiny_model import TinyModel

from dva_lens.training.optimizer import adamw
from dva_lens.training.recipe import Recipe


def test_matrices_decay_and_nothing_else_does():
    model = TinyModel()
    model.embed.weight.requires_grad_(False)
    groups = adamw(model, Recipe(steps=200, batch=1, length=2)).param_groups
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert {name: decay.get(id(p)) for name, p in model.named_parameters()} == {
        "embed.weight": None,
        "hidden.weight": 0.1,
        "hidden.bias": 0.0,
        "read.weight": 0.1,
        "read.bias": 0.0,
    }
