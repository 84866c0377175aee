/** What the page uses of libheif. */
declare module "libheif-js" {
  interface HeifImage {
    get_width(): number;
    get_height(): number;
    /** Fills the pixels, upright; null when it cannot. */
    display(pixels: ImageData, done: (pixels: ImageData | null) => void): void;
    free(): void;
  }
  const libheif: { HeifDecoder: new () => { decode(file: Uint8Array): HeifImage[] } };
  export default libheif;
}
