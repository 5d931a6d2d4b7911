"""What small files may hold, and how soon they are refused."""

import os

import memory
import pytest

from dva_lens.files import LARGEST_FILE, read_json, read_text, read_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{now}: &{now} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, now in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture
def file(tmp_path):
    def write(content, name="mine.yaml"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize(
    "word", ["no", "yes", "on", "off", "y", "No", "2024-01-01", "1:30", "0x1f", "012"]
)
def test_words_stay_words(file, word):
    assert read_yaml(file(f"name: {word}\nall: [{word}]")) == {"name": word, "all": [word]}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("3e-4", 3e-4),
        ("1.", 1.0),
        (".5", 0.5),
        ("-2", -2),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'3'", "3"),
        ('"no"', "no"),
    ],
)
def test_numbers_truth_and_nothing_are_what_they_look_like(file, written, value):
    found = read_yaml(file(f"a: {written}"))["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1\nb: 2\na: 3", r"the key 'a' stands twice \(line 3\)"),
        ("p: {a: 1, a: 1}", r"the key 'a' stands twice \(line 1\)"),
        (BOMB, r"unfolds into more than 10000 values"),
        ("a: &a [*a]", "it holds itself"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: 1\n---\nb: 2", "is not YAML: expected a single document"),
        ("a: !!python/object/apply:os.system [ls]", "is not YAML: could not determine"),
        ("? [a]\n: 1", "is not YAML"),
        ("a: [", "is not YAML"),
        ("\x00", "is not YAML"),
        ("- 1", "must map keys to values, got list"),
        ("", "must map keys to values, got NoneType"),
        (b"a: \xff", "is not UTF-8 text"),
        ("a: " + "x" * LARGEST_FILE, "must hold at most 1048576 bytes"),
        ("a: " + "9" * 5000, "is not YAML"),
    ],
)
def test_what_surprises_is_refused(file, content, message):
    with pytest.raises(ValueError, match=message):
        read_yaml(file(content))


def test_a_bomb_takes_no_memory(file):
    path = file(BOMB)

    def refused():
        with pytest.raises(ValueError, match="unfolds"):
            read_yaml(path)

    assert memory.peak(refused) < 4 << 20


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in ("pipe", "link", "."):
        with pytest.raises(ValueError, match="must be a regular file"):
            read_text(tmp_path / path)
    with pytest.raises(FileNotFoundError, match=r"There is no file .*absent; check the path"):
        read_text(tmp_path / "absent")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ('{"a": NaN}', "NaN is no number of JSON"),
        ("[1]", "must hold a JSON object, got list"),
        ("{", "is not JSON"),
        ('{"a": ' + "[" * 200_000, "nested too deeply"),
    ],
)
def test_json_is_read_as_strictly(file, content, message):
    with pytest.raises(ValueError, match=message):
        read_json(file(content, "mine.json"))


def test_json_gives_its_object(file):
    assert read_json(file('{"a": [1, 2.5, null]}')) == {"a": [1, 2.5, None]}
