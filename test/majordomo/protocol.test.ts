import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Frames } from "../../mod.ts";
import { decodeToBroker } from "../../lib/majordomo/protocol/broker.ts";
import {
  decodeToClient,
  encodeCall,
  encodeCallError,
  encodeCallReply,
  encodeCancel,
  encodeReply,
  encodeRequest,
  failureCodes,
} from "../../lib/majordomo/protocol/client.ts";
import { maxNumber, maxTtl } from "../../lib/majordomo/protocol/number.ts";
import {
  decodeToWorker,
  encodeDisconnect,
  encodeFailed,
  encodeHeartbeat,
  encodeJob,
  encodeJobCancel,
  encodeJobReply,
  encodeReady,
  encodeReturned,
  encodeWorkerReply,
  welcome,
} from "../../lib/majordomo/protocol/worker.ts";

const bytes = (...parts: (string | number[])[]): Frames =>
  parts.map((part) =>
    typeof part === "string" ? new TextEncoder().encode(part) : Buffer.from(part)
  );
/** As plain arrays, so that views and buffers compare by content. */
const plain = (frames: Frames) => frames.map((frame) => [...frame]);
const same = (a: Frames, b: Frames) => assert.equal(plain(a), plain(b));

const frame = fc.uint8Array({ maxLength: 12 });
const body = fc.array(frame, { minLength: 1, maxLength: 4 });
const service = fc.uint8Array({ minLength: 1, maxLength: 255 });
const number = fc.integer({ min: 1, max: maxNumber });
const ttl = fc.option(fc.integer({ min: 0, max: maxTtl - 1 }), { nil: undefined });
const version = fc.constantFrom("0.1" as const, "0.2" as const);
const dialect = fc.constantFrom("0.1" as const, "0.2" as const, "P1" as const);
const id = fc.uint8Array({ minLength: 1, maxLength: 8 }).filter((id) => id[0] !== 0x4d);

test("7/MDP: REQUEST, REPLY and the workers' commands have the frames of the RFC", () => {
  const [service = new Uint8Array()] = bytes("echo");
  same(encodeRequest("0.1", service, bytes("a", "")), bytes("", "MDPC01", "echo", "a", ""));
  same(
    encodeReply("0.1", bytes(""), service, true, bytes("b")),
    bytes("", "MDPC01", "echo", "b"),
  );
  same(encodeReady("0.1", service, undefined), bytes("", "MDPW01", [1], "echo"));
  same(
    encodeJob("0.1", 258, undefined, bytes("a")),
    bytes("", "MDPW01", [2], [0, 0, 0, 1, 2], "", "a"),
  );
  same(
    encodeWorkerReply("0.1", Buffer.from("addr"), true, bytes("b")),
    bytes("", "MDPW01", [3], "addr", "", "b"),
  );
  same(encodeHeartbeat("0.1"), bytes("", "MDPW01", [4]));
  same(encodeDisconnect("0.1"), bytes("", "MDPW01", [5]));
});

test("18/MDP: the commands have the frames of the RFC", () => {
  const [service = new Uint8Array()] = bytes("echo");
  same(encodeRequest("0.2", service, bytes("a")), bytes("MDPC02", [1], "echo", "a"));
  same(encodeReply("0.2", [], service, false, bytes("b")), bytes("MDPC02", [2], "echo", "b"));
  same(encodeReply("0.2", [], service, true, bytes("b")), bytes("MDPC02", [3], "echo", "b"));
  same(encodeReady("0.2", service, undefined), bytes("MDPW02", [1], "echo"));
  same(
    encodeJob("0.2", 1, undefined, bytes("a")),
    bytes("MDPW02", [2], [0, 0, 0, 0, 1], "", "a"),
  );
  const address = Buffer.from("addr");
  same(
    encodeWorkerReply("0.2", address, false, bytes("b")),
    bytes("MDPW02", [3], "addr", "", "b"),
  );
  same(encodeWorkerReply("0.2", address, true, bytes("b")), bytes("MDPW02", [4], "addr", "", "b"));
  same(encodeHeartbeat("0.2"), bytes("MDPW02", [5]));
  same(encodeDisconnect("0.2"), bytes("MDPW02", [6]));
});

test("P1: the commands have the frames of docs/majordomo-extension.md", () => {
  const [service = new Uint8Array()] = bytes("echo");
  const five = [0, 0, 0, 0, 5];
  const client = (...rest: number[]) => [...Buffer.from("MDPCP1"), ...rest];
  const worker = (...rest: number[]) => [...Buffer.from("MDPWP1"), ...rest];
  same(
    encodeCall(5, 258, service, bytes("a")),
    bytes(client(1, ...five, 0, 0, 1, 2), "echo", "a"),
  );
  same(encodeCallReply(5, false, bytes("b")), bytes(client(2, ...five), "b"));
  same(encodeCallReply(5, true, bytes("b")), bytes(client(3, ...five), "b"));
  same(encodeCallError(5, "NO_REPLY", "why"), bytes(client(4, ...five), "NO_REPLY", "why"));
  same(encodeCancel(5), bytes(client(5, ...five)));
  same(encodeReady("0.2", service, 7), bytes("MDPW02", [1], "echo", worker(1, 0, 0, 0, 7)));
  same(welcome, bytes(worker(1)));
  same(
    encodeJob("P1", 5, undefined, bytes("a")),
    bytes(worker(2, ...five, 255, 255, 255, 255), "a"),
  );
  same(encodeJobReply(5, false, bytes("b")), bytes(worker(3, ...five), "b"));
  same(encodeJobReply(5, true, bytes("b")), bytes(worker(4, ...five), "b"));
  same(encodeHeartbeat("P1"), bytes(worker(5)));
  same(encodeDisconnect("P1"), bytes(worker(6)));
  same(encodeReturned(5, true), bytes(worker(7, ...five, 1)));
  same(encodeFailed(5, "why"), bytes(worker(8, ...five), "why"));
  same(encodeJobCancel(5), bytes(worker(9, ...five)));
});

test("no frames make a decoder throw", () => {
  const words = ["", "MDPC01", "MDPC02", "MDPW01", "MDPW02", "MDPCP1", "MDPWP1", "mmi.x", "s"];
  const near = fc.oneof(
    frame,
    fc.constantFrom(...bytes(...words)),
    fc.integer({ min: 0, max: 10 }).map((byte) => new Uint8Array([byte])),
    fc.tuple(fc.constantFrom(...bytes("MDPCP1", "MDPWP1")), frame).map(([head, rest]) =>
      new Uint8Array([...head, ...rest])
    ),
  );
  fc.assert(
    fc.property(fc.array(near, { maxLength: 9 }), (frames) => {
      decodeToBroker(frames);
      decodeToClient(frames);
      decodeToWorker(frames);
    }),
    { numRuns: 5000 },
  );
});

test("requests of 0.1 and 0.2 come through, with their envelope", () => {
  fc.assert(fc.property(version, service, body, fc.array(id), (version, service, body, ids) => {
    const plainRequest = encodeRequest(version, service, body);
    const inEnvelope = ids.length === 0
      ? plainRequest
      : [...ids, new Uint8Array(), ...(version === "0.1" ? plainRequest.slice(1) : plainRequest)];
    const request = decodeToBroker(inEnvelope);
    if (request.type !== "request") throw new Error(request.type);
    assert.is(request.dialect, version);
    same([request.service, ...request.body], [service, ...body]);
    const reply = encodeReply(version, request.envelope, request.service, true, body);
    same(reply.slice(0, ids.length), ids);
    const decoded = decodeToClient(ids.length === 0 ? reply : reply.slice(ids.length));
    if (decoded.type !== "final") throw new Error(decoded.type);
    same([decoded.service ?? new Uint8Array(), ...decoded.body], [service, ...body]);
  }));
});

test("calls of P1 come through, and so do their ends", () => {
  fc.assert(fc.property(number, ttl, service, body, (call, ttl, service, body) => {
    const request = decodeToBroker(encodeCall(call, ttl ?? maxTtl, service, body));
    if (request.type !== "request") throw new Error(request.type);
    assert.equal([request.dialect, request.call, request.ttl], ["P1", call, ttl]);
    same([request.service, ...request.body], [service, ...body]);
    assert.equal(decodeToBroker(encodeCancel(call)), { type: "cancel", call });
    for (const final of [true, false]) {
      const reply = decodeToClient(encodeCallReply(call, final, body));
      if (reply.type === "malformed" || reply.type === "error") throw new Error(reply.type);
      assert.equal([reply.type, reply.call], [final ? "final" : "partial", call]);
      same(reply.body, body);
    }
    for (const code of failureCodes) {
      const error = decodeToClient(encodeCallError(call, code, "why"));
      assert.equal(error, { type: "error", call, code, text: "why" });
    }
  }));
});

test("jobs come through in each dialect, and so do their ends", () => {
  fc.assert(fc.property(dialect, number, ttl, body, (dialect, job, ttl, body) => {
    const request = decodeToWorker(encodeJob(dialect, job, ttl, body));
    if (request.type !== "request") throw new Error(request.type);
    same(request.body, body);
    assert.is(request.ttl, dialect === "P1" ? ttl : undefined);
    const reply = decodeToBroker(
      dialect === "P1"
        ? encodeJobReply(request.job, true, body)
        : encodeWorkerReply(dialect, request.address ?? new Uint8Array(), true, body),
    );
    if (reply.type !== "final") throw new Error(reply.type);
    assert.equal([reply.dialect, reply.job], [dialect, job]);
    same(reply.body, body);
    assert.equal(decodeToBroker(encodeReturned(job, true)), {
      type: "returned",
      dialect: "P1",
      job,
      untouched: true,
    });
    assert.equal(decodeToWorker(encodeJobCancel(job)), { type: "cancel", job });
    const failed = decodeToBroker(encodeFailed(job, "why"));
    assert.equal([failed.type, "job" in failed && failed.job], ["failed", job]);
    for (const decode of [decodeToBroker, decodeToWorker]) {
      assert.is(decode(encodeHeartbeat(dialect)).type, "heartbeat");
      assert.is(decode(encodeDisconnect(dialect)).type, "disconnect");
    }
  }));
});

test("READY comes through, with the offer of P1 and with what else is behind it", () => {
  fc.assert(fc.property(version, service, body, (version, service, rest) => {
    const offered = decodeToBroker(encodeReady(version, service, 3));
    assert.is(offered.type === "ready" && offered.concurrency, 3);
    const other = decodeToBroker([...encodeReady(version, service, undefined), ...rest]);
    if (other.type !== "ready") throw new Error(other.type);
    assert.is(other.concurrency, undefined);
    same([other.service], [service]);
  }));
});

test("what is cut short is malformed, and told from a shorter command (M6)", () => {
  const [service = new Uint8Array()] = bytes("echo");
  const commands: Frames[] = [
    encodeRequest("0.1", service, bytes("a")),
    encodeRequest("0.2", service, bytes("a")),
    encodeCall(1, 2, service, bytes("a")),
    encodeReady("0.1", service, undefined),
    encodeReady("0.2", service, undefined),
    encodeWorkerReply("0.1", Buffer.from("addr"), true, bytes("a")),
    encodeWorkerReply("0.2", Buffer.from("addr"), true, bytes("a")),
    encodeJobReply(1, true, bytes("a")),
    encodeFailed(1, "a"),
  ];
  for (const frames of commands) {
    for (let length = 0; length < frames.length; length++) {
      assert.is(decodeToBroker(frames.slice(0, length)).type, "malformed", `${plain(frames)}`);
    }
  }
});

test.run();
