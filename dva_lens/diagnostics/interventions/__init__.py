"""What happens to the loss if an attention is changed, beside a change of the same size."""
