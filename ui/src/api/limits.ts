// The service's own values; tests/ui/test_page_facts.py compares them.

/** Largest photo that the service takes, bytes. */
export const MAX_IMAGE_BYTES = 10_000_000;

/** The service reduces photos to this long side, pixels: more need not be sent. */
export const LONG_SIDE = 1000;
