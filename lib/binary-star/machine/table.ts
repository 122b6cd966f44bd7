import type { BinaryStarRole, BinaryStarState } from "../protocol.ts";

/**
 * What can happen to a server of a pair: the other one published a state, a client asks, or the lease ended.
 * `peerStaysActive` is a peer that is still active although it had time to learn that this side is;
 * `requestAlone` is a client that asks while the peer is silent.
 */
export type PairEvent =
  | "peerPrimary"
  | "peerBackup"
  | "peerActive"
  | "peerStaysActive"
  | "peerPassive"
  | "request"
  | "requestAlone"
  | "leaseLost";

/** What each event makes of a state. */
export type Row = Readonly<Record<PairEvent, BinaryStarState>>;

/** The states that a role can be in. */
export type Table = Readonly<Record<"starting" | "active" | "passive", Row>>;

/*
 * The table of the Guide's bstar.c, where it has an entry and that does not end the process. It differs in two
 * places, of which it makes a fatal error: when both are active, the backup steps down, and the primary only
 * when the backup does not; and when both are passive, the primary serves.
 */
const primary: Table = {
  starting: {
    peerPrimary: "primary",
    peerBackup: "active",
    peerActive: "passive",
    peerStaysActive: "passive",
    peerPassive: "primary",
    request: "primary",
    requestAlone: "active",
    leaseLost: "primary",
  },
  active: {
    peerPrimary: "active",
    peerBackup: "active",
    peerActive: "active",
    peerStaysActive: "passive",
    peerPassive: "active",
    request: "active",
    requestAlone: "active",
    leaseLost: "passive",
  },
  passive: {
    peerPrimary: "active",
    peerBackup: "active",
    peerActive: "passive",
    peerStaysActive: "passive",
    peerPassive: "active",
    request: "passive",
    requestAlone: "active",
    leaseLost: "passive",
  },
};

const backup: Table = {
  starting: {
    peerPrimary: "backup",
    peerBackup: "backup",
    peerActive: "passive",
    peerStaysActive: "passive",
    peerPassive: "backup",
    request: "backup",
    requestAlone: "active",
    leaseLost: "backup",
  },
  active: {
    peerPrimary: "active",
    peerBackup: "active",
    peerActive: "passive",
    peerStaysActive: "passive",
    peerPassive: "active",
    request: "active",
    requestAlone: "active",
    leaseLost: "passive",
  },
  passive: {
    peerPrimary: "active",
    peerBackup: "active",
    peerActive: "passive",
    peerStaysActive: "passive",
    peerPassive: "passive",
    request: "passive",
    requestAlone: "active",
    leaseLost: "passive",
  },
};

/** The state machine of each role. */
export const tables: Readonly<Record<BinaryStarRole, Table>> = { primary, backup };

/**
 * The same where a lease decides who serves: who has it stays active whatever the other says, and of two passive
 * servers whichever gets it is the next.
 */
export const leasedTables: Readonly<Record<BinaryStarRole, Table>> = {
  primary: leased(primary),
  backup: leased(backup),
};

function leased(table: Table): Table {
  return {
    ...table,
    active: { ...table.active, peerActive: "active", peerStaysActive: "active" },
    passive: { ...table.passive, peerPassive: "active" },
  };
}
