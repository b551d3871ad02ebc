"""Parts of a text are joined as its script is written."""

import pytest

from nmt.text.spacing import join_parts


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (["The cat.", "A dog."], "The cat. A dog."),
        (["Привет.", "Мир."], "Привет. Мир."),
        (["안녕하세요.", "세계."], "안녕하세요. 세계."),
        (["你好。", "我们走。"], "你好。我们走。"),
        (["こんにちは。", "世界！"], "こんにちは。世界！"),
        (["แมวเห็นหมา", "หมาเห็นแมว"], "แมวเห็นหมาหมาเห็นแมว"),
        (["ສະບາຍດີ", "ຂອບໃຈ"], "ສະບາຍດີຂອບໃຈ"),
        (["ខ្ញុំ។", "អ្នក។"], "ខ្ញុំ។អ្នក។"),
        (["မြန်မာ။", "စာ။"], "မြန်မာ။စာ။"),
        (["བོད་ཡིག", "ཡིན།"], "བོད་ཡིགཡིན།"),
        # One side of another script: by what the text mostly is.
        (["我用Python", "编程很好"], "我用Python编程很好"),
        (["我们走到2024", "年。"], "我们走到2024年。"),
        (["I like 你好", "and more words"], "I like 你好 and more words"),
        (["看 NMT", "BLEU 高"], "看 NMT BLEU 高"),
        # Written with spaces: tokenised, or with spaces between phrases.
        (["我 喜欢 猫 。", "狗 来 。"], "我 喜欢 猫 。 狗 来 。"),
        (["แมวเห็นหมา หมาเห็นแมว", "หมาวิ่ง"], "แมวเห็นหมา หมาเห็นแมว หมาวิ่ง"),
        (["one"], "one"),
        ([], ""),
    ],
)
def test_as_the_text_is_written(parts: list[str], text: str) -> None:
    joined, merged = join_parts(parts)
    assert joined == text
    assert len(merged) == max(0, len(parts) - 1)
    assert len(joined.split()) == sum(len(part.split()) for part in parts) - sum(merged)


def test_white_space_that_is_there_already() -> None:
    assert join_parts(["你好。 ", "我们。"]) == ("你好。 我们。", [False])
    assert join_parts(["你好。", " 我们。"]) == ("你好。 我们。", [False])
