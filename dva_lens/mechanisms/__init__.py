"""What a block can be made of: one module per axis, one literal table of variants in each."""
