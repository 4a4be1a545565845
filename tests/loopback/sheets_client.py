"""gspread as it is, asking an exchange in Google's place."""

from typing import Any

import gspread
import requests
from google.oauth2.service_account import Credentials
from gspread.http_client import HTTPClient

READONLY = "https://www.googleapis.com/auth/spreadsheets.readonly"


def client_of(sheets_url: str, info: dict[str, Any], *scopes: str) -> gspread.Client:
    """gspread with another base address; nothing else is changed."""

    class Elsewhere(HTTPClient):
        def request(self, method: str, endpoint: str, *rest: Any, **other: Any) -> requests.Response:
            return super().request(
                method, endpoint.replace("https://sheets.googleapis.com", sheets_url), *rest, **other
            )

    credentials = Credentials.from_service_account_info(info, scopes=scopes or (READONLY,))
    client = gspread.Client(credentials, http_client=Elsewhere)
    client.set_timeout(5)
    return client
