"""The management API of the admin listener, over a store that flexctl has filled."""

import http.client
import json
import re
import socket
import sqlite3
import threading
import time
import unittest
import urllib.parse

import flexctl
import harness

GOOD = {"model": "gpt-5.4", "input": "Hello", "start_within": "default"}


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def code(self):
        """The error's, or None."""
        return self.json().get("error", {}).get("code")


class Admin(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.flexsim = cls.start(harness.Flexsim())
        cls.store = cls.start(flexctl.Store())
        for org in ("acme", "other"):
            cls.store.good("org", "create", org)
        cls.store.good("provider-key", "set", "acme", "openai", stdin="sk-flexsim\n")
        cls.management = cls.store.json("key", "create", "acme", "--management")["key"]
        cls.flexd = cls.start(cls.flexd_of(cls.store))

    @classmethod
    def flexd_of(cls, store):
        return harness.Flexd(cls.flexsim.url, "--auth-failures-per-minute", "0",
                             ca=cls.flexsim.ca, store=store, workers=2)

    def call(self, method, path, body=None, key=None, headers=None, raw=None, flexd=None):
        url = urllib.parse.urlsplit((flexd or self.flexd).admin)
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
        fields = {"authorization": f"Bearer {key or self.management}", **(headers or {})}
        data = raw if raw is not None else None if body is None else json.dumps(body)
        try:
            connection.request(method, path, data, fields,
                               encode_chunked="transfer-encoding" in fields)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def test_a_key_from_its_making_to_its_end(self):
        made = self.call("POST", "/api/keys", {"name": "web", "models": ["gpt-5*"],
                                               "budget_usd": "12.50"})
        self.assertEqual(made.status, 201, made.body)
        key = made.json()
        self.assertRegex(key["key"], r"\Aflex_live_[0-9a-f]{30}\Z")
        self.assertEqual((key["name"], key["org"], key["kind"], key["models"], key["budget_usd"]),
                         ("web", "acme", "inference", ["gpt-5*"], "12.5"))
        bearer = {"authorization": f"Bearer {key['key']}"}
        harness.wait_until(lambda: self.flexd.post(GOOD, bearer).status == 200, "served", 5)
        listed = self.call("GET", "/api/keys").json()
        self.assertEqual(listed["object"], "list")
        mine = [k for k in listed["data"] if k["id"] == key["id"]]
        self.assertEqual(len(mine), 1)
        self.assertNotIn("key", mine[0])
        self.assertNotIn(key["key"], json.dumps(listed))
        # What flexctl says is the same.
        told = [k for k in self.store.json("key", "list", "acme")["keys"] if k["id"] == key["id"]]
        self.assertEqual(told[0]["shown"], mine[0]["shown"])
        revoked = self.call("POST", f"/api/keys/{key['id']}/revoke")
        self.assertEqual(revoked.status, 200)
        self.assertIsNotNone(revoked.json()["revoked_at"])
        harness.wait_until(lambda: self.flexd.post(GOOD, bearer).status == 401, "revoked", 5)

    def test_only_the_own_organization_is_seen(self):
        other = self.store.json("key", "create", "other")
        self.assertNotIn(other["id"], json.dumps(self.call("GET", "/api/keys").json()))
        answer = self.call("POST", f"/api/keys/{other['id']}/revoke")
        self.assertEqual((answer.status, answer.code()), (404, "not_found"))
        self.assertIsNone(next(k for k in self.store.json("key", "list", "other")["keys"]
                               if k["id"] == other["id"])["revoked_at"])
        acme = self.call("GET", "/api/orgs/acme").json()
        self.assertEqual(self.call("GET", f"/api/orgs/{acme['id']}").json(), acme)
        for org in ("other", "org_000000000000", "nobody"):
            answer = self.call("GET", f"/api/orgs/{org}")
            self.assertEqual((answer.status, answer.code()), (404, "not_found"), org)
        answer = self.call("POST", "/api/keys/key_000000000000/revoke")
        self.assertEqual((answer.status, answer.code()), (404, "not_found"))

    def test_a_list_comes_in_pages(self):
        made = [self.store.json("key", "create", "acme")["id"] for _ in range(5)]
        everything = self.call("GET", "/api/keys?limit=1000").json()
        self.assertFalse(everything["has_more"])
        seen, after = [], ""
        while True:
            page = self.call("GET", f"/api/keys?limit=2{after}").json()
            self.assertLessEqual(len(page["data"]), 2)
            seen += [key["id"] for key in page["data"]]
            if not page["has_more"]:
                break
            after = f"&after={seen[-1]}"
        self.assertEqual(seen, [key["id"] for key in everything["data"]])
        self.assertEqual(seen[-5:], made)
        other = self.store.json("key", "create", "other")["id"]
        for query, status in (("limit=0", 400), ("limit=1001", 400), ("limit=x", 400),
                              ("page=2", 400), (f"after={other}", 404), ("after=nothing", 404)):
            self.assertEqual(self.call("GET", "/api/keys?" + query).status, status, query)

    def test_balance_and_usage(self):
        self.assertEqual(self.call("GET", "/api/balance").json()["prepaid"], False)
        key = self.store.json("key", "create", "acme", "--name", "counted")
        bearer = {"authorization": f"Bearer {key['key']}"}
        harness.wait_until(lambda: self.flexd.post(GOOD, bearer).status == 200, "served", 5)
        self.assertEqual(self.flexd.post(GOOD, bearer).status, 200)

        def requests():
            usage = self.call("GET", f"/api/usage?by=model,served&key={key['id']}").json()
            return [row for row in usage["data"] if row["model"] == "gpt-5.4"]
        harness.wait_until(lambda: sum(row["requests"] for row in requests()) == 2, "counted", 5)
        row = requests()[0]
        self.assertEqual(row["served"], "default")
        self.assertGreater(row["output_tokens"], 0)
        total = self.call("GET", "/api/usage?since=2026-01-01").json()["total"]
        self.assertGreaterEqual(total["requests"], 2)
        self.store.good("org", "credit", "acme", "--add-usd", "5")
        balance = self.call("GET", "/api/balance").json()
        self.assertEqual((balance["prepaid"], balance["credit_usd"]), (True, "5"))
        for query, param in (("since=yesterday", "since"), ("by=colour", "by"),
                             ("by=day,day", "by")):
            answer = self.call("GET", "/api/usage?" + query)
            self.assertEqual((answer.status, answer.code()), (400, "invalid_value"), query)
            self.assertEqual(answer.json()["error"]["param"], param)
        answer = self.call("GET", "/api/usage?days=3")
        self.assertEqual(answer.code(), "unsupported_parameter")
        self.assertEqual(self.call("GET", "/api/usage?key=key_0").code(), "not_found")
        # As URLSearchParams and others write it.
        encoded = self.call("GET", "/api/usage?&by=model%2Cserved&").json()["data"]
        self.assertIn("served", encoded[0])

    def test_who_may_not(self):
        inference = self.store.json("key", "create", "acme")["key"]
        management = self.management
        harness.wait_until(
            lambda: self.flexd.post(GOOD, {"authorization": f"Bearer {inference}"}).status == 200,
            "served", 5)
        for key, status, code in ((inference, 403, "wrong_key_type"),
                                  ("flexm_" + "0" * 30, 401, "invalid_api_key"),
                                  ("nonsense", 401, "invalid_api_key")):
            answer = self.call("GET", "/api/keys", key=key)
            self.assertEqual((answer.status, answer.code()), (status, code))
            self.assertEqual(set(answer.json()["error"]),
                             {"message", "type", "code", "param", "doc_url"})
            self.assertIn("x-flexinference-request-id", answer.headers)
        self.assertEqual(self.call("GET", "/api/keys", headers={"authorization": ""}).code(),
                         "missing_api_key")
        # The other way round.
        answer = self.flexd.post(GOOD, {"authorization": f"Bearer {management}"})
        self.assertEqual((answer.status, answer.code()), (403, "wrong_key_type"))
        short = self.store.json("key", "create", "acme", "--management", "--expires", "1s")["key"]
        harness.wait_until(
            lambda: self.call("GET", "/api/keys", key=short).code() == "expired_api_key",
            "the key to expire", 5)

    def test_wrong_requests(self):
        for method, path, status, code in (
                ("GET", "/api", 404, "unknown_url"), ("GET", "/api/nothing", 404, "unknown_url"),
                ("DELETE", "/api/keys", 405, "method_not_allowed"),
                ("POST", "/api/balance", 405, "method_not_allowed"),
                ("POST", "/api/keys/a/b/revoke", 404, "unknown_url")):
            answer = self.call(method, path)
            self.assertEqual((answer.status, answer.code()), (status, code), path)
        self.assertEqual(self.call("DELETE", "/api/keys").headers["allow"], "GET, HEAD, POST")
        for raw, code in (("{", "invalid_json"), ("[]", "invalid_body"),
                          ('{"nmae":"x"}', "unsupported_parameter"),
                          ('{"expires_at":1}', "invalid_value")):
            answer = self.call("POST", "/api/keys", raw=raw)
            self.assertEqual((answer.status, answer.code()), (400, code), raw)
        answer = self.call("POST", "/api/keys", raw="x" * 1_000_001)
        self.assertEqual((answer.status, answer.code()), (413, "request_too_large"))
        chunked = self.call("POST", "/api/keys", raw=iter([b'{"na', b'me":"in ', b'pieces"}']),
                            headers={"transfer-encoding": "chunked"})
        self.assertEqual((chunked.status, chunked.json()["name"]), (201, "in pieces"))

    def test_numbers_have_the_bounds_of_flexctl_in_its_words(self):
        for option, member, numbers in (
                ("--rpm", "requests_per_minute", ("0", "1000001")),
                ("--budget-requests", "budget_requests", ("-1", "1000000000001")),
                ("--budget-usd", "budget_usd", ('"-1"', '"0.0000001"', '"1000000000.01"'))):
            for number in numbers:
                answer = self.call("POST", "/api/keys", raw=f'{{"{member}":{number}}}')
                self.assertEqual((answer.status, answer.code()), (400, "invalid_value"), number)
                self.assertEqual(answer.json()["error"]["param"], member)
                told = self.store.run("key", "create", "acme", f"{option}={json.loads(number)}")
                self.assertEqual(told.code, 2, told.err)
                rule = told.err.strip().partition(f"{option}: ")[2].partition(" (flexctl")[0]
                self.assertGreater(len(rule), 20, told.err)
                self.assertIn(rule, answer.json()["error"]["message"])
        best = {"requests_per_minute": 1_000_000, "budget_requests": 10**12,
                "budget_usd": "1000000000"}
        made = self.call("POST", "/api/keys", best)
        self.assertEqual(made.status, 201, made.body)
        self.assertEqual({name: made.json()[name] for name in best}, best)

    def test_an_organization_has_so_many_keys(self):
        store = self.run_here(flexctl.Store())
        keys = {}
        for org in ("full", "other"):
            store.good("org", "create", org)
            keys[org] = store.json("key", "create", org, "--management")["key"]
        flexd = self.run_here(self.flexd_of(store))
        with sqlite3.connect(store.path, timeout=30) as database:
            database.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 199999) "
                "INSERT INTO keys (id, organization, name, management, digest, shown, "
                "created_at_s, expires_at_s, revoked_at_s, deactivated, native_parameters, "
                "start_within, requests_per_minute) SELECT format('key_f%011x', i), "
                "(SELECT number FROM organizations WHERE name = 'full'), '', 0, randomblob(32), "
                "'flex_live_0123', 1, 0, 1, 0, 0, '', 0 FROM n")
        database.close()
        answer = self.call("POST", "/api/keys", {}, key=keys["full"], flexd=flexd)
        self.assertEqual((answer.status, answer.code()), (402, "quota_exceeded"), answer.body)
        self.assertIn("Revoked", answer.json()["error"]["message"])
        told = store.run("key", "create", "full")
        self.assertEqual(told.code, 1)
        self.assertIn("full has 200000 keys, revoked ones among them", told.err)
        self.assertIn("as many API keys as it can have", answer.json()["error"]["message"])
        # Others are not held up by it.
        made = self.call("POST", "/api/keys", {}, key=keys["other"], flexd=flexd)
        self.assertEqual(made.status, 201, made.body)

    def test_an_organization_has_so_many_models_on_its_keys(self):
        store = self.run_here(flexctl.Store())
        store.good("org", "create", "full")
        key = store.json("key", "create", "full", "--management")["key"]
        store.good("key", "create", "full")
        flexd = self.run_here(self.flexd_of(store))
        with sqlite3.connect(store.path, timeout=30) as database:
            database.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 199999) "
                "INSERT INTO key_models SELECT max(number), i, 'gpt-5*' FROM keys, n GROUP BY i")
        database.close()
        models = {"models": ["gpt-5*", "o3"]}
        answer = self.call("POST", "/api/keys", models, key=key, flexd=flexd)
        self.assertEqual((answer.status, answer.code()), (402, "quota_exceeded"), answer.body)
        self.assertIn("as many models on the lists of its API keys as it can have",
                      answer.json()["error"]["message"])
        told = store.run("key", "create", "full", "--model", "gpt-5*", "--model", "o3")
        self.assertEqual(told.code, 1, told.err)
        self.assertIn("199999 models on the lists of its keys", told.err)
        made = self.call("POST", "/api/keys", {}, key=key, flexd=flexd)
        self.assertEqual(made.status, 201, made.body)

    def test_head_is_get_without_a_body(self):
        for path in ("/api/balance", "/api/keys?limit=1", "/api/usage", "/api/orgs/acme"):
            got, head = self.call("GET", path), self.call("HEAD", path)
            self.assertEqual((head.status, head.body), (200, b""), path)
            for name in ("content-type", "content-length"):
                self.assertEqual(head.headers[name], got.headers[name], path)
        self.assertEqual(self.call("HEAD", "/api/keys", key="nonsense").status, 401)
        self.assertEqual(self.call("HEAD", "/api/keys/a/revoke").headers["allow"], "POST")
        self.assertEqual(self.call("PUT", "/api/balance").headers["allow"], "GET, HEAD")

    def test_nobody_without_a_good_key_has_a_body_read(self):
        inference = self.store.json("key", "create", "acme")["key"]
        self.wait_status(403, inference)
        length, chunked = b"Content-Length: 900000", b"Transfer-Encoding: chunked"
        for path, key, framing, status in (
                ("/api/keys", "flexm_" + "0" * 30, length, 401),
                ("/api/keys", "flexm_" + "0" * 30, chunked, 401),
                ("/api/keys", inference, length, 403),
                ("/api/nothing", self.management, length, 404),
                ("/api/balance", self.management, length, 405),
                ("/healthz", "none", length, 405), ("/nothing", "none", chunked, 404)):
            for expect in (b"", b"Expect: 100-continue\r\n"):
                began = time.monotonic()
                head = (f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n"
                        ).encode() + expect + framing + b"\r\n\r\n"
                # The answer comes without a byte of the body, and is the end.
                got = self.raw(head)
                self.assertRegex(got, rb"\AHTTP/1.1 %d " % status)
                self.assertIn(b"connection: close", got.lower())
                self.assertNotIn(b"100 Continue", got)
                self.assertLess(time.monotonic() - began, 8)
        # One that has sent its body already can read the answer all the same.
        for _ in range(5):
            answer = self.call("POST", "/api/keys", key="nonsense", raw="x" * 990_000)
            self.assertEqual(answer.status, 401)
        head = (f"POST /api/keys HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {self.management}\r\n"
                "Expect: 100-continue\r\nConnection: close\r\nContent-Length: ")
        self.assertIn(b" 413 ", self.raw(head.encode() + b"1000001\r\n\r\n"))
        self.assertRegex(self.raw(head.encode() + b"2\r\n\r\n", b"{}"),
                         rb"(?s)\AHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 ")

    def test_what_cannot_be_read_has_an_id_and_a_line(self):
        account = ("POST /api/keys HTTP/1.1\r\nHost: a\r\n"
                   f"Authorization: Bearer {self.management}\r\nConnection: close\r\n")
        for head, status, path in (
                (account + "Content-Length: 1000001\r\n\r\n", 413, "/api/keys"),
                (account + "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400, "/api/keys"),
                ("GET /metrics HTTP/1.1\r\n\r\n", 400, ""),
                ("GET /metrics HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417, ""),
                ("GET /metrics HTTP/1.1\r\nHost: a\r\nX: " + "x" * 70_000 + "\r\n\r\n", 431,
                 "")):
            got = self.raw(head.encode())
            self.assertRegex(got, rb"\AHTTP/1.1 %d " % status)
            found = re.search(rb"(?i)x-flexinference-request-id: (\S+)", got)
            self.assertIsNotNone(found, got)

            def told(request_id=found[1].decode()):
                return next((line for line in self.flexd.log("admin_request")
                             if line["request_id"] == request_id), None)
            line = harness.wait_until(told, "its line in the log", 5)
            self.assertEqual((line["status"], line["path"]), (status, path))
            self.assertEqual(bool(line["key"] and line["organization"]), path != "")

    def test_only_who_sends_a_refused_body_is_waited_for(self):
        """A socket that is left open takes resets once the other end has given it up."""
        length = b"POST /api/keys HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n"
        held = {}
        for what, head in (("a body", length), ("nothing", b""), ("an answer",
                           b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")):
            held[what] = socket.create_connection(self.flexd.admin_address, timeout=10)
            self.addCleanup(held[what].close)
            held[what].sendall(head)
        for _ in range(70):  # more than may be open: the one that has nothing to say has to go
            other = socket.create_connection(self.flexd.admin_address, timeout=10)
            self.addCleanup(other.close)
        for connection in held.values():
            while connection.recv(65536):
                pass
        time.sleep(2)
        gone = {}
        for what, connection in held.items():
            try:
                for _ in range(3):
                    connection.sendall(b"x")
                    time.sleep(0.1)
                gone[what] = False
            except OSError:
                gone[what] = True
        self.assertEqual(gone, {"a body": False, "nothing": True, "an answer": True})

    def test_requests_that_come_before_their_turn_wait(self):
        """More than is kept of what follows a request whose answer is being made."""
        one = b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Padding: " + b"p" * 16_000 + b"\r\n"
        count, got = 150, b""
        with socket.create_connection(self.flexd.admin_address, timeout=20) as connection:
            sender = threading.Thread(target=connection.sendall, args=(
                (one + b"\r\n") * (count - 1) + one + b"Connection: close\r\n\r\n",))
            sender.start()
            while data := connection.recv(1 << 20):
                got += data
            sender.join()
        self.assertEqual(got.count(b"HTTP/1.1 200 OK"), count)

    def wait_status(self, status, key):
        harness.wait_until(lambda: self.call("GET", "/api/balance", key=key).status == status,
                           str(status), 5)

    def test_a_management_key_was_used(self):
        made = self.store.json("key", "create", "acme", "--management")
        self.wait_known(made["key"])

        def used():
            keys = self.store.json("key", "list", "acme")["keys"]
            return next(k for k in keys if k["id"] == made["id"])["last_used_at"]
        harness.wait_until(lambda: used() is not None, "its use", 5)

        def told():
            return next((line for line in self.flexd.log("admin_request")
                         if line["key"] == made["id"] and line["status"] == 200), None)
        line = harness.wait_until(told, "its line in the log", 5)
        self.assertEqual((line["organization"][:4], line["method"]), ("org_", "GET"))

    def wait_known(self, key):
        self.wait_status(200, key)

    def raw(self, *pieces, shut=False):
        """What comes back for these bytes until the end."""
        with socket.create_connection(self.flexd.admin_address, timeout=10) as connection:
            for piece in pieces:
                connection.sendall(piece)
            if shut:
                connection.shutdown(socket.SHUT_WR)
            got = b""
            while data := connection.recv(65536):
                got += data
            return got

    def test_a_caller_that_closes_its_half_is_answered(self):
        head = f"GET /api/balance HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {self.management}"
        got = self.raw(head.encode() + b"\r\n\r\n", shut=True)
        self.assertIn(b'"object":"balance"', got)
        self.assertIn(b"flexd_requests_total",
                      self.raw(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", shut=True))

    def test_silent_connections_do_not_keep_the_health_checks_out(self):
        held = []
        self.addCleanup(lambda: [c.close() for c in held])
        for _ in range(80):
            held.append(socket.create_connection(self.flexd.admin_address, timeout=10))
            held[-1].sendall(b"G")
        for _ in range(20):
            self.assertIn(b"200 OK", self.raw(
                b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))

    def test_pages_need_no_key(self):
        url = urllib.parse.urlsplit(self.flexd.admin)
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
        self.addCleanup(connection.close)
        for path, status in (("/healthz", 200), ("/readyz", 200), ("/version", 200),
                             ("/metrics", 200), ("/nothing", 404)):
            connection.request("GET", path)  # all on one connection
            answer = Answer(connection.getresponse())
            self.assertEqual(answer.status, status, path)
            if path == "/version":
                self.assertEqual(answer.json()["name"], "flexd")

    def test_a_hundred_calls(self):
        began = time.monotonic()
        for _ in range(100):
            self.assertEqual(self.call("GET", "/api/balance").status, 200)
        self.assertLess(time.monotonic() - began, 30)


if __name__ == "__main__":
    unittest.main(verbosity=2)
