"""What positions receive, drawn where they stand."""

import numpy as np
import pytest
from fake_edges import fake_pattern, with_edges
from fakes import fake_measurement

from dva_lens.views import received_map
from dva_lens.views.places import ACROSS
from dva_lens.views.received import LEAST

LENGTH = 64


def text(**options):
    return with_edges(fake_measurement(keep_queries=True, length=LENGTH), **options)


def image():
    """A measurement of 7 x 9 patches behind one extra token, which is the sink."""
    return text().assign_attrs(patch_rows=7, patch_columns=9, patch_first=1)


def test_multiples_of_uniform_attention_stand_in_rows_of_the_text():
    figure = received_map(text(), layer=1, head=3, sequence=1)
    pattern = fake_pattern(1, 3, 1, LENGTH)
    uniform = np.tril(np.ones((LENGTH, LENGTH))) / np.arange(1, LENGTH + 1)[:, None]
    want = (pattern.sum(0) / uniform.sum(0)).reshape(-1, ACROSS)
    np.testing.assert_allclose(2.0 ** figure.data[0].z, np.maximum(want, 2.0**LEAST), rtol=1e-5)
    assert "(1)" not in figure.layout.meta["caption"]


def test_the_head_with_the_strongest_sink_is_drawn_unless_another_is_chosen():
    longer = with_edges(fake_measurement(keep_queries=True, length=200))
    caption = received_map(longer).layout.meta["caption"]
    assert "layer 2" in caption
    assert "Outlined, as a sink stands out, with the mean weight: token 0" in caption
    (outline,) = received_map(longer, layer=2, head=0).layout.shapes
    assert (outline.x0, outline.y0, outline.x1, outline.y1) == (-0.5, -0.5, 0.5, 0.5)


def test_what_is_chosen_stays_and_the_rest_is_chosen_with_it():
    longer = with_edges(fake_measurement(keep_queries=True, length=200))
    assert "layer 0, head " in received_map(longer, layer=0).layout.meta["caption"]
    assert "layer 2, head 3" in received_map(longer, head=3).layout.meta["caption"]


def test_patches_stand_where_they_are_and_extra_tokens_above():
    figure = received_map(image(), layer=2, head=0)
    z = np.asarray(figure.data[0].z)
    assert z.shape == (8, 9)
    assert np.isnan(z[0, 1:]).all()
    assert z[0, 0] == np.nanmax(z)
    assert np.isfinite(z[1:]).all()
    rows = figure.layout.meta["rows"]
    assert [rows[at]["row"] for at in (0, 1, 63)] == [None, 0, 6]
    assert [rows[at]["column"] for at in (0, 1, 63)] == [None, 0, 8]


def test_the_weights_of_one_query_alone():
    figure = received_map(text(), layer=1, head=3, query=5)
    want = fake_pattern(1, 3, 0, LENGTH)[5] * 6
    np.testing.assert_allclose(
        2.0 ** np.ravel(figure.data[0].z)[:6], np.maximum(want[:6], 2.0**LEAST), rtol=1e-5
    )
    assert np.isnan(np.ravel(figure.data[0].z)[6:]).all()
    assert "0.0% of its weight is on keys that are not listed" in figure.layout.meta["caption"]
    with pytest.raises(ValueError, match=r"query must be one .* of 0 to 63, got 64"):
        received_map(text(), layer=1, head=3, query=64)


@pytest.mark.parametrize("shape", [(3, 14, 18), (14, 18, 3)])
def test_an_image_lies_beneath_its_patches(shape):
    pixels = np.random.default_rng(0).random(shape)
    beneath, above = received_map(image(), layer=2, head=0, image=pixels).data
    assert beneath.type == "image"
    assert np.shape(beneath.z) == (14, 18, 3)
    assert (beneath.dx, beneath.dy, beneath.x0, beneath.y0) == (0.5, 0.5, -0.25, -0.25)
    assert above.opacity < 1


def test_what_is_no_image_or_has_no_patches_is_refused():
    with pytest.raises(ValueError, match=r"three channels, got shape \(14, 18\)"):
        received_map(image(), layer=2, head=0, image=np.zeros((14, 18)))
    with pytest.raises(ValueError, match="patches alone, and this is a text"):
        received_map(text(), layer=2, head=0, image=np.zeros((3, 14, 18)))
