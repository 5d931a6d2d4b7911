"""Every model class that transformers' auto classes know, built tiny and measured."""
