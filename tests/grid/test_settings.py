"""Settings refuse nonsense at start, by name."""

import pytest
from pydantic import ValidationError

from grid.settings import Settings


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"city_code": "青岛"}, "HDQ_CITY_CODE"),
        ({"database_url": "mysql://x"}, "HDQ_DATABASE_URL"),
        ({"port": 70000}, "port"),
        ({"host": "0.0.0.0"}, "HDQ_DEMO"),
    ],
)
def test_nonsense_is_refused_by_name(given: dict, named: str):
    with pytest.raises(ValidationError, match=named):
        Settings(**given)


def test_a_public_demo_must_be_asked_for(tmp_path):
    assert Settings(host="0.0.0.0", demo=True, data_dir=tmp_path).demo
    assert not Settings(host="0.0.0.0", demo=False, data_dir=tmp_path).demo
