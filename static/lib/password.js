// What the service asks of a password.

export const MIN_PASSWORD_CHARS = 10;
