"""What jobs leave for the next ones stays within its bound."""

import os

from dva_lens.app.live.tasks import LAYERS, forget_layers


def test_the_oldest_layers_are_forgotten_first_and_nothing_else(tmp_path):
    place = tmp_path / LAYERS
    forget_layers(tmp_path)
    place.mkdir()
    for age, name in enumerate(("new", "older", "oldest")):
        file = place / f"{name}.safetensors"
        file.write_bytes(bytes(100))
        os.utime(file, (1000 - age, 1000 - age))
    (place / "notes.txt").write_bytes(bytes(500))
    forget_layers(tmp_path, most=300)
    assert len(list(place.iterdir())) == 4
    forget_layers(tmp_path, most=200)
    assert sorted(file.stem for file in place.iterdir()) == ["new", "notes", "older"]
    forget_layers(tmp_path, most=99)
    assert [file.name for file in place.iterdir()] == ["notes.txt"]
