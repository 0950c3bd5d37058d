/** How long a pending transfer holds its amount when nobody says: a day. */
export const HOLD_SECONDS_DEFAULT = 86_400;

/** How long it may, at most: thirty days. */
export const HOLD_SECONDS_MAX = 30 * 86_400;
