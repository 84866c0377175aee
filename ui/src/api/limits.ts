// The service's own values; tests/ui/test_page_facts.py checks that they match.

/** Largest photo that the service accepts, bytes. */
export const MAX_IMAGE_BYTES = 10_485_760;

/** The service scales photos down to this long side, pixels, so larger ones need not be sent. */
export const LONG_SIDE = 1000;

/** Most photos that the service accepts in a batch. */
export const MAX_BATCH_FILES = 10;
