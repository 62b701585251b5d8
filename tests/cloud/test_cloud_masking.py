import pytest
from localcloud.masking import masked, masked_email


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("200002", "2****2"),
        ("18812345888", "188****5888"),
        ("ann", "a****"),
        ("a", "a****"),
        ("secret name", "sec****name"),
        ("", None),
        (None, None),
    ],
)
def test_the_middle_of_a_name_is_hidden(name, shown):
    assert masked(name) == shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [("someone@example.com", "som****@example.com"), ("me@example.com", "****@example.com"), (None, None)],
)
def test_the_end_of_a_mailbox_is_hidden(address, shown):
    assert masked_email(address) == shown
