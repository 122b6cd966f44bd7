/** The schema of a database that the bench has to itself, and removes. */
export const benchSchema = "privateer_bench";
