/**
 * Bytes that others leave free on the disk of a SQLite database, so that deleting and reading go on
 * when pushing has to stop.
 */
export const DATABASE_RESERVE_BYTES = 64 * 1024 * 1024
