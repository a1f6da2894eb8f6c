from hypothesis import given
from hypothesis import strategies as st

from sonotempo.exchange.names import distinct_names, file_name


@given(st.lists(st.text(max_size=130)))
def test_names_are_safe_and_distinct(texts):
    names = distinct_names({str(i): text for i, text in enumerate(texts)})
    assert list(names) == [str(i) for i in range(len(texts))]
    folded = [name.casefold() for name in names.values()]
    assert len(set(folded)) == len(folded)
    for name in names.values():
        assert name
        assert not set(name) & set('/\\:*?"<>|\0\n')
        assert not name.startswith(".")
        assert not name.endswith((".", " "))


def test_devices_of_windows_are_renamed():
    assert file_name("con") == "con_"
    assert file_name("COM1.txt") == "COM1.txt_"
