/** A tenant's id: a slug of 1 to 63 characters. It is safe inside a quoted SQL literal. */
export const TENANT_ID_PATTERN = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** A user's id, the shard key: 1 to 64 characters. */
export const USER_ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,63}$/;

/** Who does something, for the audit log: 1 to 128 printable ASCII characters. */
export const ACTOR_PATTERN = /^[\x20-\x7e]{1,128}$/;

/** A shard's id in the configuration: short, and safe in names of metrics and database objects. */
export const SHARD_ID_PATTERN = /^[a-z][a-z0-9_]{0,30}$/;
