import unittest

from polls.titles import title


class Titles(unittest.TestCase):
    def test_one_question_is_not_a_plural(self):
        self.assertEqual(title(1), "1 question")
