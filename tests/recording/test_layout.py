import pytest
import torch

from dva_lens.recording.layout import Layout


def _mask(*rows):
    return torch.tensor([[int(c) for c in row] for row in rows])


def test_right_padding_is_left_as_it_is():
    layout = Layout.of(_mask("11111", "11100"), None, (2, 5))
    batch = torch.randn(2, 3, 5, 4)
    assert layout.is_plain
    assert layout.unpad(batch) is batch
    assert layout.segments.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]


def test_a_full_batch_has_no_padding():
    assert Layout.of(None, None, (2, 5)).segments is None
    assert Layout.of(_mask("111"), None, (1, 3)).segments is None


def test_left_padding_moves_to_the_start_and_back():
    layout = Layout.of(_mask("00111", "11111"), None, (2, 5))
    batch = torch.arange(10.0).reshape(2, 1, 5, 1)
    unpadded = layout.unpad(batch)
    assert layout.lengths.tolist() == [3, 5]
    assert unpadded[0, 0, :3, 0].tolist() == [2, 3, 4]
    back = layout.repad(unpadded)
    assert back[0, 0, :, 0].tolist() == [0, 0, 2, 3, 4]
    assert torch.equal(back[1], batch[1])


def test_packed_texts_become_sequences_of_their_own():
    positions = torch.tensor([[0, 1, 2, 0, 1], [0, 1, 2, 3, 4]])
    layout = Layout.of(None, positions, (2, 5))
    assert layout.lengths.tolist() == [3, 2, 5]
    batch = torch.randn(2, 3, 5, 4)
    unpadded = layout.unpad(batch)
    assert torch.equal(unpadded[1, :, :2], batch[0, :, 3:])
    assert torch.equal(layout.repad(unpadded), batch)


def test_positions_shared_by_all_rows_pack_all_rows():
    layout = Layout.of(None, torch.tensor([[0, 1, 0, 1, 2]]), (2, 5))
    assert layout.lengths.tolist() == [2, 3, 2, 3]


def test_a_row_without_any_token_holds_no_sequence():
    layout = Layout.of(_mask("000", "110"), None, (2, 3))
    assert layout.lengths.tolist() == [2]
    assert layout.repad(torch.ones(1, 1, 2, 1)).sum() == 2


def test_a_mask_with_a_gap_is_refused():
    with pytest.raises(ValueError, match="one unbroken run"):
        Layout.of(_mask("11011"), None, (1, 5))
