import assert from "node:assert/strict";
import { beforeEach, describe, it, mock } from "node:test";

import { RoomClient } from "../static/js/lib/room-client.js";
import { settle } from "./fake-rtc.js";
import { ackFor, participant, roomWith } from "./rooms.js";

class FakeSocket {
  connected = false;
  active = true;
  connections = 0;
  /** @type {Map<string, (value?: any) => void>} */ listeners = new Map();
  /** @type {{event: string, data: any, answer: (ack: any) => void}[]} */ asked = [];

  /** @param {string} event @param {(value?: any) => void} listener */
  on(event, listener) {
    this.listeners.set(event, listener);
  }

  connect() {
    this.connections += 1;
  }

  disconnect() {
    this.connected = false;
  }

  timeout() {
    return {
      emitWithAck: (/** @type {string} */ event, /** @type {any} */ data) =>
        new Promise((answer) => this.asked.push({ event, data, answer })),
    };
  }

  /** @param {string} event @param {any} [value] */
  async happens(event, value) {
    if (event === "connect") this.connected = true;
    this.listeners.get(event)?.(value);
    await settle();
  }

  /** @param {any} ack */
  async answers(ack) {
    this.asked.at(-1)?.answer(ack);
    await settle();
  }
}

function newClient() {
  const socket = new FakeSocket();
  /** @type {any[]} */
  const told = [];
  /** @param {string} name */
  const tell = (name) => (/** @type {any} */ value, /** @type {any} */ error = undefined) =>
    told.push([name, value, error?.code].filter((each) => each !== undefined));
  const client = new RoomClient(
    {
      token: "t",
      join: () => ({ seat_key: "k" }),
      onJoined: () => told.push(["joined"]),
      onRoom: tell("room"),
      onSignal: tell("signal"),
      onReplaced: tell("replaced"),
      onState: tell("state"),
    },
    () => /** @type {any} */ (socket),
  );
  client.start();
  return { socket, client, told };
}

const ACK = ackFor("proposition", "pro-1");
const NEWER = roomWith([participant("opposition", "opp-1")]);

beforeEach(() => mock.timers.reset());

describe("a room client", () => {
  it("joins after every connect", async () => {
    const { socket, told } = newClient();
    await socket.happens("connect");
    assert.deepEqual(socket.asked.map(({ event, data }) => [event, data]), [["join", { seat_key: "k" }]]);
    await socket.answers(ACK);
    await socket.happens("disconnect", "transport close");
    await socket.happens("connect");
    await socket.answers(ACK);
    assert.deepEqual(told, [
      ["state", "connecting"], ["state", "joined"], ["joined"], ["state", "away"], ["state", "joined"], ["joined"],
    ]);
  });

  it("gives what overtook the answer after it: newest room, then signals", async () => {
    const { socket, told } = newClient();
    await socket.happens("connect");
    await socket.happens("room", roomWith([]));
    await socket.happens("signal", { link: "a" });
    await socket.happens("room", NEWER);
    await socket.answers(ACK);
    assert.deepEqual(told.slice(2), [["joined"], ["room", NEWER], ["signal", { link: "a" }]]);
  });

  it("ignores the answer to a join of a connection that was lost since", async () => {
    const { socket, told } = newClient();
    await socket.happens("connect");
    await socket.happens("disconnect", "transport close");
    await socket.answers(ACK);
    assert.deepEqual(told.at(-1), ["state", "away"]);
  });

  it("stops when it is refused or replaced", async () => {
    const refused = newClient();
    await refused.socket.happens("connect");
    await refused.socket.answers({ ok: false, error: { code: "seat_taken", message: "taken" } });
    assert.deepEqual(refused.told.at(-1), ["state", "refused", "seat_taken"]);
    const replaced = newClient();
    await replaced.socket.happens("connect");
    await replaced.socket.answers(ACK);
    await replaced.socket.happens("replaced", { message: "elsewhere" });
    await replaced.socket.happens("disconnect", "io server disconnect");
    await replaced.socket.happens("room", NEWER);
    assert.deepEqual(replaced.told.at(-1), ["replaced", { message: "elsewhere" }]);
    assert.equal(replaced.socket.connections, 1);
  });

  it("connects again when it was too fast for the server, or the server closed", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const { socket } = newClient();
    await socket.happens("connect");
    await socket.answers({ ok: false, error: { code: "rate", message: "slow down" } });
    mock.timers.tick(500);
    assert.equal(socket.connections, 2);
    await socket.happens("connect");
    await socket.answers(ACK);
    await socket.happens("disconnect", "io server disconnect");
    mock.timers.tick(500);
    assert.equal(socket.connections, 3);
  });

  it("refuses to send while away, and tells why a send was refused", async () => {
    const { socket, client } = newClient();
    await assert.rejects(client.send("media", {}), { code: "unheard" });
    await socket.happens("connect");
    const sent = client.send("media", {});
    await socket.answers({ ok: false, error: { code: "invalid", message: "no" } });
    await assert.rejects(sent, { code: "invalid", message: "no" });
  });

  it("connects anew at once when it is told to, also while it waits for the next try", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const { socket, client } = newClient();
    await socket.happens("connect");
    await socket.answers({ ok: false, error: { code: "rate", message: "slow down" } });
    client.reconnect();
    assert.equal(socket.connections, 2);
    mock.timers.tick(5000);
    assert.equal(socket.connections, 2, "the pause is over with");
    client.close();
    client.reconnect();
    assert.equal(socket.connections, 2);
  });

  it("connects anew when the server does not answer a question, and not when it refuses it", async () => {
    const { socket, client } = newClient();
    await socket.happens("connect");
    await socket.answers(ACK);
    const refused = client.verify("media", {});
    await socket.answers({ ok: false, error: { code: "invalid", message: "no" } });
    assert.equal(await refused, true);
    const unheard = client.verify("media", {});
    socket.asked.at(-1)?.answer(Promise.reject(new Error("timeout")));
    assert.equal(await unheard, false);
    assert.equal(socket.connections, 2);
  });
});
