"""A text as the turn of a user: what the chat template of a tokenizer puts around it.

Each window is put into the template, as special tokens are put around each window otherwise, so
that every window reads as one whole conversation.
"""

from dataclasses import dataclass
from typing import Any, final

from dva_lens.data.tokenizer import token_ids
from dva_lens.results.schema import content_hash
from dva_lens.validation import shown

MARK = "dvalensmark"
"""Stands where the text will stand; templates may trim or split what has spaces."""


@final
@dataclass(frozen=True)
class ChatFrame:
    """What stands before and after a text, as text, and the template that put it there."""

    before: str
    after: str
    template: str
    system_prompt: str | None

    def around(self, tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the tokens before and after the text."""
        return tuple(token_ids(tokenizer, self.before)), tuple(token_ids(tokenizer, self.after))

    @property
    def facts(self) -> dict[str, str | int]:
        """What to store: the words around each window, and where they come from."""
        return {
            "chat_template": f"applied (sha256 {content_hash(self.template.encode())})",
            "chat_before": self.before,
            "chat_after": self.after,
            "chat_template_text": self.template,
            "system_prompt": "none was passed; the template decides"
            if self.system_prompt is None
            else self.system_prompt,
        }


def frame_for(tokenizer: Any, *, chat: bool, system_prompt: str | None) -> ChatFrame | None:
    """Return what stands around a text, or None where it is no conversation.

    Raises
    ------
    ValueError
        There is a system prompt and no chat, besides what `chat_frame` raises.
    """
    if chat:
        return chat_frame(tokenizer, system_prompt)
    if system_prompt is not None:
        raise ValueError("system_prompt belongs to chat; pass chat too, or leave it out.")
    return None


def refuse_tokens(*, chat: bool) -> None:
    """Refuse to put into a template what is tokens already.

    Raises
    ------
    ValueError
        It is asked for.
    """
    if chat:
        raise ValueError(
            "chat puts a text into a chat template, and this input is tokens already; apply the "
            "template before, or pass a text."
        )


def chat_frame(tokenizer: Any, system_prompt: str | None) -> ChatFrame:
    """Return what a tokenizer's chat template puts around the turn of a user.

    The answer of the assistant begins where the text ends, as in generation.

    Raises
    ------
    ValueError
        There is no template, it refuses the system prompt, or it does not put the text in one
        place.
    """
    template: str = getattr(tokenizer, "chat_template", None) or ""
    if not template:
        raise ValueError(
            "The tokenizer of this model has no chat template of its own; leave chat out."
        )
    turns = [{"role": "user", "content": MARK}]
    if system_prompt is not None:
        turns.insert(0, {"role": "system", "content": system_prompt})
    try:
        rendered = str(
            tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        )
    except Exception as error:  # a template raises what it likes
        raise ValueError(
            f"The chat template of this model cannot be applied ({shown(str(error))}); leave chat "
            f"or system_prompt out."
        ) from error
    before, *after = rendered.split(MARK)
    if len(after) != 1 or (system_prompt and system_prompt.strip() not in before):
        raise ValueError(
            f"The chat template of this model puts the text in {len(after)} places or leaves the "
            f"system prompt out; leave chat or system_prompt out."
        )
    return ChatFrame(before, after[0], template, system_prompt)
