"""Loading whatever a model may be called: a checkpoint folder, a name, a module."""
