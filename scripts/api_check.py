"""How scripts/api-check signs in: once with the password, then with refresh tokens, before the access token ends."""

import json
import os
import urllib.request

import schemathesis

URL = os.environ["STREAMPULSE_URL"]


def post(path, body):
    request = urllib.request.Request(
        URL + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


# Access tokens are good for ten minutes.
@schemathesis.auth(refresh_interval=300)
class Session:
    refresh_token = None

    def get(self, case, context):
        if self.refresh_token is None:
            with open(os.environ["STREAMPULSE_PASSWORD_FILE"], encoding="utf-8") as file:
                password = file.read().strip()
            username = os.environ["STREAMPULSE_USERNAME"]
            answer = post("/api/login", {"username": username, "password": password})
        else:
            answer = post("/api/refresh", {"refresh_token": self.refresh_token})
        self.refresh_token = answer["refresh_token"]
        return answer["access_token"]

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"
