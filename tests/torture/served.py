"""What a running box hands out."""

from __future__ import annotations

from typing import Any

import httpx

WHOLE = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


def images(client: httpx.Client) -> dict[str, bytes]:
    """Return every instance that can be retrieved, whole, by its SOPInstanceUID; another answer must say why."""
    found: dict[str, bytes] = {}
    listed: list[dict[str, Any]] = client.get("/dicom-web/instances", params={"limit": "1000"}).json()
    for one in listed:
        study, series, uid = (one[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
        answer = client.get(f"/dicom-web/studies/{study}/series/{series}/instances/{uid}", headers=WHOLE)
        if answer.status_code == 200:
            found[uid] = answer.content.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
        else:
            assert answer.status_code in (404, 500) and answer.json()["next_step"], answer.text
    return found
