import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const SERVICE = new URL(process.env["SERVICE_URL"] ?? "http://localhost:8000");

type Instead = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A proxy in front of the service, like CloudFront, that tests can stop and that can answer by itself. */
export class Proxy {
  readonly #server: Server;
  /** Returns true when it has answered instead of the service. */
  instead: Instead = () => false;

  constructor() {
    this.#server = createServer((incoming, outgoing) => {
      if (this.instead(incoming, outgoing)) {
        incoming.resume();
        return;
      }
      const path = (incoming.url ?? "/").replace(/^\/api(?=\/)/, "");
      const onward = request({ host: SERVICE.hostname, port: SERVICE.port, path, method: incoming.method, headers: incoming.headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      onward.on("error", () => outgoing.destroy());
      incoming.pipe(onward);
    });
  }

  async up(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async down(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}
