import pytest

from llmlab.book.press.contents import CONFIG, chapter_of, read_contents
from llmlab.method.errors import LabError


def replace(project, old, new):
    path = project.root / CONFIG
    path.write_text(path.read_text().replace(old, new))


def test_chapters_come_in_order_with_their_part(sample):
    chapters = read_contents(sample).chapters
    assert [(chapter.name, chapter.part, chapter.appendix) for chapter in chapters] == [
        ("index", "", False),
        ("concepts/steps", "Concepts", False),
        ("results/steps", "Results", False),
        ("references", "Appendices", True),
    ]


def test_names_and_options_of_the_book(sample):
    contents = read_contents(sample)
    assert (contents.title, contents.pdf) == ("A Small Book", "A-Small-Book.pdf")
    assert contents.options.echo is False


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("concepts/steps", "concepts/step", "did you mean concepts/steps.ipynb"),
        ("results/steps", "concepts/steps", "lists concepts/steps.ipynb twice"),
        ("    - index.ipynb\n", "", "not list index.ipynb"),
        ("  author: The Testers\n", "", "lacks the book's title or author"),
        ("    - index.ipynb", "    - 3", "lists the invalid chapter 3"),
        ("book:", "book: [", "not valid YAML"),
    ],
)
def test_mistakes_are_named(sample, old, new, message):
    replace(sample, old, new)
    with pytest.raises(LabError, match=message):
        read_contents(sample)


def test_a_chapter_that_is_not_listed_is_named(sample):
    (sample.chapters / "forgotten.py").write_text("# %%\n")
    with pytest.raises(LabError, match=r"chapters/forgotten.py is not listed"):
        read_contents(sample)


def test_a_missing_configuration_is_named(sample):
    (sample.root / CONFIG).unlink()
    with pytest.raises(LabError, match=CONFIG):
        read_contents(sample)


@pytest.mark.parametrize("name", ["concepts/steps", "chapters/concepts/steps.py"])
def test_a_chapter_is_found_by_name_and_by_path(sample, name):
    assert chapter_of(sample, name).name == "concepts/steps"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("concept/steps", "concepts/steps"),
        ("result/step", "results/steps"),
        ("appendices/references", "references"),
    ],
)
def test_the_nearest_chapter_is_suggested(sample, name, nearest):
    with pytest.raises(LabError, match=f"did you mean {nearest}"):
        chapter_of(sample, name)


def test_a_chapter_is_not_suggested_for_its_folder_alone(sample):
    with pytest.raises(LabError, match="lists all chapters"):
        chapter_of(sample, "concepts/zzz")
