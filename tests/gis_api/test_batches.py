"""Large batches over HTTP: JSON and Arrow streams make the same rows; what is wrong is named; nothing unfolds beyond its size."""

import struct
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from gis_api.wire import batches
from grid.errors import InvalidInput, TooLarge
from grid.sensing import intake

NOW = datetime.now(UTC) - timedelta(minutes=2)


def item(number: int, **changes) -> dict:
    base = {
        "source": "mast-7", "source_event_id": f"e{number}", "sensor_kind": "device", "kind": "garbage", "score": 0.5, "recorded_at": NOW.isoformat(),
        "position": {"lon": 120.38 + number * 1e-5, "lat": 36.07, "accuracy_m": 5},
    }  # fmt: skip
    return base | changes


def arrow(count: int = 3, options: pa.ipc.IpcWriteOptions | None = None, **changes) -> bytes:
    columns = {
        "source": pa.array(["mast-7"] * count).dictionary_encode(),
        "source_event_id": pa.array([f"e{n}" for n in range(count)]),
        "sensor_kind": pa.array(["device"] * count),
        "kind": pa.array(["garbage"] * count).dictionary_encode(),
        "recorded_at": pa.array([NOW] * count, pa.timestamp("us", "UTC")),
        "lon": pa.array([120.38 + n * 1e-5 for n in range(count)]),
        "lat": pa.array([36.07] * count),
        "accuracy_m": pa.array([5.0] * count),
        "score": pa.array([0.5] * count),
    } | changes
    table = pa.table({name: column for name, column in columns.items() if column is not None})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def as_json(*items: dict) -> bytes:
    return batches.orjson.dumps({"observations": items})


def test_json_and_arrow_say_the_same():
    one, other = batches.from_json(as_json(*map(item, range(3)))), batches.from_arrow(arrow())
    assert [one.finding(row) for row in range(3)] == [other.finding(row) for row in range(3)]
    assert one.source == other.source == "mast-7" and one.camera_id is None


def by_column(**changes) -> bytes:
    base = {
        "source": "mast-7", "source_event_id": ["e0", "e1", "e2"], "sensor_kind": "device", "kind": ["garbage"] * 3, "score": [0.5] * 3,
        "recorded_at": [NOW.isoformat()] * 3, "lon": [120.38, 120.38001, 120.38002], "lat": [36.07] * 3, "accuracy_m": [5, 5, 5],
    }  # fmt: skip
    return batches.orjson.dumps({"columns": {k: v for k, v in (base | changes).items() if v is not None}})


def test_columns_of_json_say_the_same():
    one, other = batches.from_json(as_json(*map(item, range(3)))), batches.from_json(by_column(camera_id=[None] * 3, simulated=False))
    assert [one.finding(row) for row in range(3)] == [other.finding(row) for row in range(3)]


@pytest.mark.parametrize(
    "changes",
    [
        {"score": [0.5, "0.5", 0.5]}, {"score": [0.5, None, 0.5]}, {"score": 0.5}, {"kind": None}, {"kind": [1, 2, 3]}, {"lat": [36.07]}, {"source_event_id": "e"},
        {"source_event_id": []}, {"recorded_at": ["2026-01-01T00:00:00"] * 3}, {"recorded_at": [1, 2, 3]}, {"camera_id": [1, 2, -3]}, {"footprint": [None] * 3},
        {"source": [["a"]] * 3},
    ],
)  # fmt: skip
def test_columns_of_another_shape(changes):
    with pytest.raises(InvalidInput):
        batches.from_json(by_column(**changes))


def test_what_is_more_than_plain_is_read_whole():
    square = {"type": "Polygon", "coordinates": [[[120.38, 36.07], [120.39, 36.07], [120.39, 36.08], [120.38, 36.07]]]}
    found = batches.from_json(as_json(item(0), item(1, footprint=square, properties={"a": 1}), item(2, camera_id=4, simulated=True)))
    assert found.finding(1).footprint.geom_type == "Polygon" and found.finding(1).properties == {"a": 1}
    assert found.finding(2).camera_id == 4 and found.finding(2).simulated and not found.finding(0).simulated


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"score": "0.5"}, "score"),
        ({"score": True}, "score"),
        ({"source": 7}, "source"),
        ({"camera_id": True}, "camera_id"),
        ({"camera_id": -1}, "camera_id"),
        ({"recorded_at": "yesterday"}, "recorded_at"),
        ({"position": {"lon": 120.38, "lat": 36.07}}, "position.accuracy_m"),
        ({"position": {"lon": 120.38, "lat": 36.07, "accuracy_m": 5, "alt": 3}}, "position.alt"),
        ({"source_event_id": ["x"]}, "source_event_id"),
        ({"simulated": "perhaps"}, "simulated"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_json_that_is_not_plain_is_not_taken_for_it(changes, field):
    given = as_json(item(0), item(1, **changes))
    try:
        found = batches.from_json(given)
    except InvalidInput as refused:
        (error,) = refused.extra["errors"]
        assert error["row"] == 1 and error["field"] == field
    else:
        assert found.finding(1).score in (0.5, 1.0) and found.finding(1).camera_id in (None, 1)  # as single findings are read: "0.5" is a number, true is 1


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"observations": []}', b'{"observations": {}, "x": 1}', b'{"observations": [1]}', b'{"observations": [null, {}]}'])
def test_json_of_another_shape(body):
    with pytest.raises(InvalidInput):
        batches.from_json(body)


@pytest.mark.parametrize(
    "body",
    [
        lambda: b"",
        lambda: b"PK\x03\x04" * 20,
        lambda: arrow()[:-40],
        lambda: arrow()[:200],
        lambda: arrow(options=pa.ipc.IpcWriteOptions(compression="zstd")),
        lambda: arrow(options=pa.ipc.IpcWriteOptions(compression="lz4")),
        lambda: arrow(score=pa.array(["a", "b", "c"])),
        lambda: arrow(score=pa.array([0.5, None, 0.5])),
        lambda: arrow(source_event_id=pa.array(["a", None, "c"])),
        lambda: arrow(kind=None),
        lambda: arrow(footprint=pa.array(["a", "b", "c"])),
        lambda: arrow(recorded_at=pa.array([NOW.replace(tzinfo=None)] * 3, pa.timestamp("us"))),
    ],
)
def test_arrow_that_is_not_sound(body):
    with pytest.raises(InvalidInput):
        batches.from_arrow(body())


def test_arrow_broken_anywhere_is_refused_or_read_never_worse():
    sound = arrow(2)
    for at in range(0, len(sound), 7):
        broken = bytearray(sound)
        broken[at] ^= 0xFF
        try:
            batches.from_arrow(bytes(broken))
        except (InvalidInput, TooLarge):
            continue


def test_too_many():
    with pytest.raises(TooLarge):
        batches.from_arrow(arrow(20_001))
    with pytest.raises(TooLarge):
        batches.from_json(as_json(*[item(0)] * 20_001))


async def test_over_http(app_client, login):
    await login(app_client, "suanfa")
    sent = [item(n) for n in range(20)]
    answer = await app_client.post("/api/observations/batch", content=as_json(*sent[:10]), headers={"content-type": "application/json"})
    assert answer.status_code == 202 and answer.json()["new"] == 10 and answer.json()["known"] == []
    again = await app_client.post("/api/observations/batch", content=arrow(20), headers={"content-type": batches.ARROW})
    assert again.json()["new"] == 10 and again.json()["known"] == list(range(10)) and again.json()["ids"][:10] == answer.json()["ids"]
    bad = await app_client.post("/api/observations/batch", content=as_json(item(30), item(31, score=3)), headers={"content-type": "application/json"})
    assert bad.status_code == 422 and bad.json()["errors"][0]["row"] == 1
    listed = (await app_client.get("/api/observations", params={"limit": 100})).json()["items"]
    assert len(listed) == 20 and {o["kind"] for o in listed} == {"garbage"}
    await login(app_client, "wangge")
    assert (await app_client.post("/api/observations/batch", content=as_json(item(40)))).status_code == 403


@pytest.mark.parametrize(
    "changes",
    [{}, {"camera_id": 4}, {"simulated": True}, {"algorithm": "街道"}, {"recorded_at": NOW.strftime("%Y%m%dT%H%M%S+0000")}, {"score": 1}, {"properties": {}}],
)
def test_rows_are_read_the_same_typed_or_by_value(changes):
    """The quick reader of plain rows and the one that can name what is wrong agree; what is more than plain goes to the second by itself."""
    body = as_json(item(0), item(1, **changes), item(2))
    typed, asked = batches.from_json(body), batches._any_json(body)
    assert [typed.finding(row) for row in range(3)] == [asked.finding(row) for row in range(3)]


LONG = "x" * 200_000
MANY = 20_000


@pytest.mark.parametrize("way", ["json", "arrow", "arrow of two"])
def test_an_overlong_text_that_all_share_is_refused_and_never_spread_out(way):
    """20,000 times 200 kB would be past what Arrow can address: it once ended the process."""
    if way == "json":
        many = {name: [value[0]] * MANY for name, value in {"kind": ["garbage"], "score": [0.5], "recorded_at": [NOW.isoformat()], "lon": [120.38], "lat": [36.07], "accuracy_m": [5]}.items()}
        batch = batches.from_json(by_column(**many, source_event_id=[f"e{n}" for n in range(MANY)], class_name=LONG))
    else:
        texts = pa.array([LONG, "fine"][: 1 + ("two" in way)])
        batch = batches.from_arrow(arrow(MANY, class_name=pa.DictionaryArray.from_arrays(pa.array([0] * MANY, pa.int32()), texts)))
    before = pa.total_allocated_bytes()
    assert len(intake.doubtful(batch, datetime.now(UTC))) == MANY
    assert pa.total_allocated_bytes() - before < 1e6


def test_an_overlong_id_in_a_dictionary_is_refused_before_it_is_spread_out():
    ids = pa.DictionaryArray.from_arrays(pa.array([0] * MANY, pa.int32()), pa.array([LONG]))
    with pytest.raises(InvalidInput, match="source_event_id"):
        batches.from_arrow(arrow(MANY, source_event_id=ids))


def test_a_buffer_of_an_odd_length_is_read_as_far_as_it_is_meant():
    count = 1001
    stream = arrow(count, **{name: pa.array([value] * count) for name, value in (("source", "m"), ("kind", "garbage"))})
    meant = struct.pack("<q", 4 * (count + 1))
    places = [at for at in range(0, 4096) if stream[at : at + 8] == meant]
    assert places
    for at in places:
        odd = stream[:at] + struct.pack("<q", 4 * (count + 1) + 1) + stream[at + 8 :]
        try:
            batch = batches.from_arrow(odd)
        except InvalidInput:
            continue
        assert intake.doubtful(batch, datetime.now(UTC)) == []
