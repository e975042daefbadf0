"""What a lesson tells beside the program: nothing, its family, or a repair like it."""

from collections import Counter

from llmlab.sleep.coder.school import koans_of, lessons_of


def test_every_second_lesson_names_its_family_and_one_in_four_follows_an_example() -> None:
    lessons = lessons_of(koans_of("python", "train", 24, 0, ["keys", "loops"]))
    told = Counter((bool(each.task.family), len(each.task.examples)) for each in lessons)
    assert told[True, 0] == 12
    assert told[False, 1] in (5, 6)  # the first of a family has none before it
    assert set(told) == {(False, 0), (False, 1), (True, 0)}


def test_an_example_is_of_the_same_family_and_another_program() -> None:
    koans = koans_of("python", "train", 24, 0, ["keys", "loops"])
    family_of = {koan.start: koan.family for koan in koans}
    for koan, lesson in zip(koans, lessons_of(koans), strict=True):
        for example in lesson.task.examples:
            assert family_of[example.code] == koan.family
            assert example.code != koan.start
