"""One hooked decoder with many value paths, its presets, costs and checkpoints."""
