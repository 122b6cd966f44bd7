import type { Scenario } from "../stage.ts";
import { freelanceScenario } from "./freelance.ts";
import { binaryStarScenario } from "./binary-star.ts";
import { lazyPirateScenario } from "./lazy-pirate.ts";
import { majordomoScenario } from "./majordomo.ts";
import { paranoidPirateScenario } from "./paranoid-pirate.ts";
import { simplePirateScenario } from "./simple-pirate.ts";
import { titanicScenario } from "./titanic.ts";

/** Every scenario, by its name. */
export const scenarios: ReadonlyMap<string, Scenario> = new Map(
  [
    lazyPirateScenario,
    simplePirateScenario,
    paranoidPirateScenario,
    majordomoScenario,
    titanicScenario,
    binaryStarScenario,
    freelanceScenario,
  ].map((scenario) => [scenario.name, scenario]),
);
