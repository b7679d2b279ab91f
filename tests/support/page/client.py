"""A browser's requests to the owner's page, without a browser."""

import http.client
import json


class Client:
    """Speaks to the server of a link as the page in a browser does; headers can be changed."""

    def __init__(self, link):
        self.address, _, self.link = link.removeprefix("http://").partition("/#token=")
        self.cookie, self.token = "", ""

    def ask(self, path, content=None, method=None, **headers):
        """Return the answer to a GET, or to a POST of content."""
        sent = {"Host": self.address, "Cookie": self.cookie, "Sec-Fetch-Site": "same-origin"}
        if content is not None:
            sent |= {"Origin": f"http://{self.address}", "X-Whosthere-Token": self.token}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(*self.address.split(":"), timeout=60)
        connection.putrequest(method or ("GET" if content is None else "POST"), path, True, True)
        body = b"" if content is None else json.dumps(content).encode()
        for name, value in ({"Content-Length": str(len(body))} | sent).items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        answer.content = answer.read()
        connection.close()
        return answer

    def json(self, path, content=None, **headers):
        """Return status and JSON of an answer."""
        answer = self.ask(path, content, **headers)
        return answer.status, json.loads(answer.content)

    def enter(self):
        """Trade the link's token for the cookie and the page's token."""
        answer = self.ask("/session", {"token": self.link})
        self.cookie = (answer.getheader("set-cookie") or "").partition(";")[0]
        self.token = self.json("/api/overview")[1]["token"]
        return answer
