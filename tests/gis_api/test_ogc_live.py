"""Programs of others over real HTTP: GDAL's OAPIF driver, which QGIS and ogr2ogr use, reads a collection in three frames with the same points."""

import psycopg

from benchmarks import ogc
from tests.conftest import PASSWORD


def test_gdal_reads_each_frame_with_the_same_points(live):
    with psycopg.connect(live.settings.database_url) as connection:
        connection.execute(
            """
            INSERT INTO datasets (id, title, geometry_type, declared_crs, source_name, source_sha256, feature_count, region_code, extent, format, crs_origin)
            VALUES ('parks', '公园', 'Point', 'EPSG:4326', 'a.geojson', 'x', 1500, '3702', ST_MakeEnvelope(120.3, 36.0, 120.7, 36.3, 4326), 'geojson', 'declared')
            """
        )
        connection.execute(
            """
            INSERT INTO dataset_features (dataset_id, id, region_code, geom)
            SELECT 'parks', n, '370202', ST_SetSRID(ST_MakePoint(120.3 + n / 10000.0, 36.05 + (n %% 37) / 1000.0), 4326) FROM generate_series(1, 1500) AS n
            """,
            [],
        )
    found = ogc.frames(live.url, "linye", PASSWORD, only=("dataset_parks", "districts"))
    assert found["frames_collections"] == 2 and found["frames_features"] >= 1500 and found["frames_worst_m"] < 0.05
