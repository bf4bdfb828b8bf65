"""What masks find, what they leave alone, and what becomes of the text around it."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.rules_mask import DETECTORS, Masker, masked, masked_attributes, masked_messages
from tests.ingest import cards_reference

ALL = tuple(DETECTORS.values())
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc+/=\n-----END RSA PRIVATE KEY-----"
TOKEN = "0123456789abcdefghijABCDEFGHIJ0123456789"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

FOUND = [
    ("card", "paid with 4111 1111 1111 1111 12/25", "paid with [card] 12/25"),
    ("card", "pan=5555-5555-5555-4444, 378282246310005", "pan=[card], [card]"),
    ("card", "4222222222222", "[card]"),
    ("email", "to <Ann.Lee+x@mail.example.co.uk>, bob@x.org.", "to <[email]>, [email]."),
    ("bearer", "Authorization: Bearer abc.DEF-123_456", "Authorization: Bearer [bearer]"),
    ("bearer", "authorization: basic dXNlcjpwYXNz", "authorization: basic [bearer]"),
    ("bearer", "Basic dXNlcjpwYXNzd29yZA==", "Basic [bearer]"),
    ("bearer", "-H 'authorization: TOKEN abcdefgh1'", "-H 'authorization: TOKEN [bearer]'"),
    ("aws", "key AKIA" + "ABCDEFGHIJKLMNOP" + " used", "key [aws] used"),
    ("aws", f'aws_secret_access_key = "{TOKEN}"', 'aws_secret_access_key = "[aws]"'),
    ("github", f"git clone https://ghp_{TOKEN}@github.com/a/b", "git clone https://[github]@github.com/a/b"),
    ("github", "github_pat_" + "11AAAAAAA0123456789_abcdefghijkl", "[github]"),
    ("slack", "xoxb-" + "123456789012-abcdefABCDEF", "[slack]"),
    ("slack", "https://hooks.slack.com/services/" + "T00000000/B00000000/XXXXXXXX", "https://[slack]"),
    ("jwt", f"token={JWT};", "token=[jwt];"),
    ("private_key", f"key: {KEY} end", "key: [private_key] end"),
    ("private_key", KEY.partition("\n-----END")[0], "[private_key]"),
]
LEFT = [
    ("card", "4111 1111 1111 1112, 41111111111111111, 1795600000000000000, 4111  1111 1111 1111"),
    ("email", "user@host, @decorator, a@b.c, git@"),
    ("bearer", "the bearer of news, Bearer x, basic arithmetic"),
    ("aws", "AKIA, AKIAabc, secret"),
    ("github", "ghp_short, ghx_" + TOKEN),
    ("slack", "xoxo-, foxxox"),
    ("jwt", "eyJ, eyJhbGciOiJIUzI1NiJ9"),
    ("private_key", "-----BEGIN PUBLIC KEY-----"),
]


@pytest.mark.parametrize(("detector", "text", "expected"), FOUND)
def test_a_secret_is_replaced(detector: str, text: str, expected: str) -> None:
    assert masked(pa.array([text, "plain"]), (DETECTORS[detector],)).to_pylist() == [expected, "plain"]
    assert masked_messages(pa.array([text]), ALL).to_pylist() == [expected]


@pytest.mark.parametrize(("detector", "text"), LEFT)
def test_what_only_looks_like_one_stays(detector: str, text: str) -> None:
    before = pa.array([text, None])
    assert masked(before, (DETECTORS[detector],)) is before


@pytest.mark.parametrize(("detector", "text", "expected"), FOUND)
def test_in_a_message_that_is_json_the_rest_stays_json(detector: str, text: str, expected: str) -> None:
    message = json.dumps({"n": 1.50, "m": f"é\n{text}" if detector != "bearer" else text, "deep": [{"m": text}]})
    (found,) = masked_messages(pa.array([message]), (DETECTORS[detector],)).to_pylist()
    told = json.loads(found)
    assert told["deep"] == [{"m": expected}]
    assert told["m"].removeprefix("é\n") == expected
    assert '"n": 1.5,' in found


def test_what_json_writes_in_escapes_is_found() -> None:
    message = '{"to":"ann\\u0040example.com","at":"\\u00e9"}'
    assert masked_messages(pa.array([message]), ALL).to_pylist() == ['{"to":"[email]","at":"\\u00e9"}']


def test_a_card_that_is_a_number_of_json_becomes_a_string() -> None:
    text = '{"pan":4111111111111111,"amount":1.5,"4111111111111111":"a key"}'
    assert masked_attributes(pa.array([text]), ALL).to_pylist() == [text.replace(":4111111111111111", ':"[card]"')]
    assert json.loads(masked_messages(pa.array([text]), ALL)[0].as_py())["pan"] == "[card]"


def test_of_attributes_only_strings_that_hold_something_change() -> None:
    text = '{"a" : "x\\nann@example.com", "b": 1.50, "c": ["é", {"ann@example.com": null}], "d": "\\u00e9"}'
    before = pa.array([None, text, '{"a":"plain"}'])
    assert masked_attributes(before, ALL).to_pylist() == [
        None,
        text.replace('"x\\nann@example.com"', '"x\\n[email]"'),
        '{"a":"plain"}',
    ]


def test_a_regular_expression_of_ones_own_may_refer_to_its_groups() -> None:
    own = (Masker(r"^(password)=\S+", r"\1=***"),)
    assert masked_messages(pa.array(["password=x y", "a password=x"]), own).to_pylist() == [
        "password=*** y",
        "a password=x",
    ]
    assert masked_attributes(pa.array(['{"a":"password=\\"x"}']), own).to_pylist() == ['{"a":"password=***"}']


@pytest.mark.parametrize("pattern", [r"pass\w+", r"^pass\w+", r"pass\w+$", r"\Apass\w+\z", r"\bpass[^!]+", "passw.*rd"])
def test_a_pattern_meets_attributes_as_values(pattern: str) -> None:
    texts = ['{"a":"password"}', '{"a":["password"]}', '{"b":"\\u0070assword"}', '{"password":1}', None]
    found = masked_attributes(pa.array(texts), (Masker(pattern, "X"),)).to_pylist()
    assert found == ['{"a":"X"}', '{"a":["X"]}', '{"b":"X"}', '{"password":1}', None]


DIGITS = st.text(st.sampled_from("0123456789444455 -."), max_size=40)
CARDS = st.sampled_from(
    ("4111 1111 1111 1111", "378282246310005", "6011-1111-1111-1117", "3056 930902 5904", "50000000005")
)


@given(st.lists(DIGITS | CARDS, max_size=5).map("".join))
def test_cards_are_those_of_the_reference(text: str) -> None:
    found = masked(pa.array(["x", text, None]), (DETECTORS["card"],)).to_pylist()
    assert found == ["x", cards_reference.masked(text), None]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(max_size=5)
    | st.sampled_from(("ann@x.org", "a\n4111111111111111")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(max_size=3), JSON, max_size=4), max_size=4), st.booleans())
def test_attributes_keep_their_shape(objects: list[dict[str, object]], is_ascii: bool) -> None:
    texts = [json.dumps(each, ensure_ascii=is_ascii) for each in objects]
    try:
        before = pa.array(texts, pa.string())
    except UnicodeEncodeError:
        return
    found = [json.loads(text) for text in masked_attributes(before, ALL).to_pylist()]
    assert found == [plainly_masked(each) for each in objects]
    messages = [json.loads(text) for text in masked_messages(before, (DETECTORS["email"],)).to_pylist()]
    assert json.dumps(messages) == json.dumps(objects).replace("ann@x.org", "[email]")


def plainly_masked(value: object) -> object:
    if isinstance(value, dict):
        return {key: plainly_masked(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plainly_masked(member) for member in value]
    return (
        {"ann@x.org": "[email]", "a\n4111111111111111": "a\n[card]"}.get(value, value)
        if isinstance(value, str)
        else value
    )
