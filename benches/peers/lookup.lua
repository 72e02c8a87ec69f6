-- One lookup, the same each time, for wrk: what the server can do at most.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"unionid":"oUnionUnionUnionUnionUnion12","openid":"oOpenOpenOpenOpenOpenOpen123"}'
