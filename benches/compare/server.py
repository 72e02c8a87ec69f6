"""The simulated API that everybody talks to, and its door for looking inside."""

import atexit, json, os, subprocess, time
from urllib.request import ProxyHandler, build_opener

from settings import IDFERRY

PLAIN = ["--faults", "none", "--limits", "none", "--latency", "0s", "--concurrent", "0"]


class Server:
    def __init__(self, options=PLAIN):
        self.serve([IDFERRY, "simulate", *options])

    def serve(self, command):
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        atexit.register(self.child.kill)
        words = self.child.stdout.readline().split()
        self.url = words[0]
        self.corp, self.secret = (word.split("=", 1)[1] for word in words[1:3])

    def get(self, path):
        with build_opener(ProxyHandler({})).open(self.url + path) as reply:
            return json.load(reply)

    def lookups(self):
        """The address of a lookup with a token that works."""
        token = self.get(f"/cgi-bin/gettoken?corpid={self.corp}&corpsecret={self.secret}")["access_token"]
        return f"{self.url}/cgi-bin/corpgroup/unionid_to_external_userid?access_token={token}"

    def lane(self):
        """What it counted of lookups."""
        lanes = self.get("/_sim/stats")["lanes"]
        return next((lane for path, lane in lanes.items() if "unionid" in path), {"calls": 0})

    def asked(self):
        return self.lane()["calls"]

    def settled(self):
        """How many calls it has had, once those of a dead process have arrived."""
        seen = None
        while (now := self.asked()) != seen:
            seen = now
            time.sleep(0.1)
        return seen

    def env(self):
        return dict(os.environ, WECOM_CORP_ID=self.corp, WECOM_CORP_SECRET=self.secret)

    def stop(self):
        self.child.kill()
        self.child.wait()
