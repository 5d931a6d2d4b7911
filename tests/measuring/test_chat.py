import numpy as np
import pytest
from gguf_files import SPECIAL, TEMPLATE, TEXT, byte_level, tiny
from transformers import PreTrainedTokenizerFast

import dva_lens as lens
from dva_lens.measuring.chat import chat_frame


@pytest.fixture
def model():
    made = tiny()
    made.tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_level(), extra_special_tokens=SPECIAL, chat_template=TEMPLATE
    )
    return made


def test_every_window_is_a_conversation_that_the_template_makes(model):
    tokenizer = model.tokenizer
    data = lens.measure(
        model, TEXT, chat=True, system_prompt="Be kind.", length=48, statistics="entropy"
    )
    before = "<|start|>system: Be kind.\n<|start|>user: "
    after = "\n<|start|>assistant: "
    assert (data.attrs["chat_before"], data.attrs["chat_after"]) == (before, after)
    assert data.attrs["chat_template_text"] == TEMPLATE
    assert data.attrs["system_prompt"] == "Be kind."
    assert data.attrs["chat_template"].startswith("applied (sha256 ")
    head, tail = (tokenizer.encode(each, add_special_tokens=False) for each in (before, after))
    ids = tokenizer.encode(TEXT, add_special_tokens=False)
    room = 48 - len(head) - len(tail)
    rows = [[*head, *ids[at : at + room], *tail] for at in range(0, len(ids), room)]
    expected = [lens.measure(model, row, statistics="entropy")["entropy"] for row in rows]
    assert len(rows) == data.sizes["sequence"] > 1
    for number, each in enumerate(expected):
        found = data["entropy"].isel(sequence=number, span=slice(each.sizes["span"]))
        np.testing.assert_allclose(found, each.isel(sequence=0), atol=1e-5, rtol=1e-4)


def test_a_plain_measurement_says_that_no_template_was_applied(model):
    data = lens.measure(model, TEXT, statistics="entropy")
    assert data.attrs["chat_template"] == "not applied"
    assert "chat_before" not in data.attrs


@pytest.mark.parametrize(
    ("template", "prompt", "said"),
    [
        (None, None, "no chat template of its own"),
        ("always the same", None, "puts the text in 0 places"),
        ("{% for m in messages %}{{ m['content'] * 2 }}{% endfor %}", None, "in 2 places"),
        ("{{ messages[-1]['content'] }}", "Be kind.", "leaves the system prompt out"),
        ("{{ raise_exception('no system turn') }}", "Be kind.", r"cannot be applied .*no system"),
    ],
)
def test_a_template_that_cannot_frame_a_text_is_refused(model, template, prompt, said):
    model.tokenizer.chat_template = template
    with pytest.raises(ValueError, match=said):
        chat_frame(model.tokenizer, prompt)


def test_chat_belongs_to_texts_and_a_prompt_to_chat(model):
    with pytest.raises(ValueError, match="tokens already"):
        lens.measure(model, [1, 2, 3], chat=True)
    with pytest.raises(ValueError, match="system_prompt belongs to chat"):
        lens.measure(model, TEXT, system_prompt="Be kind.")
