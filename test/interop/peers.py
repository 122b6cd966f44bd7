"""Small libzmq peers, written from the wire facts alone. They know nothing of Privateer.

python3 peers.py rep-server ENDPOINT        REP: echoes, prefixed with "re:"
python3 peers.py req-client ENDPOINT N      REQ: N requests one after another, each checked
python3 peers.py sp-queue FRONT BACK        Simple Pirate queue: two ROUTERs, least recently used worker
python3 peers.py sp-worker BACK             Simple Pirate worker: REQ, READY is the byte 1
python3 peers.py pp-queue FRONT BACK MS     6/PPP queue: expires silent workers, heartbeats those it has left
python3 peers.py pp-worker BACK MS          6/PPP worker: DEALER, one job at a time, READY on a new socket after silence
python3 peers.py md-worker VERSION ENDPOINT SERVICE   MDP/Worker 0.1 or 0.2: echoes, prefixed with "re:"; in 0.2
                                            a partial "part:" comes first; registers anew after DISCONNECT
python3 peers.py md-client VERSION ENDPOINT SERVICE N   MDP/Client 0.1 (REQ) or 0.2 (DEALER), each reply checked
python3 peers.py md-broker VERSION ENDPOINT   MDP broker of one version that takes requests apart by position,
                                            with mmi.service
python3 peers.py fl-server ENDPOINT PUBLIC  10/FLP server: ROUTER whose identity is PUBLIC, or where it is bound
python3 peers.py fl-client N ENDPOINT ...   10/FLP client: ROUTER without identity that addresses servers by their
                                            endpoints; pings each until it answers, then N requests in turn
python3 peers.py fl2-server ENDPOINT        Freelance model two: REP that takes [sequence][body], returns [sequence]["OK"]
python3 peers.py fl2-client N ENDPOINT ...  Freelance model two: DEALER that sends each request to every server
python3 peers.py bs-server ROLE FRONT BIND PEER MS   Binary Star server with the state machine of bstar.c: echoes,
                                            prefixed with "re:"; prints its states, and "fatal" before it ends
python3 peers.py bs-client PRIMARY BACKUP N MS SETTLE   Binary Star client: REQ, N requests, a new socket to the
                                            other server after MS without a reply and a pause of SETTLE
python3 peers.py ti-client ENDPOINT SERVICE N   9/TSP client: submits N requests, asks for each reply until it is there,
                                            reads it twice, closes it, and finds it gone
python3 peers.py ti-server ENDPOINT         9/TSP server that keeps requests in memory, calls one after another, and
                                            says text behind its status codes

Each prints "bound ENDPOINT ..." or "ok ..." when there is something to say.
"""
import sys
import threading
import time
import uuid
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


COMMANDS = {
    "0.1": {"ready": b"\x01", "request": b"\x02", "final": b"\x03", "heartbeat": b"\x04", "disconnect": b"\x05"},
    "0.2": {"ready": b"\x01", "request": b"\x02", "partial": b"\x03", "final": b"\x04", "heartbeat": b"\x05",
            "disconnect": b"\x06"},
}


def worker_head(version):
    return [b"", b"MDPW01"] if version == "0.1" else [b"MDPW02"]


def md_worker(version, endpoint, service):
    commands, head = COMMANDS[version], worker_head(version)
    poller = zmq.Poller()

    def register():
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(endpoint)
        poller.register(socket, zmq.POLLIN)
        socket.send_multipart(head + [commands["ready"], service.encode()])
        return socket

    socket = register()
    say("ready")
    while True:
        if not poller.poll(50):
            socket.send_multipart(head + [commands["heartbeat"]])
            continue
        frames = socket.recv_multipart()
        assert frames[:len(head)] == head, frames
        command, rest = frames[len(head)], frames[len(head) + 1:]
        if command == commands["request"]:
            address, empty, body = rest[0], rest[1], rest[2:]
            assert empty == b"" and body, frames
            if "partial" in commands:
                socket.send_multipart(head + [commands["partial"], address, b"", b"part:" + body[0]])
            socket.send_multipart(head + [commands["final"], address, b"", b"re:" + body[0]] + body[1:])
        elif command == commands["disconnect"]:
            assert not rest, frames
            poller.unregister(socket)
            socket.close()
            socket = register()
        else:
            assert command == commands["heartbeat"] and not rest, frames


def md_client(version, endpoint, service, count):
    socket = context.socket(zmq.REQ if version == "0.1" else zmq.DEALER)
    socket.setsockopt(zmq.RCVTIMEO, 10000)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(endpoint)
    name = service.encode()
    for number in range(int(count)):
        body = [b"%d" % number, b"", b"tail"]
        if version == "0.1":
            socket.send_multipart([b"MDPC01", name] + body)
            frames = socket.recv_multipart()
            assert frames[:2] == [b"MDPC01", name], frames
            body_at = 2
        else:
            socket.send_multipart([b"MDPC02", b"\x01", name] + body)
            frames = socket.recv_multipart()
            while frames[:3] == [b"MDPC02", b"\x02", name]:
                frames = socket.recv_multipart()
            assert frames[:3] == [b"MDPC02", b"\x03", name], frames
            body_at = 3
        assert frames[body_at:] == [b"re:%d" % number, b"", b"tail"], frames
    say("ok", count)


def md_broker(version, endpoint):
    socket, bound = bind(zmq.ROUTER, endpoint)
    say("bound", bound)
    commands, head = COMMANDS[version], worker_head(version)
    client_head = [b"", b"MDPC01"] if version == "0.1" else [b"MDPC02"]
    services, idle, waiting = {}, {}, {}
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)

    def reply(client, name, body, partial=False):
        command = [] if version == "0.1" else [b"\x02" if partial else b"\x03"]
        socket.send_multipart([client] + client_head + command + [name] + body)

    def dispatch(name):
        while idle.get(name) and waiting.get(name):
            client, body = waiting[name].pop(0)
            socket.send_multipart([idle[name].pop(0)] + head + [commands["request"], client, b""] + body)

    while True:
        if not poller.poll(50):
            for worker in services:
                socket.send_multipart([worker] + head + [commands["heartbeat"]])
            continue
        frames = socket.recv_multipart()
        peer, frames = frames[0], frames[1:]
        if frames[:len(client_head)] == client_head:
            at = len(client_head)
            if version == "0.2":
                assert frames[at] == b"\x01", frames
                at += 1
            name, body = frames[at], frames[at + 1:]
            if name == b"mmi.service":
                reply(peer, name, [b"200" if body[-1] in services.values() else b"404"])
            elif name.startswith(b"mmi."):
                reply(peer, name, [b"501"])
            else:
                waiting.setdefault(name, []).append((peer, body))
                dispatch(name)
            continue
        # By position, as the Guide's broker does: what is unexpected ends this broker, and so the test.
        assert frames[:len(head)] == head, frames
        command, rest = frames[len(head)], frames[len(head) + 1:]
        if command == commands["ready"]:
            assert peer not in services, frames
            services[peer] = rest[0]
            idle.setdefault(rest[0], []).append(peer)
            dispatch(rest[0])
        elif command == commands["disconnect"]:
            name = services.pop(peer, None)
            if name is not None and peer in idle[name]:
                idle[name].remove(peer)
        elif peer not in services:
            socket.send_multipart([peer] + head + [commands["disconnect"]])
        elif command in (commands["final"], commands.get("partial")):
            client, empty, body = rest[0], rest[1], rest[2:]
            assert empty == b"" and body, frames
            name = services[peer]
            reply(client, name, body, partial=command != commands["final"])
            if command == commands["final"]:
                idle[name].append(peer)
                dispatch(name)
        else:
            assert command == commands["heartbeat"] and not rest, frames


def fl_server(endpoint, public=""):
    if endpoint.endswith("*"):
        socket, endpoint = bind(zmq.ROUTER, endpoint)
        socket.close()
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt_string(zmq.IDENTITY, public or endpoint)
    while True:
        try:
            socket.bind(endpoint)
            break
        except zmq.ZMQError:  # libzmq frees a port in its own time
            time.sleep(0.01)
    say("bound", endpoint)
    while True:
        client, control, *body = socket.recv_multipart()
        if not body:
            assert control == b"PING", control
            socket.send_multipart([client, b"PONG"])
        else:
            socket.send_multipart([client, control, b"re:" + body[0]] + body[1:])


def fl_client(count, *endpoints):
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVTIMEO, 10000)
    for endpoint in endpoints:
        socket.connect(endpoint)
    silent = set(endpoints)
    # A ROUTER drops what it cannot route yet, so the PINGs are repeated.
    while silent:
        for endpoint in silent:
            socket.send_multipart([endpoint.encode(), b"PING"])
        while socket.poll(50):
            server, *frames = socket.recv_multipart()
            assert frames == [b"PONG"], frames
            silent.discard(server.decode())
    for number in range(int(count)):
        server = endpoints[number % len(endpoints)].encode()
        control = b"\x00\x01control %d" % number
        socket.send_multipart([server, control, b"%d" % number, b"", b"tail"])
        frames = socket.recv_multipart()
        while frames[1:] == [b"PONG"]:
            frames = socket.recv_multipart()
        assert frames == [server, control, b"re:%d" % number, b"", b"tail"], frames
    say("ok", count)


def fl2_server(endpoint):
    socket, bound = bind(zmq.REP, endpoint)
    say("bound", bound)
    while True:
        frames = socket.recv_multipart()
        assert len(frames) == 2, frames
        socket.send_multipart([frames[0], b"OK"])


def fl2_client(count, *endpoints):
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVTIMEO, 10000)
    for endpoint in endpoints:
        socket.connect(endpoint)
    for number in range(1, int(count) + 1):
        sequence = b"%d" % number
        for _ in endpoints:
            socket.send_multipart([b"", sequence, b"name %d" % number])
        frames = socket.recv_multipart()
        while frames[1] != sequence:
            assert int(frames[1]) < number, frames
            frames = socket.recv_multipart()
        assert frames == [b"", sequence, b"re:name %d" % number], frames
    say("ok", count)


def bs_server(role, front, state_at, peer, ms):
    clients, _ = bind(zmq.ROUTER, front)
    publisher, _ = bind(zmq.PUB, state_at)
    subscriber = context.socket(zmq.SUB)
    subscriber.setsockopt(zmq.SUBSCRIBE, b"")
    subscriber.connect(peer)
    interval = int(ms) / 1000
    primary, backup, active, passive, request = 1, 2, 3, 4, 5
    state = primary if role == "primary" else backup
    names = {primary: "primary", backup: "backup", active: "active", passive: "passive"}
    expiry = time.monotonic() + 2 * interval
    send_at = time.monotonic() + interval
    poller = zmq.Poller()
    poller.register(clients, zmq.POLLIN)
    poller.register(subscriber, zmq.POLLIN)
    say("bound", front, state_at)

    def happens(event):
        """Returns whether it was accepted."""
        nonlocal state
        before, accepted = state, True
        dead = time.monotonic() >= expiry
        if state == primary:
            if event == backup:
                state = active
            elif event == active:
                state = passive
            elif event == request:
                accepted = dead
                if dead:
                    state = active
        elif state == backup:
            if event == active:
                state = passive
            elif event == request:
                accepted = False
        elif state == active:
            accepted = event != active
        elif state == passive:
            if event in (primary, backup):
                state = active
            elif event == passive:
                accepted = False
            elif event == request:
                accepted = dead
                if dead:
                    state = active
        if state != before:
            say(names[state])
        return accepted

    while True:
        events = dict(poller.poll(max(0, int(1000 * (send_at - time.monotonic())))))
        if clients in events:
            frames = clients.recv_multipart()
            if happens(request):
                at = frames.index(b"") + 1
                clients.send_multipart(frames[:at] + [b"re:" + frames[at]] + frames[at + 1:])
        if subscriber in events:
            frames = subscriber.recv_multipart()
            assert len(frames) == 1, frames
            expiry = time.monotonic() + 2 * interval
            if not happens(int(frames[0])):
                say("fatal")
                sys.exit(1)
        if time.monotonic() >= send_at:
            publisher.send(b"%d" % state)
            send_at = time.monotonic() + interval


def bs_client(primary, backup, count, ms, settle):
    servers, at = [primary, backup], 0

    def connect():
        socket = context.socket(zmq.REQ)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(servers[at])
        return socket

    socket, switched = connect(), 0
    for number in range(1, int(count) + 1):
        socket.send(b"%d" % number)
        while not socket.poll(int(ms)):
            socket.close()
            at, switched = 1 - at, switched + 1
            time.sleep(int(settle) / 1000)
            socket = connect()
            socket.send(b"%d" % number)
        reply = socket.recv_multipart()
        assert reply == [b"re:%d" % number], reply
        say("answered", number, servers[at])
    say("ok", count, switched)


def md_call(socket, service, *body):
    """One request of MDP/Client 0.1 over a REQ socket."""
    socket.send_multipart([b"MDPC01", service, *body])
    frames = socket.recv_multipart()
    assert frames[:2] == [b"MDPC01", service], frames
    return frames[2:]


def ti_client(endpoint, service, count):
    socket = context.socket(zmq.REQ)
    socket.setsockopt(zmq.RCVTIMEO, 10000)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(endpoint)
    ids = []
    for number in range(int(count)):
        status, *rest = md_call(socket, b"titanic.request", service.encode(), b"%d" % number, b"", b"tail")
        # The whole frame is compared, as the Guide's client does.
        assert status == b"200" and len(rest) == 1 and len(rest[0]) == 32, (status, rest)
        ids.append(rest[0])
    for number, id in enumerate(ids):
        for _ in range(2):
            reply = md_call(socket, b"titanic.reply", id)
            while reply == [b"300"]:
                time.sleep(0.005)
                reply = md_call(socket, b"titanic.reply", id)
            assert reply == [b"200", b"re:%d" % number, b"", b"tail"], reply
        for _ in range(2):
            assert md_call(socket, b"titanic.close", id) == [b"200"]
        assert md_call(socket, b"titanic.reply", id) == [b"400"]
    say("ok", count)


def ti_server(endpoint):
    pending, replies = {}, {}

    def store(body):
        id = uuid.uuid4().hex.encode()
        pending[id] = body
        return [b"200 OK", id]

    def reply(body):
        if body[0] in replies:
            return [b"200 OK"] + replies[body[0]]
        return [b"300 Pending" if body[0] in pending else b"400 Unknown"]

    def close(body):
        pending.pop(body[0], None)
        replies.pop(body[0], None)
        return [b"200 OK"]

    def dispatch():
        socket = context.socket(zmq.REQ)
        socket.connect(endpoint)
        while True:
            for id, (service, *body) in list(pending.items()):
                if md_call(socket, b"mmi.service", service) == [b"200"]:
                    replies[id] = md_call(socket, service, *body)
                    pending.pop(id, None)
            time.sleep(0.01)

    services = {b"titanic.request": store, b"titanic.reply": reply, b"titanic.close": close}
    poller = zmq.Poller()
    answers = {}
    commands, head = COMMANDS["0.1"], worker_head("0.1")
    for name, answer in services.items():
        socket = context.socket(zmq.DEALER)
        socket.connect(endpoint)
        socket.send_multipart(head + [commands["ready"], name])
        poller.register(socket, zmq.POLLIN)
        answers[socket] = answer
    threading.Thread(target=dispatch, daemon=True).start()
    say("ready")
    while True:
        readable = dict(poller.poll(50))
        for socket, answer in answers.items():
            if socket not in readable:
                socket.send_multipart(head + [commands["heartbeat"]])
                continue
            frames = socket.recv_multipart()
            command, rest = frames[2], frames[3:]
            if command == commands["request"]:
                socket.send_multipart(head + [commands["final"], rest[0], b""] + answer(rest[2:]))
            else:
                assert command == commands["heartbeat"], frames


roles = {
    "fl-server": fl_server,
    "fl-client": fl_client,
    "fl2-server": fl2_server,
    "fl2-client": fl2_client,
    "bs-server": bs_server,
    "bs-client": bs_client,
    "ti-client": ti_client,
    "ti-server": ti_server,
    "md-worker": md_worker,
    "md-client": md_client,
    "md-broker": md_broker,
    "rep-server": rep_server,
    "req-client": req_client,
    "sp-queue": sp_queue,
    "sp-worker": sp_worker,
    "pp-queue": pp_queue,
    "pp-worker": pp_worker,
}
roles[sys.argv[1]](*sys.argv[2:])
