import type { Settings } from "../arguments.ts";
import type { FailoverRound } from "../failover.ts";
import type { Scale } from "../scale.ts";
import type { ThroughputRound } from "../throughput.ts";
import type { FailoverSummary } from "./failover.ts";
import type { Machine } from "./machine.ts";
import type { ThroughputSummary } from "./throughput.ts";
import type { TitanicRound } from "../titanic.ts";
import type { TitanicSummary } from "./titanic.ts";

/** What was measured, summed up and raw. */
export interface Measurements<Summary, Round> {
  readonly medians: readonly Summary[];
  readonly rounds: readonly Round[];
}

/** A whole run, as `--json` writes it. */
export interface Results {
  readonly machine: Machine;
  readonly settings: Settings;
  throughput?: Measurements<ThroughputSummary, ThroughputRound>;
  majordomo?: Measurements<ThroughputSummary, ThroughputRound>;
  echo?: Measurements<ThroughputSummary, ThroughputRound>;
  scale?: readonly Scale[];
  failover?: Measurements<FailoverSummary, FailoverRound>;
  binaryStar?: Measurements<FailoverSummary, FailoverRound>;
  freelance?: Measurements<FailoverSummary, FailoverRound>;
  titanic?: Measurements<TitanicSummary, TitanicRound>;
}
