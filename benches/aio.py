"""A careful asyncio script: aiohttp on uvloop, answers committed in batches.

aio.py CSV STATE URL ROWS prints the seconds it took.
"""

import asyncio, csv, itertools, sqlite3, sys, time

import aiohttp, uvloop

WIDTH, BATCH = 64, 2000


async def main(path, state, url, rows):
    db = sqlite3.connect(state, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = wal")
    db.execute("PRAGMA synchronous = full")
    db.execute("CREATE TABLE IF NOT EXISTS answers (id INTEGER PRIMARY KEY, errcode INTEGER, links TEXT)")
    done = db.execute("SELECT coalesce(max(id), 0) FROM answers").fetchone()[0]
    answers = []

    def save(batch):
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", batch)
        db.execute("COMMIT")

    with open(path, newline="") as file:
        subjects = itertools.islice(enumerate(itertools.islice(csv.reader(file), 1, rows + 1), 1), done, None)

        async def worker(session):
            for number, (unionid, openid) in subjects:
                async with session.post(url, json={"unionid": unionid, "openid": openid}) as reply:
                    answer = await reply.json(content_type=None)
                answers.append((number, answer["errcode"], repr(answer.get("external_userid_info"))))

        async def saver(workers):
            while not workers.done() or answers:
                batch, answers[:] = answers[:], []
                if batch:
                    await asyncio.to_thread(save, batch)
                if len(batch) < BATCH:
                    await asyncio.sleep(0.02)

        began = time.perf_counter()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=WIDTH)) as session:
            workers = asyncio.gather(*(worker(session) for _ in range(WIDTH)))
            await saver(workers)
            await workers
    print(time.perf_counter() - began)


uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
