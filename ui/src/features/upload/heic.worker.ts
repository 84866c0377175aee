import { expose } from "comlink";
import { oneAtATime } from "./oneAtATime";
import { reduced } from "./reduce";

expose(
  oneAtATime(async (file) => {
    // A file of its own, as the LGPL wants it. Without WebAssembly, which the Content-Security-Policy forbids to compile.
    const { default: libheif } = await import("libheif-js");
    const [image] = new libheif.HeifDecoder().decode(new Uint8Array(await file.arrayBuffer()));
    if (!image) throw new Error("no photo");
    try {
      const pixels = new ImageData(image.get_width(), image.get_height());
      const shown = await new Promise((resolve) => image.display(pixels, resolve));
      if (!shown) throw new Error("it cannot be decoded");
      return await reduced(pixels);
    } finally {
      image.free();
    }
  }),
);
