"""Tiny tokenizers, one token per word, with and without special tokens."""

from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

WORDS = ["<pad>", "<s>", "</s>", "<unk>", *"abcdefghijklmnopqrstuvwxyz"]


def word_tokenizer(*, start=False, end=False):
    """Return a tokenizer of single letters."""
    vocabulary = {word: index for index, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    template = f"{'<s> ' if start else ''}$A{' </s>' if end else ''}"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return tokenizer


def wrapped(tokenizer):
    """Return the same tokenizer as transformers holds it."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        pad_token="<pad>",
    )  # fmt: skip


def letters(count):
    """Return a text of so many tokens."""
    return " ".join(WORDS[4 + index % 26] for index in range(count))
