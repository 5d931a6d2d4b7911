"""How the reference results are made: the plan, the pilot, the study and what is kept of them."""
