"""Label scoring against the plain model asked through its own processor, one picture at a time."""

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from tandem.spec.run import TeacherSpec
from tandem.train.knowledge.label_scoring import CodeQuestion, LabelScoring, NameQuestion
from tandem.train.knowledge.question import DEFAULT_PROMPT, Wording, single_token_codes
from tests.train.teachers.folders import open_teacher, random_images

FAMILIES = ("qwen2_5_vl", "qwen3_vl")
CLASSES = ("cat", "dog", "owl")


def scoring(path, classes=CLASSES, **what):
    what = {"path": str(path), "image_size": 64, "precision": "fp32", "label_orders": 3} | what
    spec = TeacherSpec(**what)
    return LabelScoring(open_teacher(**what), spec, classes)


def ask_plainly(path, images, text, answer=""):
    """Logits of every place, as the model's page on the hub does it."""
    processor = AutoProcessor.from_pretrained(path)
    model = AutoModelForImageTextToText.from_pretrained(path)
    content = [{"type": "image"}, {"type": "text", "text": text}]
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    rows = []
    for image in images:
        inputs = processor(
            images=[(image * 255).round().to(torch.uint8)],
            text=[prompt + answer],
            return_tensors="pt",
            images_kwargs={"do_resize": False},
        )
        with torch.no_grad():
            rows.append((inputs["input_ids"][0], model(**inputs).logits[0]))
    return processor, rows


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_the_plain_models_next_token_logits(checkpoints, family):
    """Each order asked apart, put back in the classes' order, less the grey picture's, averaged."""
    path = checkpoints[family]
    teacher = scoring(path)
    images = (random_images(2, teacher.image_size) * 255).round() / 255
    grey = torch.full_like(images[:1], 128 / 255)
    expected = 0
    for turn in range(3):
        order = [(place + turn) % 3 for place in range(3)]
        options = "\n".join(f"{'ABC'[place]}. {CLASSES[k]}" for place, k in enumerate(order))
        text = DEFAULT_PROMPT.replace("{options}", options)
        processor, rows = ask_plainly(path, [*images, *grey], text)
        tokens = [processor.tokenizer.encode(c, add_special_tokens=False)[0] for c in "ABC"]
        said = torch.stack([logits[-1, tokens].log_softmax(0) for _, logits in rows])
        in_class_order = said[:, [order.index(k) for k in range(3)]]
        expected = expected + (in_class_order[:2] - in_class_order[2]) / 3
    found = teacher.signals(images).logits_BK
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)
    assert (found[0] - found[1]).abs().max() > 1e-5


def test_an_empty_grey_image_says_nothing(checkpoints):
    teacher = scoring(checkpoints["qwen2_5_vl"])
    grey = torch.full((1, 3, teacher.image_size, teacher.image_size), 128 / 255)
    assert teacher.signals(grey).logits_BK.abs().max() < 1e-6


@pytest.mark.parametrize("family", FAMILIES)
def test_everything_else_is_the_wrapped_teachers(checkpoints, family):
    teacher = scoring(checkpoints[family])
    alone = open_teacher(checkpoints[family], image_size=64)
    teacher.layers = alone.layers = (1, 3)
    images = random_images(2, teacher.image_size)
    whole, part = teacher.signals(images), alone.signals(images)
    assert torch.equal(whole.tokens_BHWD, part.tokens_BHWD)
    assert torch.equal(whole.pooled_BD, part.pooled_BD)
    assert all(map(torch.equal, whole.layers_BHWD, part.layers_BHWD))
    assert not whole.logits_BK.requires_grad
    assert teacher.gives == alone.gives | {"logits"}
    assert (teacher.grid, teacher.width) == (alone.grid, alone.width)
    alone_logits = torch.cat([teacher.signals(one[None]).logits_BK for one in images])
    torch.testing.assert_close(whole.logits_BK, alone_logits, atol=1e-6, rtol=1e-4)
    teacher.unload()
    assert torch.equal(teacher.signals(images).logits_BK, whole.logits_BK)


def test_the_key_follows_the_question(checkpoints):
    path = checkpoints["qwen2_5_vl"]
    keys = {
        scoring(path).logits_key,
        scoring(path, prompt="Pick one: {options}").logits_key,
        scoring(path, label_orders=2).logits_key,
        scoring(path, classes=("cat", "dog", "emu")).logits_key,
        scoring(path, image_size=84).logits_key,
    }
    assert len(keys) == 5
    assert scoring(path).logits_key in keys
    assert scoring(path).fingerprint != scoring(path, label_orders=2).fingerprint


def test_more_classes_than_letters_have_codes_of_one_token_each(checkpoints):
    teacher = scoring(checkpoints["qwen2_5_vl"], tuple(f"thing {i}" for i in range(30)))
    assert teacher.signals(random_images(1, teacher.image_size)).logits_BK.shape == (1, 30)
    tokenizer = AutoProcessor.from_pretrained(checkpoints["qwen2_5_vl"]).tokenizer
    codes = single_token_codes(tokenizer, 30)
    assert list(codes)[:26] == list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert len(set(codes.values())) == 30
    assert all(tokenizer.decode([token]) == code for code, token in codes.items())


def test_more_classes_than_codes_are_scored_by_their_whole_names(checkpoints):
    path = checkpoints["qwen2_5_vl"]
    classes = tuple(f"n{i}" for i in range(80))
    teacher = scoring(path, classes, label_orders=1, image_size=28)
    images = (random_images(1, 28) * 255).round() / 255
    found = teacher.signals(images).logits_BK
    assert type(teacher._questions[0]) is NameQuestion
    teacher.load()
    text = Wording(None, classes, 1).text(range(80), None)
    scores = []
    for name in classes[:2]:
        _, [(ids, logits), (_, bare)] = ask_plainly(
            path, [images[0], torch.full_like(images[0], 128 / 255)], text, name + "<|im_end|>"
        )
        length = len(ids) - len(ask_plainly(path, images, text)[1][0][0])
        assert length >= 3
        places = range(len(ids) - length, len(ids))
        said, empty = (
            sum(x.log_softmax(-1)[p - 1, ids[p]] for p in places) for x in (logits, bare)
        )
        scores.append(said - empty)
    expected = scores[0] - scores[1]
    torch.testing.assert_close(found[0, 0] - found[0, 1], expected, atol=1e-4, rtol=1e-2)


def test_few_classes_use_codes(checkpoints):
    teacher = scoring(checkpoints["qwen2_5_vl"])
    teacher.load()
    assert [type(asked) for asked in teacher._questions] == [CodeQuestion] * 3


@pytest.mark.parametrize(("classes", "orders", "distinct"), [(2, 4, 2), (5, 5, 5), (10, 4, 4)])
def test_orders_move_every_class_about(classes, orders, distinct):
    permutations = Wording(None, tuple(map(str, range(classes))), orders).permutations()
    assert len({tuple(p) for p in permutations}) == len(permutations) == distinct
    assert all(sorted(p) == list(range(classes)) for p in permutations)
    assert len({p.index(0) for p in permutations}) == distinct
