"""hdq openapi: the API's description, for the client's generated types."""

import json
from pathlib import Path

import typer

from gis_api.commands import settings_or_exit


def command(file: Path | None = typer.Argument(None, help="写入的文件，缺省打印 · file to write; printed when absent")) -> None:
    """接口说明 · write the OpenAPI document (sorted, so that it can be diffed)."""
    from gis_api.main import make_app

    settings = settings_or_exit().model_copy(update={"database_url": "postgresql:///never_connected"})
    document = make_app(settings).openapi()
    document["info"]["version"] = "0"
    text = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    if file is None:
        typer.echo(text, nl=False)
    else:
        file.write_text(text, encoding="utf-8")
