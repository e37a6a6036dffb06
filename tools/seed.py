"""Three sample posts, in English, French and Arabic, through the same API that every app uses.

    python tools/seed.py http://localhost:8080 TOKEN

Running it again adds nothing.
"""

import html
import json
import re
import sys
import urllib.request
from typing import Any

POSTS = [
    ("en", "A first post on this instance. Whatever is limited here says so, and says why. #introduction"),
    ("fr", "Un premier message en français : ce qui est limité ici est indiqué, avec la raison. #introduction"),
    ("ar", "أول منشور بالعربية: كل ما يُقيَّد هنا يظهر للجميع مع سببه. #introduction"),
]


def call(url: str, token: str, method: str, path: str, body: dict[str, str] | None = None, key: str = "") -> Any:
    request = urllib.request.Request(f"{url}{path}", method=method, data=json.dumps(body).encode() if body else None)
    request.add_header("Authorization", f"Bearer {token}")
    request.add_header("Content-Type", "application/json")
    if key:
        request.add_header("Idempotency-Key", key)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def plain(content: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", content))).strip()


def sow(url: str, token: str) -> int:
    """Posts what is not there yet; returns how many were posted."""
    account = call(url, token, "GET", "/api/v1/accounts/verify_credentials")
    statuses = call(url, token, "GET", f"/api/v1/accounts/{account['id']}/statuses?limit=40")
    there = {plain(status["content"]) for status in statuses}
    new = [(language, text) for language, text in POSTS if text not in there]
    for language, text in new:
        body = {"status": text, "language": language, "visibility": "public"}
        call(url, token, "POST", "/api/v1/statuses", body, key=f"sample-{language}")
    return len(new)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(f"{sow(sys.argv[1].rstrip('/'), sys.argv[2])} posts added")
