"""How each kind of model is recorded: this package's own, transformers', TransformerLens's."""
