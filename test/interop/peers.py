"""Small libzmq peers, written from the wire facts alone. They know nothing of Privateer.

python3 peers.py rep-server ENDPOINT        REP: echoes, prefixed with "re:"
python3 peers.py req-client ENDPOINT N      REQ: N requests one after another, each checked
python3 peers.py sp-queue FRONT BACK        Simple Pirate queue: two ROUTERs, least recently used worker
python3 peers.py sp-worker BACK             Simple Pirate worker: REQ, READY is the byte 1
python3 peers.py pp-queue FRONT BACK MS     6/PPP queue: expires silent workers, heartbeats those it has left
python3 peers.py pp-worker BACK MS          6/PPP worker: DEALER, one job at a time, READY on a new socket after silence

Each prints "bound ENDPOINT ..." or "ok ..." when there is something to say.
"""
import sys
import time
import zmq

context = zmq.Context()


def say(*words):
    print(*words, flush=True)


def bind(kind, endpoint):
    socket = context.socket(kind)
    socket.bind(endpoint)
    return socket, socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")


def rep_server(endpoint):
    socket, bound = bind(zmq.REP, endpoint)
    say("bound", bound)
    while True:
        frames = socket.recv_multipart()
        socket.send_multipart([b"re:" + frames[0]] + frames[1:])


def req_client(endpoint, count):
    socket = context.socket(zmq.REQ)
    socket.setsockopt(zmq.RCVTIMEO, 10000)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(endpoint)
    for number in range(int(count)):
        socket.send_multipart([b"%d" % number, b"", b"tail"])
        reply = socket.recv_multipart()
        assert reply == [b"re:%d" % number, b"", b"tail"], reply
    say("ok", count)


def sp_queue(front, back):
    clients, front = bind(zmq.ROUTER, front)
    workers, back = bind(zmq.ROUTER, back)
    say("bound", front, back)
    ready = []
    poller = zmq.Poller()
    poller.register(workers, zmq.POLLIN)
    while True:
        if ready:
            poller.register(clients, zmq.POLLIN)
        elif clients in poller:
            poller.unregister(clients)
        events = dict(poller.poll())
        if workers in events:
            frames = workers.recv_multipart()
            ready.append(frames[0])
            if frames[2:] != [b"\x01"]:
                clients.send_multipart(frames[2:])
        if clients in events and ready:
            frames = clients.recv_multipart()
            workers.send_multipart([ready.pop(0), b""] + frames)


def sp_worker(back):
    socket = context.socket(zmq.REQ)
    socket.connect(back)
    socket.send(b"\x01")
    while True:
        frames = socket.recv_multipart()
        assert frames[1] == b"", frames
        socket.send_multipart(frames[:2] + [b"re:" + frames[2]] + frames[3:])


READY, HEARTBEAT, LIVENESS = b"\x01", b"\x02", 3


def pp_queue(front, back, ms):
    """As plain as the specification allows: any message of a worker makes it ready."""
    clients, front = bind(zmq.ROUTER, front)
    workers, back = bind(zmq.ROUTER, back)
    say("bound", front, back)
    interval = int(ms) / 1000
    ready = {}
    beat_at = time.monotonic() + interval
    poller = zmq.Poller()
    poller.register(workers, zmq.POLLIN)
    while True:
        if ready:
            poller.register(clients, zmq.POLLIN)
        elif clients in poller:
            poller.unregister(clients)
        events = dict(poller.poll(int(ms)))
        now = time.monotonic()
        if workers in events:
            worker, *frames = workers.recv_multipart()
            ready.pop(worker, None)
            ready[worker] = now + interval * LIVENESS
            if len(frames) > 1:
                clients.send_multipart(frames)
        if clients in events and ready:
            worker = next(iter(ready))
            del ready[worker]
            workers.send_multipart([worker] + clients.recv_multipart())
        if now >= beat_at:
            for worker in ready:
                workers.send_multipart([worker, HEARTBEAT])
            beat_at = now + interval
        ready = {worker: expiry for worker, expiry in ready.items() if now < expiry}


def pp_worker(back, ms):
    def connect():
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(back)
        socket.send(READY)
        return socket

    interval = int(ms) / 1000
    socket = connect()
    liveness = LIVENESS
    beat_at = time.monotonic() + interval
    while True:
        if socket.poll(int(ms)):
            frames = socket.recv_multipart()
            liveness = LIVENESS
            if frames != [HEARTBEAT]:
                # As strict as the Guide's: one address frame.
                assert len(frames) >= 3 and frames[1] == b"", frames
                socket.send_multipart(frames[:2] + [b"re:" + frames[2]] + frames[3:])
        else:
            liveness -= 1
            if liveness == 0:
                socket.close()
                time.sleep(interval)
                socket = connect()
                liveness = LIVENESS
        if time.monotonic() >= beat_at:
            beat_at = time.monotonic() + interval
            socket.send(HEARTBEAT)


roles = {
    "rep-server": rep_server,
    "req-client": req_client,
    "sp-queue": sp_queue,
    "sp-worker": sp_worker,
    "pp-queue": pp_queue,
    "pp-worker": pp_worker,
}
roles[sys.argv[1]](*sys.argv[2:])
